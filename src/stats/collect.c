/* SPDX-License-Identifier: MIT */
#include "stats/collect.h"

#include "base/mem.h"
#include "estimate/hist.h"
#include "stats/timeline.h"
#include "stats/window.h"

#include <stdlib.h>
#include <string.h>

/* A growing array of one record type; grown by doubling, moved into the arena never: it is freed
 * with the collection. */
struct pile {
    unsigned char *items;
    size_t count, capacity, size;
};

static void pile_add(struct pile *pile, const void *items, size_t count) {
    if (pile->count + count > pile->capacity) {
        size_t capacity = pile->capacity ? pile->capacity : 256;
        while (capacity < pile->count + count)
            capacity *= 2;
        pile->items = pyr_xrealloc(pile->items, capacity * pile->size);
        pile->capacity = capacity;
    }
    memcpy(pile->items + pile->count * pile->size, items, count * pile->size);
    pile->count += count;
}

struct collection {
    struct pyr_collected out;
    uint32_t only_case; /* PYR_NO_CASE: all */
    struct pile cases, requests, observations, samples, marks, goals;
    struct pile histograms; /* pointers to copies in the arena */
    /* Ordinal -> index into `requests` after sorting, NO_REQUEST where there is none. */
    uint32_t *by_ordinal;
    size_t ordinal_count;
};

#define NO_REQUEST UINT32_MAX

/* Ordinals are dense but for the requests that were in flight when a run was killed; a file that
 * leaves more holes than this is not ours and must not make us take memory for them. */
enum { ORDINAL_HOLES_MAX = 1 << 20 };

/* Those of the block's records that are wanted; `case_at`: where a record says its case. */
static void keep(const struct collection *c, struct pile *pile, const struct pyr_block *block,
                 size_t case_at) {
    if (c->only_case == PYR_NO_CASE) {
        pile_add(pile, block->items, block->count);
        return;
    }
    const unsigned char *item = block->items;
    for (size_t i = 0; i < block->count; i++, item += pile->size) {
        uint32_t of;
        memcpy(&of, item + case_at, sizeof of);
        if (of == c->only_case)
            pile_add(pile, item, 1);
    }
}

static void keep_histogram(struct collection *c, const struct pyr_histogram *head) {
    if (c->only_case != PYR_NO_CASE && head->case_index != c->only_case)
        return;
    struct pyr_histogram *copy = pyr_arena_alloc(c->out.arena, sizeof *head + head->bytes);
    memcpy(copy, head, sizeof *head + head->bytes);
    pile_add(&c->histograms, &copy, 1);
}

static void read_block(struct collection *c, const struct pyr_block *block) {
    switch (block->type) {
    case PYR_BLOCK_CASES:
        pile_add(&c->cases, block->items, block->count);
        break;
    case PYR_BLOCK_REQUESTS:
        keep(c, &c->requests, block, offsetof(struct pyr_request, case_index));
        break;
    case PYR_BLOCK_OBSERVATIONS:
        keep(c, &c->observations, block, offsetof(struct pyr_observation, case_index));
        break;
    case PYR_BLOCK_SAMPLES:
        keep(c, &c->samples, block, offsetof(struct pyr_reading, case_index));
        break;
    case PYR_BLOCK_MARKS:
        keep(c, &c->marks, block, offsetof(struct pyr_mark, case_index));
        break;
    case PYR_BLOCK_GOALS:
        pile_add(&c->goals, block->items, block->count);
        break;
    case PYR_BLOCK_CHUNKS:
        c->out.chunks += block->count;
        break;
    case PYR_BLOCK_STEPS:
        c->out.steps += block->count;
        break;
    case PYR_BLOCK_HISTOGRAMS:
        keep_histogram(c, block->items);
        break;
    case PYR_BLOCK_META:
    case PYR_BLOCK_METRICS:
    case PYR_BLOCK_END:
        break;
    }
}

