/* SPDX-License-Identifier: MIT */
#include "stats/window.h"

#include "base/mem.h"
#include "estimate/hist.h"
#include "estimate/quantile.h"
#include "estimate/sample.h"
#include "estimate/summary.h"
#include "stats/arrivals.h"
#include "stats/in_flight.h"
#include "stats/overlap.h"
#include "stats/rates.h"
#include "stats/request_metrics.h"
#include "stats/spikes.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* More values than this are kept in histograms (0.14 % error, stated) instead of exactly: sorting
 * them takes 3 x 8 bytes each. */
enum { EXACT_VALUES_MAX = 4 << 20 };

struct builder {
    const struct pyr_window *window;
    struct pyr_arena *arena;
    struct pyr_metric_result *metrics; /* (PYR_METRIC_COUNT) */
    size_t count;
    uint64_t *values, *sorted, *scratch; /* (capacity) each */
    size_t capacity;
    struct pyr_correlation correlation;
    bool correlated;  /* `correlation` is known: an open loop at one rate */
    double least_vif; /* of what is added next; 0: 1 */
    bool failures;    /* a request of the window failed */
};

/* The flow of the window's case and what Little's law says of it. */
struct rates {
    struct pyr_case_flow *all;
    const struct pyr_flow *flow;
    struct pyr_estimate little;
    const char *invalid; /* why no rate can be told, or NULL */
};

static struct pyr_metric_result *add(struct builder *b, enum pyr_metric metric, uint64_t n) {
    assert(b->count < PYR_METRIC_COUNT);
    struct pyr_metric_result *result = &b->metrics[b->count++];
    memset(result, 0, sizeof *result);
    result->metric = metric;
    result->source = pyr_metric_info(metric)->source;
    result->n = n;
    result->value = result->mean = pyr_estimate_unknown(NULL);
    result->sd = result->min = result->max = NAN;
    result->vif = result->n_effective = result->early_stopping_p99 = NAN;
    for (int i = 0; i < PYR_Q_COUNT; i++)
        result->quantile[i] = pyr_estimate_unknown(NULL);
    return result;
}

static void add_scalar(struct builder *b, enum pyr_metric metric, uint64_t n,
                       struct pyr_estimate value) {
    add(b, metric, n)->value = value;
}

static const struct pyr_metric_result *listed(const struct builder *b, enum pyr_metric metric) {
    for (size_t i = 0; i < b->count; i++)
        if (b->metrics[i].metric == metric)
            return &b->metrics[i];
    return NULL;
}

/* --- distributions ------------------------------------------------------------------------- */

/* The q of a percentile plot: even steps on a log(1-q) axis, as far as n reaches. */
enum { CURVE_POINTS_MAX = 40 };

static size_t curve_levels(uint64_t n, double *q) {
    size_t count = 0;
    for (size_t i = 0; i < CURVE_POINTS_MAX; i++) {
        double level = 1 - pow(10, -(double)i * 0.1 - 0.02);
        if ((double)n < 1 / (1 - level))
            break;
        q[count++] = level;
    }
    return count;
}

static void take_quantiles(struct pyr_metric_result *result, const struct pyr_quantile *q) {
    for (int i = 0; i < PYR_Q_COUNT; i++) {
        result->quantile[i] = q[i].estimate;
        result->needed[i] = q[i].needed;
    }
    result->vif = q[PYR_Q_P50].vif;
    result->n_effective = q[PYR_Q_P50].n_effective;
    result->early_stopping_p99 = q[PYR_Q_P99].early_stopping;
}

static void take_curve(struct builder *b, struct pyr_metric_result *result,
                       const struct pyr_sample *sample) {
    double levels[CURVE_POINTS_MAX];
    size_t count = curve_levels(sample->n, levels);
    struct pyr_curve_point *points = pyr_arena_array(b->arena, count, sizeof *points);
    enum { AT_ONCE = 16 }; /* what pyr_quantiles takes */
    for (size_t first = 0; first < count; first += AT_ONCE) {
        struct pyr_quantile seen[AT_ONCE];
        size_t some = count - first < AT_ONCE ? count - first : AT_ONCE;
        pyr_quantiles_inflated(sample, b->least_vif, levels + first, some, b->arena, seen);
        for (size_t i = 0; i < some; i++)
            points[first + i] = (struct pyr_curve_point){levels[first + i], seen[i].estimate};
    }
    result->curve = points;
    result->curve_count = count;
}

