/* SPDX-License-Identifier: MIT */
#include "stats/rounds.h"

#include "base/mem.h"
#include "estimate/sample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int by_time(const void *a, const void *b) {
    const struct pyr_send *x = a, *y = b;
    if (x->at_ns != y->at_ns)
        return x->at_ns < y->at_ns ? -1 : 1;
    return x->user < y->user ? -1 : x->user > y->user;
}

static const struct pyr_phase_result *find_first_wave(const struct pyr_case_result *result) {
    for (size_t i = 0; i < result->phase_count; i++)
        if (strcmp(result->phases[i].name, PYR_FIRST_WAVE) == 0)
            return &result->phases[i];
    return NULL;
}

/* What it did and what to do about it: a burst of so many is what the first token waited for. */
static const char *tell(const struct pyr_case_result *result, struct pyr_arena *arena) {
    const struct pyr_lockstep *seen = &result->lockstep;
    double rate = result->plan->concurrency / seen->round_ns * 1e9;
    return pyr_arena_printf(arena,
                            "users move in step (%.2f): TTFT is that of a burst of %.0f; "
                            "independent users: --rate %.3g%s",
                            seen->index, seen->burst, rate,
                            result->first_wave ? " or --start spread" : "");
}

/* The median of the times to first token of what was sent once the first wave was over. */
static double ttft_after(const struct pyr_case_data *data, uint64_t wave_end_ns) {
    uint64_t *keys = pyr_xcalloc(2 * data->count + 1, sizeof *keys);
    size_t n = 0;
    for (size_t i = 0; i < data->count; i++) {
        const struct pyr_request *r = &data->requests[i];
        if (r->outcome == PYR_OUTCOME_OK && r->phase == PYR_PHASE_MEASURED &&
            r->scheduled_ns >= wave_end_ns && r->sent_ns && r->first_content_ns >= r->sent_ns)
            keys[n++] = r->first_content_ns - r->sent_ns;
    }
    pyr_sort_keys(keys, keys + data->count, n);
    double median = n ? (double)keys[(n - 1) / 2] : (double)NAN;
    pyr_free(keys);
    return median;
}

/* A start of all at once that is part of what was measured. */
static const char *tell_wave(const struct pyr_case_data *data, struct pyr_arena *arena,
                             const struct pyr_phase_result *wave) {
    for (size_t k = 0; k < data->phase_count; k++) {
        const struct pyr_span *span = &data->phases[k].span;
        if (data->phases[k].number != PYR_PHASE_FIRST_WAVE ||
            span->start_ns < data->measured.start_ns)
            continue;
        double after_ns = ttft_after(data, span->end_ns);
        const char *rest = isnan(after_ns)
                               ? "nothing came after it"
                               : pyr_arena_printf(arena, "%.3g ms after it", after_ns * 1e-6);
        return pyr_arena_printf(
            arena, "all %u users started at once: TTFT p50 %.3g ms in that first wave, %s",
            data->plan->concurrency, wave->ttft_p50_ns * 1e-6, rest);
    }
    return NULL;
}

static struct pyr_lockstep measure(const struct pyr_case_data *data) {
    uint32_t users = data->plan->concurrency;
    struct pyr_send *sends = pyr_xcalloc(data->count + 1, sizeof *sends);
    size_t count = 0;
    for (size_t i = 0; i < data->count; i++) {
        const struct pyr_request *r = &data->requests[i];
        bool inside =
            r->scheduled_ns >= data->measured.start_ns && r->scheduled_ns < data->measured.end_ns;
        if (inside && r->user >= 1 && r->user <= users)
            sends[count++] = (struct pyr_send){r->scheduled_ns, r->user - 1u};
    }
    if (count > 1)
        qsort(sends, count, sizeof *sends, by_time);
    struct pyr_lockstep seen = pyr_lockstep_of(sends, count, users);
    pyr_free(sends);
    return seen;
}

void pyr_rounds_make(const struct pyr_case_data *data, struct pyr_arena *arena,
                     struct pyr_case_result *result) {
    result->lockstep = (struct pyr_lockstep){NAN, NAN, NAN, NAN, NAN, false};
    if (data->plan->open_loop || result->patterned)
        return;
    result->lockstep = measure(data);
    result->first_wave = find_first_wave(result);
    if (result->first_wave)
        result->burst = tell_wave(data, arena, result->first_wave);
    if (result->lockstep.found)
        result->in_step = tell(result, arena);
}