static int by_case_then_ordinal(const void *a, const void *b) {
    const struct pyr_request *x = a, *y = b;
    if (x->case_index != y->case_index)
        return x->case_index < y->case_index ? -1 : 1;
    return x->ordinal < y->ordinal ? -1 : x->ordinal > y->ordinal;
}

static bool is_sorted(const struct pile *requests) {
    for (size_t i = 1; i < requests->count; i++)
        if (by_case_then_ordinal(requests->items + (i - 1) * requests->size,
                                 requests->items + i * requests->size) > 0)
            return false;
    return true;
}

/* Checks what later code relies on: case numbers, ordinals, text that ends. */
static bool check_cases(struct collection *c, struct pyr_err *err) {
    struct pyr_case *cases = (struct pyr_case *)c->cases.items;
    for (size_t i = 0; i < c->cases.count; i++) {
        struct pyr_case *plan = &cases[i];
        if (plan->index != i)
            return pyr_fail(err, PYR_E_INPUT, "case %u stands where case %zu should", plan->index,
                            i);
        plan->suite[sizeof plan->suite - 1] = '\0';
        plan->id[sizeof plan->id - 1] = '\0';
        plan->arrival[sizeof plan->arrival - 1] = '\0';
        plan->prompt_class[sizeof plan->prompt_class - 1] = '\0';
        plan->params[sizeof plan->params - 1] = '\0';
    }
    return true;
}

static bool index_requests(struct collection *c, struct pyr_err *err) {
    struct pyr_request *requests = (struct pyr_request *)c->requests.items;
    size_t count = c->requests.count;
    if (count > 0 && !is_sorted(&c->requests))
        qsort(requests, count, sizeof *requests, by_case_then_ordinal);
    uint32_t last = 0;
    for (size_t i = 0; i < count; i++) {
        if (requests[i].case_index >= c->cases.count)
            return pyr_fail(err, PYR_E_INPUT, "request %u belongs to case %u of %zu",
                            requests[i].ordinal, requests[i].case_index, c->cases.count);
        if (requests[i].outcome >= PYR_OUTCOME_COUNT)
            return pyr_fail(err, PYR_E_INPUT, "request %u has the unknown outcome %u",
                            requests[i].ordinal, requests[i].outcome);
        if (requests[i].ordinal > last)
            last = requests[i].ordinal;
    }
    if (c->only_case == PYR_NO_CASE && last > count && last - count > ORDINAL_HOLES_MAX)
        return pyr_fail(err, PYR_E_INPUT, "request numbers up to %u for %zu requests", last, count);
    c->ordinal_count = count ? (size_t)last + 1 : 0;
    c->by_ordinal = pyr_xcalloc(c->ordinal_count, sizeof *c->by_ordinal);
    memset(c->by_ordinal, 0xff, c->ordinal_count * sizeof *c->by_ordinal);
    for (size_t i = 0; i < count; i++) {
        if (c->by_ordinal[requests[i].ordinal] != NO_REQUEST)
            return pyr_fail(err, PYR_E_INPUT, "request %u is there twice", requests[i].ordinal);
        c->by_ordinal[requests[i].ordinal] = (uint32_t)i;
    }
    return true;
}

static void share_out_requests(struct collection *c) {
    struct pyr_request *requests = (struct pyr_request *)c->requests.items;
    for (size_t i = 0; i < c->requests.count;) {
        struct pyr_case_data *data = &c->out.cases[requests[i].case_index];
        size_t first = i;
        while (i < c->requests.count && requests[i].case_index == requests[first].case_index)
            i++;
        data->requests = requests + first;
        data->count = i - first;
        data->stall_ns = pyr_arena_array(c->out.arena, data->count, sizeof *data->stall_ns);
    }
}

/* The records below are sorted by case, then by metric (marks: none) and time, so that each case
 * has a slice of its pile and each metric a slice of that; those of no case (PYR_NO_CASE is the
 * greatest number) come last. */
struct place {
    uint32_t case_index, metric;
    uint64_t time;
};