/* A mergeable histogram, for the metrics that are merged over runs. Whole values only. */
static const struct pyr_hist *keep_hist(struct builder *b, const uint64_t *values, size_t n) {
    struct pyr_hist *hist = pyr_arena_alloc(b->arena, sizeof *hist);
    for (size_t i = 0; i < n; i++)
        pyr_hist_record(hist, values[i]);
    return hist;
}

static const struct pyr_correlation *correlation_of(const struct builder *b) {
    return b->correlated ? &b->correlation : NULL;
}

/* From b->values[0 .. n), in send order. */
static struct pyr_metric_result *add_distribution(struct builder *b, enum pyr_metric metric,
                                                  size_t n, bool is_double, bool curve) {
    struct pyr_metric_result *result = add(b, metric, n);
    memcpy(b->sorted, b->values, n * sizeof *b->sorted);
    pyr_sort_keys(b->sorted, b->scratch, n);
    struct pyr_sample sample = {.in_order = b->values,
                                .sorted = b->sorted,
                                .n = n,
                                .is_double = is_double,
                                .correlation = correlation_of(b)};
    struct pyr_quantile quantiles[PYR_Q_COUNT];
    pyr_quantiles_inflated(&sample, b->least_vif, pyr_quantile_levels, PYR_Q_COUNT, b->arena,
                           quantiles);
    take_quantiles(result, quantiles);
    result->run_too_short = pyr_correlation_limit(sample.correlation) < 1;
    struct pyr_summary summary;
    pyr_summarise(&sample, &summary);
    result->mean = summary.mean;
    result->sd = summary.sd;
    result->min = summary.min;
    result->max = summary.max;
    if (curve) {
        take_curve(b, result, &sample);
        result->hist = keep_hist(b, b->values, n);
    }
    return result;
}

static void reserve(struct builder *b, size_t n) {
    if (n <= b->capacity)
        return;
    b->values = pyr_xrealloc(b->values, n * sizeof *b->values);
    b->sorted = pyr_xrealloc(b->sorted, n * sizeof *b->sorted);
    b->scratch = pyr_xrealloc(b->scratch, n * sizeof *b->scratch);
    b->capacity = n;
}

bool pyr_in_span(struct pyr_span span, const struct pyr_request *request) {
    /* Users whose answers end in one step send at one instant, and a phase may change between. */
    if (request->scheduled_ns == span.start_ns)
        return span.end_ns > span.start_ns && request->phase != PYR_PHASE_WARMUP;
    if (request->scheduled_ns == span.end_ns)
        return span.end_ns > span.start_ns && request->phase == PYR_PHASE_MEASURED;
    return request->scheduled_ns > span.start_ns && request->scheduled_ns < span.end_ns;
}

static bool is_inside(struct pyr_span span, uint64_t time_ns) {
    return time_ns >= span.start_ns && time_ns < span.end_ns;
}

/* One token in each event is what anybody expects. */
static bool is_one(const struct builder *b, const struct pyr_request_metric *row) {
    const struct pyr_case_data *data = b->window->data;
    for (size_t i = 0; i < data->count; i++) {
        double value = row->of(&data->requests[i], data->plan);
        if (!isnan(value) && value != 1)
            return false;
    }
    return true;
}

/* First byte and first output say something of their own only where they are not the first content
 * (headers that come early, a model that reasons first). */
static bool is_redundant(const struct builder *b, const struct pyr_request_metric *row) {
    const struct pyr_case_data *data = b->window->data;
    enum pyr_metric metric = row->metric;
    if (metric == PYR_M_TOKENS_PER_EVENT)
        return is_one(b, row);
    if (metric != PYR_M_TTFB && metric != PYR_M_TTFO)
        return false;
    for (size_t i = 0; i < data->count; i++) {
        const struct pyr_request *r = &data->requests[i];
        uint64_t stamp = metric == PYR_M_TTFB ? r->first_byte_ns : r->first_output_ns;
        if (stamp != r->first_content_ns)
            return false;
    }
    return true;
}

static uint64_t key_of(const struct pyr_request_metric *row, double value) {
    return row->whole && !isinf(value) ? (uint64_t)value : pyr_key_of_double(value);
}

/* In the order of values[]: those of the requests that ended ok, and one that never came for each
 * that failed. Returns how many failed. */
static size_t take_all_asked(struct builder *b, const struct pyr_request_metric *row, size_t *n) {
    const struct pyr_case_data *data = b->window->data;
    size_t failed = 0;
    *n = 0;
    for (size_t i = 0; i < data->count; i++) {
        const struct pyr_request *request = &data->requests[i];
        if (!pyr_in_span(b->window->span, request) || request->outcome == PYR_OUTCOME_CANCELLED)
            continue;
        bool ok = request->outcome == PYR_OUTCOME_OK;
        double value = ok ? row->of(request, data->plan) : (double)INFINITY;
        if (isnan(value))
            continue;
        failed += !ok;
        b->values[(*n)++] = key_of(row, value);
    }
    return failed;
}

