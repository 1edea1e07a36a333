/* SPDX-License-Identifier: MIT */
#include "stats/rates.h"

#include "base/mem.h"

enum { REQUESTS_FOR_THE_LAW = 20, MEAN_TIMES_FOR_THE_LAW = 5 };

void pyr_case_flow_make(const struct pyr_case_data *data, struct pyr_case_flow *flow) {
    *flow = (struct pyr_case_flow){.open_loop = data->plan->open_loop};
    flow->starts = pyr_xcalloc(data->count + 1, sizeof *flow->starts);
    flow->ends = pyr_xcalloc(data->count + 1, sizeof *flow->ends);
    flow->amounts = pyr_xcalloc(data->count + 1, sizeof *flow->amounts);
    flow->request = pyr_xcalloc(data->count + 1, sizeof(void *));
    for (size_t i = 0; i < data->count; i++) {
        const struct pyr_request *r = &data->requests[i];
        uint64_t end_ns = r->last_content_ns ? r->last_content_ns : r->closed_ns;
        if (r->sent_ns == 0 || end_ns < r->sent_ns)
            continue;
        flow->starts[flow->count] = r->sent_ns;
        flow->ends[flow->count] = end_ns;
        flow->request[flow->count++] = r;
    }
}

void pyr_case_flow_free(struct pyr_case_flow *flow) {
    pyr_free(flow->starts);
    pyr_free(flow->ends);
    pyr_free(flow->amounts);
    pyr_free(flow->request);
}

bool pyr_case_flow_in(const struct pyr_case_flow *all, struct pyr_span span,
                      struct pyr_flow *flow) {
    const struct pyr_flow_input input = {all->starts, all->ends, all->count, all->open_loop};
    return span.start_ns < span.end_ns && pyr_flow_of(flow, &input, span.start_ns, span.end_ns);
}

struct pyr_estimate pyr_case_flow_rate(struct pyr_case_flow *all, const struct pyr_flow *flow,
                                       pyr_amount_fn *amount, const void *context) {
    for (size_t i = 0; i < all->count; i++)
        all->amounts[i] = amount(context, all->request[i]);
    return pyr_flow_rate(flow, all->amounts);
}

double pyr_amount_ok(const void *unused, const struct pyr_request *request) {
    (void)unused;
    return request->outcome == PYR_OUTCOME_OK;
}

enum pyr_little pyr_little_judge(const struct pyr_estimate *ratio, uint64_t sent,
                                 double in_flight) {
    if (!pyr_estimate_is_known(ratio) || sent < REQUESTS_FOR_THE_LAW)
        return PYR_LITTLE_HOLDS;
    bool has_room = (double)sent >= MEAN_TIMES_FOR_THE_LAW * in_flight;
    if (has_room && (ratio->lo > 1.25 || ratio->hi < 0.8))
        return PYR_LITTLE_INVALID;
    return ratio->lo > 1.05 || ratio->hi < 0.95 ? PYR_LITTLE_OFF : PYR_LITTLE_HOLDS;
}