static int compare_places(struct place x, struct place y, const void *a, const void *b) {
    if (x.case_index != y.case_index)
        return x.case_index < y.case_index ? -1 : 1;
    if (x.metric != y.metric)
        return x.metric < y.metric ? -1 : 1;
    if (x.time != y.time)
        return x.time < y.time ? -1 : 1;
    return a < b ? -1 : a > b; /* file order */
}

static int compare_marks(const void *a, const void *b) {
    const struct pyr_mark *x = a, *y = b;
    return compare_places((struct place){x->case_index, 0, x->time_ns},
                          (struct place){y->case_index, 0, y->time_ns}, a, b);
}

static int compare_observations(const void *a, const void *b) {
    const struct pyr_observation *x = a, *y = b;
    return compare_places((struct place){x->case_index, x->metric, x->time_ns},
                          (struct place){y->case_index, y->metric, y->time_ns}, a, b);
}

static int compare_samples(const void *a, const void *b) {
    const struct pyr_reading *x = a, *y = b;
    return compare_places((struct place){x->case_index, x->metric, x->time_ns},
                          (struct place){y->case_index, y->metric, y->time_ns}, a, b);
}

static int compare_histograms(const void *a, const void *b) {
    const struct pyr_histogram *x = *(const struct pyr_histogram *const *)a;
    const struct pyr_histogram *y = *(const struct pyr_histogram *const *)b;
    return compare_places((struct place){x->case_index, x->metric, x->repetition},
                          (struct place){y->case_index, y->metric, y->repetition}, a, b);
}

struct order {
    int (*compare)(const void *a, const void *b);
};

static int compare_pointed(const void *a, const void *b, void *order) {
    return ((const struct order *)order)->compare(*(const void *const *)a, *(const void *const *)b);
}

/* Records are compared where they lie and moved afterwards: those of one instant keep the order of
 * the file, and of two marks that ask for a load at once the later one holds. */
static void sort_pile(struct pile *pile, int (*compare)(const void *a, const void *b)) {
    if (pile->count < 2)
        return;
    struct order order = {compare};
    const unsigned char **at = pyr_xcalloc(pile->count, sizeof *at);
    unsigned char *sorted = pyr_xcalloc(pile->count, pile->size);
    for (size_t i = 0; i < pile->count; i++)
        at[i] = pile->items + i * pile->size;
    qsort_r(at, pile->count, sizeof *at, compare_pointed, &order);
    for (size_t i = 0; i < pile->count; i++)
        memcpy(sorted + i * pile->size, at[i], pile->size);
    pyr_free(at);
    pyr_free(pile->items);
    pile->items = sorted;
    pile->capacity = pile->count;
}

static void share_out_marks(struct collection *c) {
    sort_pile(&c->marks, compare_marks);
    struct pyr_mark *marks = (struct pyr_mark *)c->marks.items;
    size_t i = 0, count = c->marks.count;
    while (i < count && marks[i].case_index < c->out.case_count) {
        struct pyr_case_data *data = &c->out.cases[marks[i].case_index];
        data->marks = marks + i;
        for (; i < count && marks[i].case_index == data->marks->case_index; i++)
            data->mark_count++;
    }
    c->out.loose_marks = marks ? marks + i : NULL;
    c->out.loose_mark_count = count - i;
}

static struct pyr_observed *observed_of(struct collection *c, uint32_t case_index) {
    return case_index < c->out.case_count ? &c->out.cases[case_index].observed : &c->out.loose;
}

static void share_out_observations(struct collection *c) {
    sort_pile(&c->observations, compare_observations);
    struct pyr_observation *all = (struct pyr_observation *)c->observations.items;
    for (size_t i = 0; i < c->observations.count; i++) {
        struct pyr_observed *observed = observed_of(c, all[i].case_index);
        if (observed->observation_count++ == 0)
            observed->observations = &all[i];
    }
}