/* Keys of whole numbers lie below that of infinity as a double, so that one order holds for both.
 */
static const struct pyr_of_all_asked *of_all_asked(struct builder *b,
                                                   const struct pyr_request_metric *row) {
    size_t n, failed = b->failures ? take_all_asked(b, row, &n) : 0;
    if (failed == 0)
        return NULL;
    memcpy(b->sorted, b->values, n * sizeof *b->sorted);
    pyr_sort_keys(b->sorted, b->scratch, n);
    struct pyr_sample sample = {.in_order = b->values,
                                .sorted = b->sorted,
                                .n = n,
                                .is_double = !row->whole,
                                .correlation = correlation_of(b)};
    struct pyr_quantile at[PYR_Q_COUNT];
    pyr_quantiles_inflated(&sample, b->least_vif, pyr_quantile_levels, PYR_Q_COUNT, b->arena, at);
    struct pyr_of_all_asked *all = pyr_arena_alloc(b->arena, sizeof *all);
    *all = (struct pyr_of_all_asked){.asked = n, .failed = failed, .vif = at[PYR_Q_P50].vif};
    const double never = pyr_sample_value(&sample, pyr_key_of_double(INFINITY));
    for (int i = 0; i < PYR_Q_COUNT; i++) {
        struct pyr_estimate *estimate = &all->quantile[i];
        *estimate = at[i].estimate;
        estimate->lo = estimate->lo >= never ? (double)INFINITY : estimate->lo;
        estimate->hi = estimate->hi >= never ? (double)INFINITY : estimate->hi;
        if (estimate->value >= never || isinf(estimate->hi))
            estimate->reason = pyr_arena_printf(b->arena, "%.3g %% of %zu asked failed",
                                                100 * (double)failed / (double)n, n);
        if (estimate->value >= never)
            estimate->value = INFINITY;
    }
    return all;
}

static void add_request_metric(struct builder *b, const struct pyr_request_metric *row) {
    const struct pyr_case_data *data = b->window->data;
    /* What users who keep their places see in one round they see in the next. */
    b->least_vif = row->curve || row->metric == PYR_M_TPOT ? b->window->requests_a_draw : 0;
    const struct pyr_of_all_asked *of_all = row->awaited ? of_all_asked(b, row) : NULL;
    size_t n = 0;
    if (is_redundant(b, row))
        return;
    for (size_t i = 0; i < data->count; i++) {
        const struct pyr_request *request = &data->requests[i];
        if (!pyr_in_span(b->window->span, request) ||
            (row->ok_only && request->outcome != PYR_OUTCOME_OK))
            continue;
        double value = row->of(request, data->plan);
        if (isnan(value))
            continue;
        b->values[n++] = key_of(row, value);
    }
    /* Where all failed there is still what was asked. */
    if (n > 0 || of_all)
        add_distribution(b, row->metric, n, !row->whole, row->curve)->of_all = of_all;
}

static void add_stalls(struct builder *b) {
    const struct pyr_case_data *data = b->window->data;
    size_t n = 0;
    for (size_t i = 0; i < data->count; i++)
        if (pyr_in_span(b->window->span, &data->requests[i]) && data->stall_ns[i] > 0 &&
            data->requests[i].outcome == PYR_OUTCOME_OK)
            b->values[n++] = data->stall_ns[i];
    if (n > 0)
        add_distribution(b, PYR_M_STALL, n, false, false);
}

/* From a histogram of all values and those of successive shares of them. */
static void add_histogram(struct builder *b, enum pyr_metric metric, const struct pyr_hist *all,
                          struct pyr_hist *const *batches, size_t batch_count) {
    const struct pyr_hist *const *views = (const struct pyr_hist *const *)batches;
    struct pyr_metric_result *result = add(b, metric, all->count);
    struct pyr_quantile quantiles[PYR_Q_COUNT];
    pyr_quantiles_of_hist(all, views, batch_count, correlation_of(b), pyr_quantile_levels,
                          PYR_Q_COUNT, b->arena, quantiles);
    take_quantiles(result, quantiles);
    struct pyr_summary summary;
    pyr_summarise_hist(all, views, batch_count, &summary);
    result->mean = summary.mean;
    result->sd = summary.sd;
    result->min = summary.min;
    result->max = summary.max;
    result->from_histogram = true;
    result->relative_error = PYR_HIST_RELATIVE_ERROR;
    result->overflow = all->overflow;
    struct pyr_hist *kept = pyr_arena_alloc(b->arena, sizeof *kept);
    *kept = *all;
    result->hist = kept;
    if (pyr_metric_info(metric)->kind == PYR_KIND_SCALAR)
        result->value = summary.mean;
}