/* A histogram of a file that we wrote can be read; one that cannot makes the file another's. */
static bool share_out_histograms(struct collection *c, struct pyr_err *err) {
    const struct pyr_histogram **all = (const struct pyr_histogram **)(void *)c->histograms.items;
    struct pyr_hist *scratch = pyr_hist_create();
    uint64_t values = 0;
    bool ok = true;
    if (c->histograms.count > 1)
        qsort(all, c->histograms.count, sizeof *all, compare_histograms);
    for (size_t i = 0; ok && i < c->histograms.count; i++) {
        struct pyr_observed *observed = observed_of(c, all[i]->case_index);
        if (observed->histogram_count++ == 0)
            observed->histograms = &all[i];
        bool same = i > 0 && all[i - 1]->case_index == all[i]->case_index &&
                    all[i - 1]->metric == all[i]->metric;
        ok = pyr_hist_read(scratch, all[i] + 1, all[i]->bytes, err);
        values = same ? values + scratch->count : scratch->count;
        if (ok && values > PYR_HIST_COUNT_MAX)
            ok = pyr_fail(err, PYR_E_INPUT, "histograms of more than 2^53 values");
        if (!ok)
            pyr_err_prefix(err, "%s of case %u",
                           pyr_metric_info((enum pyr_metric)all[i]->metric)->name,
                           all[i]->case_index);
    }
    pyr_hist_destroy(scratch);
    return ok;
}

static void share_out_samples(struct collection *c) {
    sort_pile(&c->samples, compare_samples);
    struct pyr_reading *all = (struct pyr_reading *)c->samples.items;
    size_t i = 0, count = c->samples.count;
    while (i < count && all[i].case_index < c->out.case_count) {
        struct pyr_case_data *data = &c->out.cases[all[i].case_index];
        data->samples = all + i;
        for (; i < count && all[i].case_index == data->samples->case_index; i++)
            data->sample_count++;
    }
}

/* --- by metric ----------------------------------------------------------------------------------
 */

/* The first of `count` sorted records whose metric is not below this one. The metric is the first
 * word of each (checked below); `indirect`: the array holds pointers to the records. */
static size_t first_of(const void *items, size_t count, size_t size, bool indirect,
                       uint32_t metric) {
    size_t low = 0;
    while (count > 0) {
        const unsigned char *at = (const unsigned char *)items + (low + count / 2) * size;
        const void *record = indirect ? *(const void *const *)(const void *)at : at;
        uint32_t here;
        memcpy(&here, record, sizeof here);
        if (here < metric)
            low += count / 2 + 1;
        count = here < metric ? count - count / 2 - 1 : count / 2;
    }
    return low;
}

_Static_assert(offsetof(struct pyr_observation, metric) == 0, "first_of");
_Static_assert(offsetof(struct pyr_reading, metric) == 0, "first_of");
_Static_assert(offsetof(struct pyr_histogram, metric) == 0, "first_of");

const struct pyr_observation *pyr_observations_of(const struct pyr_observed *observed,
                                                  enum pyr_metric metric, size_t *count) {
    const struct pyr_observation *all = observed->observations;
    size_t n = observed->observation_count, first = first_of(all, n, sizeof *all, false, metric);
    *count = first_of(all, n, sizeof *all, false, metric + 1) - first;
    return *count ? all + first : NULL;
}

const struct pyr_histogram *const *pyr_histograms_of(const struct pyr_observed *observed,
                                                     enum pyr_metric metric, size_t *count) {
    const struct pyr_histogram *const *all = observed->histograms;
    size_t n = observed->histogram_count, first = first_of(all, n, sizeof *all, true, metric);
    *count = first_of(all, n, sizeof *all, true, metric + 1) - first;
    return *count ? all + first : NULL;
}

const struct pyr_reading *pyr_samples_of(const struct pyr_case_data *data, enum pyr_metric metric,
                                         size_t *count) {
    const struct pyr_reading *all = data->samples;
    size_t n = data->sample_count, first = first_of(all, n, sizeof *all, false, metric);
    *count = first_of(all, n, sizeof *all, false, metric + 1) - first;
    return *count ? all + first : NULL;
}

static bool phase_is_measured(const char *name) {
    return strcmp(name, "warmup") != 0 && strcmp(name, "drain") != 0 &&
           strcmp(name, PYR_FIRST_WAVE) != 0;
}

static uint64_t request_end(const struct pyr_request *request) {
    uint64_t end = request->dispatched_ns;
    if (request->last_content_ns > end)
        end = request->last_content_ns;
    return request->closed_ns > end ? request->closed_ns : end;
}

/* Without marks (a run killed before its first phase ended) the requests' own span must do. */
static struct pyr_span span_of_requests(const struct pyr_case_data *data) {
    struct pyr_span span = {0, 0};
    for (size_t i = 0; i < data->count; i++) {
        const struct pyr_request *request = &data->requests[i];
        if (i == 0 || request->scheduled_ns < span.start_ns)
            span.start_ns = request->scheduled_ns;
        if (request_end(request) > span.end_ns)
            span.end_ns = request_end(request);
    }
    return span;
}

static void find_phases(struct collection *c, struct pyr_case_data *data) {
    struct pyr_span all = span_of_requests(data);
    data->phases = pyr_arena_array(c->out.arena, data->mark_count, sizeof *data->phases);
    for (size_t i = 0; i < data->mark_count; i++) {
        const struct pyr_mark *mark = &data->marks[i];
        uint32_t number = mark->value >= 0 && mark->value < UINT32_MAX ? (uint32_t)mark->value : 0;
        if (mark->kind == PYR_MARK_PHASE_START) {
            struct pyr_phase_span *phase = &data->phases[data->phase_count++];
            phase->number = number;
            phase->name = mark->text;
            phase->measured = phase_is_measured(mark->text);
            phase->span.start_ns = mark->time_ns;
            phase->span.end_ns = all.end_ns > mark->time_ns ? all.end_ns : mark->time_ns;
        } else if (mark->kind == PYR_MARK_PHASE_END) {
            for (size_t k = 0; k < data->phase_count; k++)
                if (data->phases[k].number == number &&
                    mark->time_ns >= data->phases[k].span.start_ns)
                    data->phases[k].span.end_ns = mark->time_ns;
        }
    }
    data->measured = all;
    bool any = false;
    for (size_t k = 0; k < data->phase_count; k++) {
        if (!data->phases[k].measured)
            continue;
        if (!any)
            data->measured.start_ns = data->phases[k].span.start_ns;
        data->measured.end_ns = data->phases[k].span.end_ns;
        any = true;
    }
    if (data->measured.end_ns < data->measured.start_ns)
        data->measured.end_ns = data->measured.start_ns;
    data->steady = data->measured;
    data->timeline_bins = pyr_timeline_bins(data->measured);
    data->timeline_tokens =
        pyr_arena_array(c->out.arena, data->timeline_bins, sizeof *data->timeline_tokens);
}

/* Some of what comes later takes memory by the second; no run lasts this long, and a damaged stamp
 * says that one lasted centuries. */
static bool check_span(const struct pyr_case_data *data, struct pyr_err *err) {
    const double longest_s = 400 * 86400.0;
    double seconds = (double)(data->measured.end_ns - data->measured.start_ns) * 1e-9;
    for (size_t k = 0; k < data->phase_count; k++) {
        const struct pyr_span *span = &data->phases[k].span;
        double phase_s =
            span->end_ns > span->start_ns ? (double)(span->end_ns - span->start_ns) * 1e-9 : 0;
        seconds = phase_s > seconds ? phase_s : seconds;
    }
    return seconds <= longest_s ||
           pyr_fail(err, PYR_E_INPUT, "case %s lasts %.3g days", data->plan->id, seconds / 86400);
}