/* Too many values to sort: histograms of successive shares stand in for the order. */
static void add_gap_histogram(struct builder *b, enum pyr_metric metric, bool per_token,
                              const struct pyr_gaps *gaps) {
    struct pyr_hist *all = pyr_hist_create(), *batches[PYR_BATCHES];
    for (int i = 0; i < PYR_BATCHES; i++)
        batches[i] = pyr_hist_create();
    for (size_t i = 0; i < gaps->count; i++) {
        uint64_t gap = gaps->packed[i] >> 8, tokens = gaps->packed[i] & 255;
        struct pyr_hist *batch = batches[i * PYR_BATCHES / gaps->count];
        if (per_token && tokens > 0)
            pyr_hist_record_n(batch, gap / tokens, tokens);
        else if (!per_token)
            pyr_hist_record(batch, gap);
    }
    struct pyr_err err;
    for (int i = 0; i < PYR_BATCHES; i++)
        if (!pyr_hist_merge(all, batches[i], &err))
            assert(!"more gaps than a file can hold");
    add_histogram(b, metric, all, batches, PYR_BATCHES);
    for (int i = 0; i < PYR_BATCHES; i++)
        pyr_hist_destroy(batches[i]);
    pyr_hist_destroy(all);
}

static void add_gaps(struct builder *b, enum pyr_metric metric, bool per_token) {
    const struct pyr_gaps *gaps = &b->window->sums->gaps;
    size_t n = 0;
    for (size_t i = 0; i < gaps->count; i++)
        n += per_token ? gaps->packed[i] & 255 : 1;
    if (n == 0)
        return;
    const struct pyr_metric_result *same = listed(b, PYR_M_ITL);
    if (!per_token && gaps->single_tokens && same) {
        struct pyr_metric_result copy = *same;
        copy.metric = metric;
        b->metrics[b->count++] = copy;
        return;
    }
    if (n > EXACT_VALUES_MAX) {
        add_gap_histogram(b, metric, per_token, gaps);
        return;
    }
    reserve(b, n);
    n = 0;
    for (size_t i = 0; i < gaps->count; i++) {
        uint64_t gap = gaps->packed[i] >> 8, tokens = gaps->packed[i] & 255;
        if (!per_token)
            b->values[n++] = gap;
        for (uint64_t k = 0; per_token && k < tokens; k++)
            b->values[n++] = gap / tokens;
    }
    add_distribution(b, metric, n, false, metric == PYR_M_ITL);
}

static void add_lags(struct builder *b) {
    const struct pyr_chunk_sums *sums = b->window->sums;
    size_t n = sums->lag_count < EXACT_VALUES_MAX ? sums->lag_count : EXACT_VALUES_MAX;
    if (n > 0) {
        reserve(b, n);
        memcpy(b->values, sums->lags, n * sizeof *b->values);
        add_distribution(b, PYR_M_CLIENT_LAG, n, false, false);
    }
    if (sums->lag_count > 0)
        add_scalar(b, PYR_M_COALESCED_SHARE, sums->chunks,
                   pyr_proportion(sums->coalesced, sums->chunks, 1));
}

/* --- rates, concurrency -------------------------------------------------------------------------
 */

static bool goal_met(const struct builder *b, const struct pyr_request *request,
                     const struct pyr_goal *goal, size_t index) {
    enum pyr_metric metric = pyr_metric_find(goal->metric);
    double value = NAN;
    if (metric == PYR_M_STALL)
        value = (double)b->window->data->stall_ns[index];
    else if (pyr_request_metric_find(metric))
        value = pyr_request_metric_find(metric)->of(request, b->window->data->plan);
    /* A single-token request has no TPOT and is judged by its other times. */
    if (isnan(value))
        return true;
    return goal->at_least ? value >= goal->limit : value <= goal->limit;
}

/* 1 for a request that met every goal that each has to meet by itself. */
static double amount_good(const void *context, const struct pyr_request *request) {
    const struct builder *b = context;
    const struct pyr_window *w = b->window;
    bool met = request->outcome == PYR_OUTCOME_OK;
    for (size_t g = 0; g < w->goal_count && met; g++)
        if (w->goals[g].per_request)
            met = goal_met(b, request, &w->goals[g], (size_t)(request - w->data->requests));
    return met;
}