static void end_texts(struct collection *c) {
    struct pyr_mark *marks = (struct pyr_mark *)c->marks.items;
    for (size_t i = 0; i < c->marks.count; i++) {
        marks[i].text[sizeof marks[i].text - 1] = '\0';
        if (marks[i].kind == PYR_MARK_SIGNAL)
            c->out.signal = (int)marks[i].value;
    }
    struct pyr_goal *goals = (struct pyr_goal *)c->goals.items;
    for (size_t i = 0; i < c->goals.count; i++) {
        goals[i].metric[sizeof goals[i].metric - 1] = '\0';
        goals[i].statistic[sizeof goals[i].statistic - 1] = '\0';
        goals[i].suite[sizeof goals[i].suite - 1] = '\0';
        goals[i].label[sizeof goals[i].label - 1] = '\0';
    }
}

static bool arrange(struct collection *c, struct pyr_err *err) {
    struct pyr_collected *out = &c->out;
    if (!check_cases(c, err) || !index_requests(c, err))
        return false;
    end_texts(c);
    out->case_count = c->cases.count;
    out->cases = pyr_arena_array(out->arena, out->case_count, sizeof *out->cases);
    for (size_t i = 0; i < out->case_count; i++)
        out->cases[i].plan = (const struct pyr_case *)c->cases.items + i;
    out->goals = (const struct pyr_goal *)c->goals.items;
    out->goal_count = c->goals.count;
    out->requests = c->requests.count;
    share_out_requests(c);
    share_out_marks(c);
    share_out_observations(c);
    share_out_samples(c);
    if (!share_out_histograms(c, err))
        return false;
    bool fine = true;
    for (size_t i = 0; i < out->case_count && fine; i++) {
        find_phases(c, &out->cases[i]);
        fine = check_span(&out->cases[i], err);
    }
    return fine;
}

bool pyr_collect_open(const char *run_path, uint32_t only_case, struct pyr_collected **collected,
                      struct pyr_err *err) {
    struct pyr_runfile *file;
    if (!pyr_runfile_open(run_path, &file, err))
        return false;
    struct collection *c = pyr_xcalloc(1, sizeof *c);
    c->out.arena = pyr_arena_create();
    c->out.file = file;
    c->only_case = only_case;
    c->cases.size = sizeof(struct pyr_case);
    c->requests.size = sizeof(struct pyr_request);
    c->observations.size = sizeof(struct pyr_observation);
    c->samples.size = sizeof(struct pyr_reading);
    c->marks.size = sizeof(struct pyr_mark);
    c->goals.size = sizeof(struct pyr_goal);
    c->histograms.size = sizeof(struct pyr_histogram *);
    struct pyr_block block;
    while (pyr_runfile_next(file, &block))
        read_block(c, &block);
    if (!arrange(c, err)) {
        pyr_err_prefix(err, "%s: damaged run file", run_path);
        pyr_collect_close(&c->out);
        return false;
    }
    *collected = &c->out;
    return true;
}

/* --- the chunk pass ----------------------------------------------------------------------- */

/* Where a request's chain of gaps stands. */
struct chain {
    uint64_t at_ns;
    uint64_t gap_ns;       /* since the previous chunk, carries included */
    uint32_t tokens;       /* by our own count */
    uint64_t own, counted; /* tokens so far: by that, and by the one that decides */
    uint32_t lag_ns;       /* of the previous chunk; PYR_LAG_UNKNOWN */
    bool begun;
};

static void grow_u64(uint64_t **items, size_t count, size_t *capacity) {
    if (count < *capacity)
        return;
    *capacity = *capacity ? *capacity * 2 : 1024;
    *items = pyr_xrealloc(*items, *capacity * sizeof **items);
}

static void add_gap(struct pyr_gaps *gaps, uint64_t gap_ns, uint32_t tokens) {
    grow_u64(&gaps->packed, gaps->count, &gaps->capacity);
    if (gaps->count == 0)
        gaps->single_tokens = true;
    if (tokens != 1)
        gaps->single_tokens = false;
    gaps->packed[gaps->count++] = gap_ns << 8 | (tokens < 255 ? tokens : 255);
}

static bool within(struct pyr_span span, uint64_t time_ns) {
    return time_ns >= span.start_ns && time_ns < span.end_ns;
}

static size_t bin_of(struct pyr_span span, uint64_t time_ns, size_t bins) {
    uint64_t width = span.end_ns - span.start_ns;
    size_t bin = (size_t)((double)(time_ns - span.start_ns) / (double)width * (double)bins);
    return bin < bins ? bin : bins - 1;
}

static void add_to_window(struct pyr_chunk_sums *sums, struct pyr_span span,
                          const struct pyr_request *request, const struct chain *chain,
                          const struct pyr_chunk *chunk) {
    if (within(span, chain->at_ns)) {
        sums->chunks++;
        sums->coalesced += chunk->bound_code != 0;
        if (chunk->lag_ns != PYR_LAG_UNKNOWN) {
            grow_u64(&sums->lags, sums->lag_count, &sums->lag_capacity);
            sums->lags[sums->lag_count++] = chunk->lag_ns;
        }
    }
    /* Gaps belong to the window of their request, so that each request's stream is whole. */
    if (chain->begun && pyr_in_span(span, request))
        add_gap(&sums->gaps, chain->gap_ns, chain->tokens);
}

/* A gap is between two stamps of the same clock: the kernel's where both chunks have one, as the
 * stamps of the request itself. */
static void use_kernel_stamps(struct chain *chain, const struct pyr_chunk *chunk) {
    bool both =
        chain->begun && chain->lag_ns != PYR_LAG_UNKNOWN && chunk->lag_ns != PYR_LAG_UNKNOWN;
    uint64_t from_previous = chain->gap_ns + chain->lag_ns;
    if (both)
        chain->gap_ns = from_previous > chunk->lag_ns ? from_previous - chunk->lag_ns : 0;
    chain->lag_ns = chunk->lag_ns;
}

/* What the chunk adds to the tokens that decide: those of the server's count are spread over the
 * chunks by our own, and add up. */
static uint64_t counted_tokens(struct chain *chain, const struct pyr_request *request) {
    uint64_t before = chain->counted;
    chain->own += chain->tokens;
    chain->counted = chain->own;
    if (request->output_tokens > 0)
        chain->counted =
            chain->own * (uint64_t)pyr_request_tokens(request) / request->output_tokens;
    return chain->counted - before;
}

static void take_chunk(struct pyr_case_data *data, size_t index, struct chain *chain,
                       const struct pyr_chunk *chunk) {
    const struct pyr_request *request = &data->requests[index];
    if (chain->at_ns == 0)
        chain->at_ns = request->sent_ns;
    chain->at_ns += chunk->gap_ns;
    chain->gap_ns += chunk->gap_ns;
    chain->tokens += chunk->tokens;
    if (chunk->bytes_bits & PYR_CHUNK_CARRY)
        return;
    use_kernel_stamps(chain, chunk);
    uint64_t tokens = counted_tokens(chain, request);
    add_to_window(&data->in_measured, data->measured, request, chain, chunk);
    if (data->steady.start_ns != data->measured.start_ns ||
        data->steady.end_ns != data->measured.end_ns)
        add_to_window(&data->in_steady, data->steady, request, chain, chunk);
    if (data->timeline_bins && within(data->measured, chain->at_ns))
        data->timeline_tokens[bin_of(data->measured, chain->at_ns, data->timeline_bins)] += tokens;
    if (chain->begun && chain->gap_ns > data->stall_ns[index])
        data->stall_ns[index] = chain->gap_ns;
    chain->begun = true;
    chain->gap_ns = 0;
    chain->tokens = 0;
}