/* The target reads a prompt whatever becomes of the request, but one that gave nothing may have
 * been turned away. */
static double amount_prompt(const void *unused, const struct pyr_request *request) {
    (void)unused;
    return request->first_content_ns ? request->prompt_tokens : 0;
}

static double amount_output(const void *unused, const struct pyr_request *request) {
    (void)unused;
    return pyr_request_tokens(request);
}

static double amount_total(const void *unused, const struct pyr_request *request) {
    return amount_prompt(unused, request) + amount_output(unused, request);
}

static bool has_goals_per_request(const struct pyr_window *window) {
    for (size_t g = 0; g < window->goal_count; g++)
        if (window->goals[g].per_request)
            return true;
    return false;
}

static struct pyr_estimate counted(double value) {
    return (struct pyr_estimate){value, NAN, NAN, "one reading of this window"};
}

/* A rate of the flow; left out where nothing of it was seen. `of` NULL: n is the sum of the
 * amounts, else of those of `of`. */
static void add_rate(struct builder *b, const struct rates *rates, enum pyr_metric metric,
                     pyr_amount_fn *amount, pyr_amount_fn *of) {
    double n = 0;
    for (size_t i = 0; i < rates->all->count; i++)
        if (pyr_flow_counts(rates->flow, i))
            n += (of ? of : amount)(b, rates->all->request[i]);
    if (!(n > 0))
        return;
    struct pyr_estimate rate = pyr_case_flow_rate(rates->all, rates->flow, amount, b);
    if (rates->invalid)
        rate = pyr_estimate_unknown(rates->invalid);
    add_scalar(b, metric, (uint64_t)n, rate);
}

static void add_throughput(struct builder *b, const struct rates *rates) {
    add_rate(b, rates, PYR_M_REQUEST_THROUGHPUT, pyr_amount_ok, NULL);
    if (has_goals_per_request(b->window))
        add_rate(b, rates, PYR_M_GOODPUT, amount_good, pyr_amount_ok);
    add_rate(b, rates, PYR_M_OUTPUT_TOKEN_THROUGHPUT, amount_output, NULL);
    add_rate(b, rates, PYR_M_PROMPT_TOKEN_THROUGHPUT, amount_prompt, NULL);
    add_rate(b, rates, PYR_M_TOTAL_TOKEN_THROUGHPUT, amount_total, NULL);
}

/* What was asked, over the same part of the window as what was carried. */
static void add_offered(struct builder *b, const struct pyr_flow *flow) {
    const struct pyr_case_data *data = b->window->data;
    const struct pyr_span part = {flow->from_ns, flow->to_ns};
    size_t n = 0;
    for (size_t i = 0; i < data->count; i++)
        if (is_inside(part, data->requests[i].scheduled_ns))
            b->values[n++] = data->requests[i].scheduled_ns;
    if (n > 0)
        add_scalar(b, PYR_M_OFFERED_RATE, n,
                   pyr_rate_of_events(b->values, NULL, n, part.start_ns, part.end_ns));
}

static size_t times_of_service(const struct builder *b, uint64_t *starts, uint64_t *ends) {
    const struct pyr_case_data *data = b->window->data;
    size_t n = 0;
    for (size_t i = 0; i < data->count; i++) {
        const struct pyr_request *r = &data->requests[i];
        uint64_t start = r->admitted_ns ? r->admitted_ns : r->first_content_ns;
        uint64_t end = r->last_content_ns ? r->last_content_ns : r->closed_ns;
        if (start == 0 || end < start)
            continue;
        starts[n] = start;
        ends[n++] = end;
    }
    return n;
}

static void add_concurrency(struct builder *b, const struct rates *rates) {
    const struct pyr_flow *flow = rates->flow;
    size_t n = rates->all->count;
    memcpy(b->values, rates->all->starts, n * sizeof *b->values);
    memcpy(b->sorted, rates->all->ends, n * sizeof *b->sorted);
    struct pyr_overlap flight =
        pyr_overlap_of(b->values, b->sorted, b->scratch, n, flow->from_ns, flow->to_ns);
    add_scalar(b, PYR_M_IN_FLIGHT, n, counted(flight.mean));
    add_scalar(b, PYR_M_IN_FLIGHT_MAX, n, counted((double)flight.max));
    size_t served = times_of_service(b, b->values, b->sorted);
    struct pyr_overlap work =
        pyr_overlap_of(b->values, b->sorted, b->scratch, served, flow->from_ns, flow->to_ns);
    if (!isnan(work.mean_active))
        add_scalar(b, PYR_M_PARALLELISM, served, counted(work.mean_active));
    if (pyr_estimate_is_known(&rates->little))
        add_scalar(b, PYR_M_LITTLE_RATIO, flow->sent, rates->little);
}

static void add_rates(struct builder *b) {
    struct pyr_case_flow all;
    struct pyr_flow flow;
    pyr_case_flow_make(b->window->data, &all);
    if (pyr_case_flow_in(&all, b->window->span, &flow)) {
        struct rates rates = {&all, &flow, pyr_flow_littles_ratio(&flow), NULL};
        if (b->window->level &&
            pyr_little_judge(&rates.little, flow.sent, flow.in_flight) == PYR_LITTLE_INVALID)
            rates.invalid =
                pyr_arena_printf(b->arena, "invalid: Little's ratio is %.2f, outside .8 .. 1.25",
                                 rates.little.value);
        add_throughput(b, &rates);
        if (b->window->data->plan->open_loop)
            add_offered(b, &flow);
        add_concurrency(b, &rates);
    }
    pyr_case_flow_free(&all);
}

/* --- errors ------------------------------------------------------------------------------------
 */

static bool is_timeout(unsigned outcome) {
    return outcome == PYR_OUTCOME_TIMEOUT_CONNECT || outcome == PYR_OUTCOME_TIMEOUT_FIRST ||
           outcome == PYR_OUTCOME_TIMEOUT_BETWEEN || outcome == PYR_OUTCOME_TIMEOUT_TOTAL;
}

static void add_errors(struct builder *b) {
    const struct pyr_case_data *data = b->window->data;
    bool *failed = pyr_xcalloc(data->count, 1), *timed_out = pyr_xcalloc(data->count, 1);
    uint64_t all = 0;
    int64_t counted_tokens = 0, usage_tokens = 0;
    uint64_t with_usage = 0;
    for (size_t i = 0; i < data->count; i++) {
        const struct pyr_request *r = &data->requests[i];
        if (!pyr_in_span(b->window->span, r) || r->outcome == PYR_OUTCOME_CANCELLED)
            continue;
        failed[all] = r->outcome != PYR_OUTCOME_OK;
        timed_out[all++] = is_timeout(r->outcome);
        if (r->outcome == PYR_OUTCOME_OK && pyr_request_is_counted(r)) {
            with_usage++;
            counted_tokens += r->output_tokens;
            usage_tokens += r->usage_output_tokens;
        }
    }
    if (all > 0) {
        add_scalar(b, PYR_M_ERROR_RATE, all, pyr_proportion_of_flags(failed, all));
        add_scalar(b, PYR_M_TIMEOUT_RATE, all, pyr_proportion_of_flags(timed_out, all));
    }
    pyr_free(failed);
    pyr_free(timed_out);
    if (with_usage > 0 && counted_tokens > 0)
        add_scalar(b, PYR_M_USAGE_MISMATCH, with_usage,
                   counted((double)(usage_tokens - counted_tokens) / (double)counted_tokens));
}

static void add_spike_rates(struct builder *b) {
    struct pyr_spikes spikes;
    size_t n = pyr_window_spikes(b->window, b->arena, &spikes);
    if (n == 0)
        return;
    add_scalar(b, PYR_M_SPIKE_RATE, n, spikes.three_sigma);
    add_scalar(b, PYR_M_SPIKE_RATE_ROBUST, n, spikes.robust);
}

static double asked_cv(const struct pyr_case *plan) {
    return strcmp(plan->arrival, "constant") == 0 ? 0 : 1;
}

static void add_dispersion(struct builder *b) {
    const struct pyr_case_data *data = b->window->data;
    size_t n = 0;
    /* A trace has the variation that it has: there is nothing to hold it against. */
    bool drawn = data->plan->open_loop && strcmp(data->plan->arrival, "trace") != 0;
    for (size_t i = 0; drawn && i < data->count; i++)
        if (pyr_in_span(b->window->span, &data->requests[i]))
            b->values[n++] = data->requests[i].dispatched_ns;
    if (n < 2)
        return;
    pyr_sort_keys(b->values, b->scratch, n);
    /* 5 % is how far constant pacing may be from no spread at all. */
    struct pyr_arrival_check seen = pyr_check_arrivals(b->values, n, asked_cv(data->plan), 0.05);
    struct pyr_estimate cv = {seen.cv, NAN, NAN, seen.reason ? seen.reason : "one reading"};
    add_scalar(b, PYR_M_ARRIVAL_DISPERSION, n - 1, cv);
}

/* --- samples and observations --------------------------------------------------------------------
 */