void pyr_collect_chunks(struct pyr_collected *collected) {
    struct collection *c = (struct collection *)(void *)collected;
    const struct pyr_request *requests = (const struct pyr_request *)c->requests.items;
    struct chain *chains = pyr_xcalloc(c->requests.count, sizeof *chains);
    uint64_t orphans = 0;
    pyr_runfile_rewind(collected->file);
    struct pyr_block block;
    while (pyr_runfile_next(collected->file, &block)) {
        const struct pyr_chunk *chunks = block.items;
        for (size_t i = 0; block.type == PYR_BLOCK_CHUNKS && i < block.count; i++) {
            uint32_t ordinal = chunks[i].ordinal;
            uint32_t at = ordinal < c->ordinal_count ? c->by_ordinal[ordinal] : NO_REQUEST;
            if (at == NO_REQUEST) {
                orphans++;
                continue;
            }
            struct pyr_case_data *data = &collected->cases[requests[at].case_index];
            take_chunk(data, (size_t)(&requests[at] - data->requests), &chains[at], &chunks[i]);
        }
    }
    /* Chunks without a request record: it was in flight when the run was killed. */
    collected->orphan_chunks = orphans;
    pyr_free(chains);
    for (size_t i = 0; i < collected->case_count; i++) {
        struct pyr_case_data *data = &collected->cases[i];
        if (data->steady.start_ns == data->measured.start_ns &&
            data->steady.end_ns == data->measured.end_ns)
            data->in_steady = data->in_measured; /* the same arrays; freed once */
    }
}

void pyr_collect_each_chunk(struct pyr_collected *collected, pyr_chunk_seen_fn *call,
                            void *context) {
    struct collection *c = (struct collection *)(void *)collected;
    const struct pyr_request *requests = (const struct pyr_request *)c->requests.items;
    struct place {
        uint64_t gap_ns;
        uint32_t number;
    } *places = pyr_xcalloc(c->requests.count, sizeof *places);
    pyr_runfile_rewind(collected->file);
    struct pyr_block block;
    while (pyr_runfile_next(collected->file, &block)) {
        const struct pyr_chunk *chunks = block.items;
        for (size_t i = 0; block.type == PYR_BLOCK_CHUNKS && i < block.count; i++) {
            uint32_t ordinal = chunks[i].ordinal;
            uint32_t at = ordinal < c->ordinal_count ? c->by_ordinal[ordinal] : NO_REQUEST;
            if (at == NO_REQUEST)
                continue;
            places[at].gap_ns += chunks[i].gap_ns;
            if (chunks[i].bytes_bits & PYR_CHUNK_CARRY)
                continue;
            const struct pyr_case_data *data = &collected->cases[requests[at].case_index];
            const struct pyr_chunk_seen seen = {
                .case_index = requests[at].case_index,
                .request = (size_t)(&requests[at] - data->requests),
                .gap_ns = places[at].gap_ns,
                .number = places[at].number++,
            };
            places[at].gap_ns = 0;
            call(context, &seen);
        }
    }
    pyr_free(places);
}

static void free_sums(struct pyr_chunk_sums *sums) {
    pyr_free(sums->gaps.packed);
    pyr_free(sums->lags);
}

void pyr_collect_close(struct pyr_collected *collected) {
    if (!collected)
        return;
    struct collection *c = (struct collection *)(void *)collected;
    for (size_t i = 0; i < collected->case_count; i++) {
        struct pyr_case_data *data = &collected->cases[i];
        if (data->in_steady.gaps.packed != data->in_measured.gaps.packed ||
            data->in_steady.lags != data->in_measured.lags)
            free_sums(&data->in_steady);
        free_sums(&data->in_measured);
    }
    struct pile *piles[] = {&c->cases, &c->requests, &c->observations, &c->samples,
                            &c->marks, &c->goals,    &c->histograms};
    for (size_t i = 0; i < sizeof piles / sizeof *piles; i++)
        pyr_free(piles[i]->items);
    pyr_free(c->by_ordinal);
    pyr_runfile_close(collected->file);
    pyr_arena_destroy(collected->arena);
    pyr_free(c);
}