/* b->values[0 .. n), keys of doubles in order of time. */
static void add_values(struct builder *b, enum pyr_metric metric, size_t n) {
    if (n == 0)
        return;
    if (pyr_metric_info(metric)->kind == PYR_KIND_DISTRIBUTION) {
        add_distribution(b, metric, n, true, false);
        return;
    }
    struct pyr_sample sample = {.in_order = b->values, .n = n, .is_double = true};
    struct pyr_summary summary;
    pyr_summarise(&sample, &summary);
    add_scalar(b, metric, n, summary.mean);
}

static void add_samples(struct builder *b, enum pyr_metric metric) {
    size_t n = 0, count;
    const struct pyr_reading *samples = pyr_samples_of(b->window->data, metric, &count);
    reserve(b, count);
    for (size_t i = 0; i < count; i++)
        if (is_inside(b->window->span, samples[i].time_ns) && !isnan(samples[i].value))
            b->values[n++] = pyr_key_of_double(samples[i].value);
    add_values(b, metric, n);
}

static void add_observations(struct builder *b, enum pyr_metric metric,
                             const struct pyr_observed *observed) {
    size_t n = 0, count;
    const struct pyr_observation *all = pyr_observations_of(observed, metric, &count);
    reserve(b, count);
    for (size_t i = 0; i < count; i++)
        if (!isnan(all[i].value))
            b->values[n++] = pyr_key_of_double(all[i].value);
    add_values(b, metric, n);
    if (n == 1 && pyr_metric_info(metric)->kind == PYR_KIND_SCALAR)
        b->metrics[b->count - 1].value.reason = "one reading";
}

/* Recorded histograms, which are shares of the values in order of time: joined into as many as the
 * intervals are made from. Fewer than that are handed on as they are, and the interval says so. */
static void add_recorded_histograms(struct builder *b, enum pyr_metric metric,
                                    const struct pyr_observed *observed) {
    size_t count;
    const struct pyr_histogram *const *heads = pyr_histograms_of(observed, metric, &count);
    if (count == 0)
        return;
    size_t batch_count = count < PYR_BATCHES ? count : PYR_BATCHES;
    struct pyr_hist *all = pyr_hist_create(), *one = pyr_hist_create(), *batches[PYR_BATCHES];
    struct pyr_err err;
    for (size_t i = 0; i < batch_count; i++)
        batches[i] = pyr_hist_create();
    for (size_t i = 0; i < count; i++)
        if (!pyr_hist_read(one, heads[i] + 1, heads[i]->bytes, &err) ||
            !pyr_hist_merge(all, one, &err) ||
            !pyr_hist_merge(batches[i * batch_count / count], one, &err))
            assert(!"they were read and counted before");
    if (all->count > 0)
        add_histogram(b, metric, all, batches, batch_count);
    for (size_t i = 0; i < batch_count; i++)
        pyr_hist_destroy(batches[i]);
    pyr_hist_destroy(one);
    pyr_hist_destroy(all);
}

static void add_observed(struct builder *b, enum pyr_metric metric,
                         const struct pyr_observed *observed) {
    add_recorded_histograms(b, metric, observed);
    if (!listed(b, metric))
        add_observations(b, metric, observed);
}

/* How near decoding one sequence comes to what the memory can deliver. With several in flight the
 * weights are read once for all of them, and the figure would mean something else. */
static void add_bandwidth_share(struct builder *b) {
    const struct pyr_metric_result *rate = listed(b, PYR_M_DECODE_RATE);
    const struct pyr_metric_result *bandwidth = listed(b, PYR_M_MEMORY_BANDWIDTH);
    const struct pyr_metric_result *bytes = listed(b, PYR_M_WEIGHT_BYTES_PER_TOKEN);
    if (!rate || !bandwidth || !bytes || b->window->data->plan->open_loop ||
        b->window->data->plan->concurrency != 1)
        return;
    double factor = bytes->value.value / bandwidth->value.value;
    struct pyr_estimate share = rate->quantile[PYR_Q_P50];
    share.value *= factor;
    share.lo *= factor;
    share.hi *= factor;
    if (share.value > 1)
        share = pyr_estimate_unknown("the probe of the memory was disturbed: it found less than "
                                     "decoding reads");
    add_scalar(b, PYR_M_BANDWIDTH_SHARE, rate->n, share);
    b->metrics[b->count - 1].source = "median decode rate x bytes per token / measured bandwidth";
}

/* The greatest of the samples, for what has no high-water mark of its own. */
static void add_peak(struct builder *b, enum pyr_metric metric, enum pyr_metric of) {
    for (size_t i = 0; i < b->count; i++) {
        if (b->metrics[i].metric == metric)
            return;
        if (b->metrics[i].metric == of) {
            double peak = b->metrics[i].max;
            add_scalar(b, metric, b->metrics[i].n, counted(peak));
            b->metrics[b->count - 1].source = "greatest of the samples";
            return;
        }
    }
}

static int by_metric(const void *a, const void *b) {
    const struct pyr_metric_result *x = a, *y = b;
    return x->metric < y->metric ? -1 : x->metric > y->metric;
}

static void finish(struct builder *b, const struct pyr_metric_result **metrics, size_t *count) {
    if (b->count > 1)
        qsort(b->metrics, b->count, sizeof *b->metrics, by_metric);
    *metrics = b->metrics;
    *count = b->count;
    pyr_free(b->values);
    pyr_free(b->sorted);
    pyr_free(b->scratch);
}

/* A pass over a million requests is none too many, but one for each metric is. */
static bool has_failures(const struct pyr_window *window) {
    const struct pyr_case_data *data = window->data;
    for (size_t i = 0; i < data->count; i++) {
        const struct pyr_request *r = &data->requests[i];
        if (r->outcome != PYR_OUTCOME_OK && r->outcome != PYR_OUTCOME_CANCELLED &&
            pyr_in_span(window->span, r))
            return true;
    }
    return false;
}

void pyr_window_metrics(const struct pyr_window *window, struct pyr_arena *arena,
                        const struct pyr_metric_result **metrics, size_t *count) {
    const struct pyr_case_data *data = window->data;
    struct builder b = {.window = window, .arena = arena};
    b.metrics = pyr_arena_array(arena, PYR_METRIC_COUNT, sizeof *b.metrics);
    reserve(&b, data->count);
    b.failures = has_failures(window);
    b.correlated = pyr_correlation_of_window(data, window->span, &b.correlation);
    for (int i = 0; i < pyr_request_metric_count; i++)
        add_request_metric(&b, &pyr_request_metrics[i]);
    b.least_vif = 0;
    add_stalls(&b);
    add_gaps(&b, PYR_M_ITL, true);
    add_gaps(&b, PYR_M_ICL, false);
    add_lags(&b);
    add_rates(&b);
    add_errors(&b);
    add_spike_rates(&b);
    add_dispersion(&b);
    for (int m = 0; m < PYR_METRIC_COUNT; m++) {
        if (!listed(&b, (enum pyr_metric)m))
            add_samples(&b, (enum pyr_metric)m);
        if (!listed(&b, (enum pyr_metric)m))
            add_observed(&b, (enum pyr_metric)m, &data->observed);
    }
    add_peak(&b, PYR_M_RSS_PEAK, PYR_M_RSS);
    add_bandwidth_share(&b);
    finish(&b, metrics, count);
}

void pyr_observed_metrics(const struct pyr_observed *observed, struct pyr_arena *arena,
                          const struct pyr_metric_result **metrics, size_t *count) {
    struct builder b = {.arena = arena};
    b.metrics = pyr_arena_array(arena, PYR_METRIC_COUNT, sizeof *b.metrics);
    for (int m = 0; m < PYR_METRIC_COUNT; m++)
        add_observed(&b, (enum pyr_metric)m, observed);
    finish(&b, metrics, count);
}

size_t pyr_window_spikes(const struct pyr_window *window, struct pyr_arena *arena,
                         struct pyr_spikes *spikes) {
    const struct pyr_case_data *data = window->data;
    const struct pyr_request_metric *row =
        pyr_request_metric_find(data->plan->open_loop ? PYR_M_LATENCY_SCHED : PYR_M_LATENCY_SENT);
    uint64_t *memory = pyr_xcalloc(data->count * 4, sizeof *memory);
    uint64_t *latency = memory, *starts = memory + data->count;
    uint64_t *sorted = starts + data->count, *scratch = sorted + data->count;
    size_t n = 0;
    for (size_t i = 0; i < data->count; i++) {
        const struct pyr_request *r = &data->requests[i];
        double value = row->of(r, data->plan);
        if (r->outcome != PYR_OUTCOME_OK || !pyr_in_span(window->span, r) || isnan(value))
            continue;
        latency[n] = (uint64_t)value;
        starts[n++] = r->scheduled_ns;
    }
    if (n > 0) {
        memcpy(sorted, latency, n * sizeof *sorted);
        pyr_sort_keys(sorted, scratch, n);
        struct pyr_sample sample = {.in_order = latency, .sorted = sorted, .n = n};
        pyr_find_spikes(&sample, starts, arena, spikes);
    }
    pyr_free(memory);
    return n;
}
