/* SPDX-License-Identifier: MIT
 *
 * From a run file to a result: collect, find the steady part of each case, stream the chunks, make
 * the metrics of both windows, then judge goals.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "estimate/sample.h"
#include "estimate/steady.h"
#include "stats/answers.h"
#include "stats/capacity.h"
#include "stats/collect.h"
#include "stats/drift.h"
#include "stats/generator.h"
#include "stats/goals.h"
#include "stats/in_flight.h"
#include "stats/instrument.h"
#include "stats/overload.h"
#include "stats/rates.h"
#include "stats/request_metrics.h"
#include "stats/result.h"
#include "stats/rounds.h"
#include "stats/tables.h"
#include "stats/timeline.h"
#include "stats/turns.h"
#include "stats/window.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Warnings of a case or of the run, gathered in the arena. */
struct notes {
    struct pyr_arena *arena;
    const char **text;
    size_t count, capacity;
};

static void __attribute__((format(printf, 2, 3)))
note(struct notes *notes, const char *format, ...) {
    char line[512];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    for (size_t i = 0; i < notes->count; i++)
        if (strcmp(notes->text[i], line) == 0)
            return;
    if (notes->count == notes->capacity) {
        size_t capacity = notes->capacity ? notes->capacity * 2 : 8;
        const char **grown = pyr_arena_array(notes->arena, capacity, sizeof *grown);
        if (notes->count)
            memcpy(grown, notes->text, notes->count * sizeof *grown);
        notes->text = grown;
        notes->capacity = capacity;
    }
    notes->text[notes->count++] = pyr_arena_strdup(notes->arena, line);
}

/* --- the steady window --------------------------------------------------------------------- */

/* A trend needs more than a handful of points; fewer requests than this are taken as they are, the
 * warm-up phase having run before them. */
enum { STEADY_REQUESTS_MIN = 100 };

/* The index of the first steady request by times to first token, in order of schedule. */
static size_t steady_request(const struct pyr_case_data *data, const struct pyr_request **in_order,
                             size_t n, bool *judged, bool *never) {
    double *series = pyr_xcalloc(n, sizeof *series);
    size_t used = 0;
    size_t *index = pyr_xcalloc(n, sizeof *index);
    const struct pyr_request_metric *ttft =
        pyr_request_metric_find(data->plan->open_loop ? PYR_M_TTFT_SCHED : PYR_M_TTFT_SENT);
    for (size_t i = 0; i < n; i++) {
        double value = ttft->of(in_order[i], data->plan);
        if (in_order[i]->outcome != PYR_OUTCOME_OK || isnan(value))
            continue;
        index[used] = i;
        series[used++] = value;
    }
    size_t first = 0;
    *judged = *never = false;
    if (used >= STEADY_REQUESTS_MIN) {
        struct pyr_steady steady = pyr_steady_cut(series, used);
        *judged = steady.judged;
        *never = steady.never_steady;
        /* A queue that comes and goes looks like a warm-up now and then: cutting there would keep
         * the part that happens to be quiet. */
        if (data->plan->open_loop && !pyr_means_differ(series, used, steady.cut)) {
            steady.cut = 0;
            *never &= pyr_slope_rises(&steady.tail) || pyr_slope_falls(&steady.tail);
        }
        first = steady.cut < used ? index[steady.cut] : 0;
    }
    pyr_free(series);
    pyr_free(index);
    return first;
}

/* Where a whole-second throughput series settles, in seconds from the start of the span. */
static size_t steady_second(struct pyr_span span, const struct pyr_request **in_order, size_t n,
                            bool *judged, bool *never) {
    size_t seconds = (size_t)((span.end_ns - span.start_ns) / PYR_NS_PER_S), cut = 0;
    *judged = *never = false;
    if (seconds < STEADY_REQUESTS_MIN)
        return 0;
    double *ended = pyr_xcalloc(seconds, sizeof *ended);
    for (size_t i = 0; i < n; i++) {
        uint64_t at = in_order[i]->last_content_ns;
        if (at < span.start_ns || in_order[i]->outcome != PYR_OUTCOME_OK)
            continue;
        size_t second = (size_t)((at - span.start_ns) / PYR_NS_PER_S);
        if (second < seconds)
            ended[second]++;
    }
    struct pyr_steady steady = pyr_steady_cut(ended, seconds);
    *judged = steady.judged;
    *never = steady.never_steady;
    cut = steady.cut;
    pyr_free(ended);
    return cut;
}

static int by_schedule(const void *a, const void *b) {
    const struct pyr_request *x = *(const struct pyr_request *const *)a;
    const struct pyr_request *y = *(const struct pyr_request *const *)b;
    if (x->scheduled_ns != y->scheduled_ns)
        return x->scheduled_ns < y->scheduled_ns ? -1 : 1;
    return x->ordinal < y->ordinal ? -1 : x->ordinal > y->ordinal;
}

static bool in_schedule_order(const struct pyr_request **requests, size_t n) {
    for (size_t i = 1; i < n; i++)
        if (by_schedule(&requests[i - 1], &requests[i]) > 0)
            return false;
    return true;
}

/* The part of a pattern in which the asked load stands still: all of a soak, the hold of a steady
 * one. False for a pattern without such a part. */
static bool find_level_part(const struct pyr_case_data *data, struct pyr_span *span,
                            bool *patterned) {
    bool soaks = false;
    *patterned = false;
    for (size_t k = 0; k < data->phase_count; k++) {
        const struct pyr_phase_span *phase = &data->phases[k];
        if (phase->number < PYR_PHASE_OF_PATTERN)
            continue;
        *patterned = true;
        soaks |= strncmp(phase->name, "soak", 4) == 0;
        if (strcmp(phase->name, "hold") == 0) {
            *span = phase->span;
            return true;
        }
    }
    return soaks || !*patterned;
}

static void find_steady(struct pyr_case_data *data, struct pyr_case_result *result) {
    struct pyr_span span = data->measured;
    result->steadiness = PYR_STEADY_UNKNOWN;
    if (!find_level_part(data, &span, &result->patterned))
        return;
    data->steady = span;
    const struct pyr_request **in_order = pyr_xcalloc(data->count, sizeof(void *));
    size_t n = 0;
    for (size_t i = 0; i < data->count; i++)
        if (pyr_in_span(span, &data->requests[i]))
            in_order[n++] = &data->requests[i];
    if (n > 1 && !in_schedule_order(in_order, n))
        qsort(in_order, n, sizeof *in_order, by_schedule);
    bool judged, never, judged_rate, never_rate;
    size_t request = steady_request(data, in_order, n, &judged, &never);
    size_t second = steady_second(span, in_order, n, &judged_rate, &never_rate);
    uint64_t cut = span.start_ns + second * PYR_NS_PER_S;
    if (request > 0 && in_order[request]->scheduled_ns > cut)
        cut = in_order[request]->scheduled_ns;
    uint64_t opens = n >= STEADY_REQUESTS_MIN ? pyr_window_opens_ns(data, span) : cut;
    cut = opens > cut ? opens : cut;
    if (cut < span.end_ns)
        data->steady.start_ns = cut;
    result->steadiness = !judged && !judged_rate ? PYR_STEADY_UNKNOWN
                         : never || never_rate   ? PYR_NEVER_STEADY
                                                 : PYR_STEADY;
    result->cut_s = (double)(data->steady.start_ns - data->measured.start_ns) * 1e-9;
    pyr_free(in_order);
}

/* --- one case -------------------------------------------------------------------------------- */

static void count_outcomes(const struct pyr_case_data *data, struct pyr_case_result *result) {
    for (size_t i = 0; i < data->count; i++) {
        const struct pyr_request *request = &data->requests[i];
        if (!pyr_in_span(data->measured, request))
            continue;
        result->outcomes[request->outcome]++;
        result->total++;
        result->ok += request->outcome == PYR_OUTCOME_OK;
        result->flag_short += (request->flags & PYR_REQUEST_SHORT) != 0;
        result->flag_no_done += (request->flags & PYR_REQUEST_NO_DONE) != 0;
        /* A sum does not depend on the order in which requests ended. */
        if (request->text_hash)
            result->outputs_hash += request->text_hash ^ (request->prompt_hash << 1);
    }
}

static double metric_value(const struct pyr_case_result *result, enum pyr_metric metric) {
    const struct pyr_metric_result *row = pyr_case_metric(result, metric);
    return row ? row->value.value : (double)NAN;
}

/* Parallelism that stays near one while several requests are in flight: a lock, or one slot. */
static void check_serialising(struct pyr_arena *arena, struct pyr_case_result *result) {
    double parallelism = metric_value(result, PYR_M_PARALLELISM);
    double in_flight = metric_value(result, PYR_M_IN_FLIGHT);
    if (parallelism < 1.2 && in_flight > 1.8)
        result->serialises =
            pyr_arena_printf(arena,
                             "this target serialises: observed parallelism %.2f with %.1f requests "
                             "in flight",
                             parallelism, in_flight);
}

/* One kind of mark, however often it was made. */
struct mark_sum {
    size_t count;
    double total_ns, worst_ns;
};

static struct mark_sum sum_marks(const struct pyr_case_data *data, enum pyr_mark_kind kind) {
    struct mark_sum sum = {0, 0, 0};
    for (size_t i = 0; i < data->mark_count; i++) {
        const struct pyr_mark *mark = &data->marks[i];
        if (mark->kind != kind)
            continue;
        sum.count++;
        sum.total_ns += mark->value;
        sum.worst_ns = fmax(sum.worst_ns, mark->value);
    }
    return sum;
}

/* What waited for a slot of ours, in the whole measured phase. */
static void count_own_queue(const struct pyr_case_data *data, struct pyr_case_result *result) {
    struct pyr_own_queue *queue = &result->own_queue;
    uint64_t *waits = pyr_xcalloc(2 * data->count + 1, sizeof *waits);
    size_t n = 0;
    for (size_t i = 0; i < data->count; i++) {
        const struct pyr_request *request = &data->requests[i];
        if (!(request->flags & PYR_REQUEST_WAITED) || !pyr_in_span(data->measured, request))
            continue;
        queue->waited++;
        queue->never_sent += request->dispatched_ns == 0;
        if (request->dispatched_ns >= request->scheduled_ns)
            waits[n++] = request->dispatched_ns - request->scheduled_ns;
    }
    pyr_sort_keys(waits, waits + data->count, n);
    queue->wait_p50_ns = n ? (double)waits[(n - 1) / 2] : (double)NAN;
    queue->wait_p99_ns = n ? (double)waits[(size_t)ceil(0.99 * (double)n) - 1] : (double)NAN;
    queue->wait_max_ns = n ? (double)waits[n - 1] : (double)NAN;
    pyr_free(waits);
}

static double p99_of(const struct pyr_case_result *result, enum pyr_metric metric) {
    const struct pyr_metric_result *row = pyr_case_metric(result, metric);
    return row ? row->quantile[PYR_Q_P99].value * 1e-6 : (double)NAN;
}

static void check_own_queue(const struct pyr_case_data *data, const struct pyr_case_result *result,
                            struct notes *notes) {
    const struct pyr_own_queue *queue = &result->own_queue;
    if (queue->waited == 0)
        return;
    char slots[64] = "our own slots";
    if (data->plan->concurrency)
        snprintf(slots, sizeof slots, "one of our own %u slots", data->plan->concurrency);
    note(notes,
         "our own queue: %llu of %llu requests waited for %s, p50 %.3g ms, at most %.4g ms; "
         "latency p99 %.4g ms from the schedule holds that wait, %.4g ms from the sending does not",
         (unsigned long long)queue->waited, (unsigned long long)result->total, slots,
         queue->wait_p50_ns * 1e-6, queue->wait_max_ns * 1e-6, p99_of(result, PYR_M_LATENCY_SCHED),
         p99_of(result, PYR_M_LATENCY_SENT));
}

static void check_marks(const struct pyr_case_data *data, struct notes *notes) {
    struct mark_sum freezes = sum_marks(data, PYR_MARK_FREEZE);
    struct mark_sum stalls = sum_marks(data, PYR_MARK_STALL);
    if (freezes.count)
        note(notes,
             "our own thread was kept from the CPU %zu times, %.0f ms in all, at most %.1f ms",
             freezes.count, freezes.total_ns * 1e-6, freezes.worst_ns * 1e-6);
    if (stalls.count)
        note(notes, "recording waited for the disk %zu times, at most %.1f ms", stalls.count,
             stalls.worst_ns * 1e-6);
    for (size_t i = 0; i < data->mark_count; i++) {
        const struct pyr_mark *mark = &data->marks[i];
        if (mark->kind == PYR_MARK_WARNING)
            note(notes, "%s", mark->text);
        else if (mark->kind == PYR_MARK_THROTTLE)
            note(notes, "the CPU was throttled: %s", mark->text);
    }
}

/* Counted by what lies inside the window and by what was in flight, rates must agree. Under a load
 * that varies on purpose, or that is not carried, they need not. */
static void check_littles_law(struct pyr_arena *arena, struct pyr_case_result *result) {
    const struct pyr_metric_result *row = pyr_case_metric(result, PYR_M_LITTLE_RATIO);
    if (!row || result->saturating || result->patterned)
        return;
    double in_flight = metric_value(result, PYR_M_IN_FLIGHT);
    const struct pyr_estimate *ratio = &row->value;
    enum pyr_little law = pyr_little_judge(ratio, row->n, in_flight);
    if (law == PYR_LITTLE_HOLDS)
        return;
    result->unlevel = pyr_arena_printf(
        arena,
        "%s: %.4g in flight, rate x mean latency gives %.4g (ratio %.2f [%.2f, %.2f]): what runs "
        "across the edges of the window, %.3g mean latencies long, is unlike what was sent "
        "inside%s",
        law == PYR_LITTLE_INVALID ? "rates invalid by Little's law" : "Little's law is off",
        in_flight, in_flight / ratio->value, ratio->value, ratio->lo, ratio->hi,
        (double)row->n / in_flight, law == PYR_LITTLE_INVALID ? "" : "; run it longer");
}

/* "; of all asked latency p50 2.1 s, p95 none" for a report that shows those that succeeded. */
static const char *tell_of_all_asked(struct pyr_arena *arena,
                                     const struct pyr_case_result *result) {
    static const int shown[] = {PYR_Q_P50, PYR_Q_P90, PYR_Q_P95, PYR_Q_P99};
    const struct pyr_metric_result *row =
        pyr_case_metric(result, result->plan->open_loop ? PYR_M_LATENCY_SCHED : PYR_M_LATENCY_SENT);
    if (!row || !row->of_all)
        return "";
    const char *text =
        pyr_arena_printf(arena, "; of all asked in the window, of which %.3g %% failed, latency",
                         100 * (double)row->of_all->failed / (double)row->of_all->asked);
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        double ns = row->of_all->quantile[shown[i]].value;
        const char *name = pyr_quantile_names[shown[i]];
        if (isnan(ns))
            break;
        text = isinf(ns) ? pyr_arena_printf(arena, "%s%s %s none", text, i ? "," : "", name)
                         : pyr_arena_printf(arena, "%s%s %s %.4g ms", text, i ? "," : "", name,
                                            ns * 1e-6);
    }
    return text;
}

static void check_case(const struct pyr_case_data *data, struct pyr_case_result *result,
                       struct notes *notes) {
    uint64_t failed = result->total - result->ok - result->outcomes[PYR_OUTCOME_CANCELLED];
    if (failed > 0) {
        enum pyr_outcome worst = PYR_OUTCOME_UNFINISHED;
        for (int i = PYR_OUTCOME_UNFINISHED; i < PYR_OUTCOME_COUNT; i++)
            if (result->outcomes[i] > result->outcomes[worst])
                worst = (enum pyr_outcome)i;
        note(notes, "%llu of %llu requests failed, most by: %s%s", (unsigned long long)failed,
             (unsigned long long)result->total, pyr_outcome_name(worst),
             tell_of_all_asked(notes->arena, result));
    }
    if (result->steadiness == PYR_NEVER_STEADY)
        note(notes, "never steady: the numbers still drift after a cut of %.1f s; run it longer",
             result->cut_s);
    if (result->saturation)
        note(notes, "over-saturated%s: %s", result->ended_early ? " and ended early" : "",
             result->saturation);
    else if (result->saturating)
        note(notes, "saturating: requests in flight and TTFT both still rise; the load is above "
                    "what the target sustains");
    if (result->serialises)
        note(notes, "%s", result->serialises);
    if (result->unlevel)
        note(notes, "%s", result->unlevel);
    if (result->burst)
        note(notes, "%s", result->burst);
    if (result->in_step)
        note(notes, "%s", result->in_step);
    check_own_queue(data, result, notes);
    const char *remarks[PYR_ANSWER_REMARKS_MAX];
    size_t count = pyr_answers_remark(data, result, notes->arena, remarks);
    for (size_t i = 0; i < count; i++)
        note(notes, "%s", remarks[i]);
    check_marks(data, notes);
}

static double mean(const double *values, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += values[i];
    return n ? sum / (double)n : 0;
}

/* Trends over the steady window of what is in flight and of TTFT; at one rate also what goes out
 * against what comes in over all of the measured phase, for no window of it is steady then. */
static void check_saturation(const struct pyr_case_data *data, struct pyr_arena *arena,
                             struct pyr_case_result *result) {
    struct pyr_overload overload = pyr_overload_of_case(data);
    if (overload.found) {
        char text[240];
        pyr_overload_tell(&overload, data->plan->rate, text, sizeof text);
        result->saturation = pyr_arena_strdup(arena, text);
        result->saturating = true;
        return;
    }
    if (!data->plan->open_loop || result->steadiness == PYR_STEADY_UNKNOWN)
        return;
    double *flight = pyr_xcalloc(result->timeline_count, sizeof *flight);
    double *ttft = pyr_xcalloc(result->timeline_count, sizeof *ttft);
    size_t n = 0;
    for (size_t i = 0; i < result->timeline_count; i++) {
        const struct pyr_timeline_point *point = &result->timeline[i];
        if (point->start_s < result->cut_s || isnan(point->ttft_median_ns) ||
            point->start_s > result->cut_s + result->steady_s)
            continue;
        flight[n] = point->in_flight;
        ttft[n++] = point->ttft_median_ns;
    }
    struct pyr_slope rising_flight = pyr_slope_of(NULL, flight, n);
    struct pyr_slope rising_ttft = pyr_slope_of(NULL, ttft, n);
    /* Steps are bins: what they come to over all of them must be worth the word. */
    result->saturating = pyr_is_saturating(&rising_flight, &rising_ttft) &&
                         rising_flight.slope.lo * (double)n > fmax(0.2 * mean(flight, n), 1) &&
                         rising_ttft.slope.lo * (double)n > 0.2 * mean(ttft, n);
    pyr_free(flight);
    pyr_free(ttft);
}

/* What ended a level before its time. */
static void take_level_end(const struct pyr_case_data *data, struct pyr_arena *arena,
                           struct pyr_case_result *result) {
    for (size_t i = 0; i < data->mark_count; i++) {
        const struct pyr_mark *mark = &data->marks[i];
        if (mark->kind != PYR_MARK_DECIDED && mark->kind != PYR_MARK_SATURATED)
            continue;
        result->ended_early = pyr_arena_strdup(arena, mark->text);
        if (mark->kind == PYR_MARK_DECIDED)
            continue;
        result->saturating = true;
        result->saturation = result->ended_early;
    }
}

static void take_spikes(const struct pyr_window *window, struct pyr_arena *arena,
                        struct pyr_case_result *result) {
    struct pyr_spikes spikes;
    size_t n = pyr_window_spikes(window, arena, &spikes);
    if (n == 0 || spikes.robust_count == 0)
        return;
    enum { SHOWN_MAX = 1000 };
    const struct pyr_case_data *data = window->data;
    struct pyr_spike *shown = pyr_arena_array(arena, SHOWN_MAX, sizeof *shown);
    const struct pyr_request_metric *latency =
        pyr_request_metric_find(data->plan->open_loop ? PYR_M_LATENCY_SCHED : PYR_M_LATENCY_SENT);
    size_t count = 0;
    for (size_t i = 0; i < data->count && count < SHOWN_MAX; i++) {
        const struct pyr_request *request = &data->requests[i];
        double value = latency->of(request, data->plan);
        if (request->outcome == PYR_OUTCOME_OK && pyr_in_span(window->span, request) &&
            value > spikes.robust_limit_ns)
            shown[count++] = (struct pyr_spike){
                (double)(request->last_content_ns - data->measured.start_ns) * 1e-9, value};
    }
    result->spikes = shown;
    result->spike_count = count;
}

static void analyse_case(struct pyr_case_data *data, const struct pyr_collected *collected,
                         struct pyr_arena *arena, struct pyr_case_result *result) {
    struct pyr_goal *goals = pyr_arena_array(arena, collected->goal_count, sizeof *goals);
    size_t goal_count = 0;
    for (size_t i = 0; i < collected->goal_count; i++)
        if (pyr_goal_applies(&collected->goals[i], data->plan))
            goals[goal_count++] = collected->goals[i];
    result->whole_s = (double)(data->measured.end_ns - data->measured.start_ns) * 1e-9;
    result->events_per_s =
        result->whole_s > 0 ? (double)data->in_measured.chunks / result->whole_s : (double)NAN;
    result->steady_s = (double)(data->steady.end_ns - data->steady.start_ns) * 1e-9;
    pyr_timeline_make(data, arena, result);
    pyr_rounds_make(data, arena, result);
    check_saturation(data, arena, result);
    take_level_end(data, arena, result);
    bool level = !result->saturating && !result->patterned;
    double draw = pyr_places_are_kept(&result->lockstep) ? data->plan->concurrency : 0;
    struct pyr_window steady = {data,  data->steady, &data->in_steady, goals, goal_count,
                                level, draw};
    struct pyr_window whole = {data, data->measured, &data->in_measured, goals, goal_count, level,
                               draw};
    pyr_window_metrics(&steady, arena, &result->metrics, &result->metric_count);
    if (data->steady.start_ns == data->measured.start_ns &&
        data->steady.end_ns == data->measured.end_ns) {
        result->whole = result->metrics;
        result->whole_count = result->metric_count;
    } else {
        pyr_window_metrics(&whole, arena, &result->whole, &result->whole_count);
    }
    count_outcomes(data, result);
    pyr_answers_count(data, result);
    check_littles_law(arena, result);
    pyr_turns_make(data, arena, result);
    pyr_drift_make(data, arena, result);
    take_spikes(&steady, arena, result);
    check_serialising(arena, result);
    count_own_queue(data, result);
    struct notes notes = {.arena = arena};
    check_case(data, result, &notes);
    result->warnings = notes.text;
    result->warning_count = notes.count;
}

/* A level that was sent late decides nothing in its search, and the others still do; any other case
 * is what the run is about. */
static const char *find_invalid(const struct pyr_case_result *cases, size_t count) {
    const char *late_level = NULL;
    size_t levels_on_time = 0;
    for (size_t i = 0; i < count; i++) {
        bool level = pyr_case_is_level(cases[i].plan);
        if (cases[i].late && !level)
            return cases[i].late;
        if (cases[i].late)
            late_level = cases[i].late;
        levels_on_time += level && !cases[i].late && cases[i].total > 0;
    }
    return levels_on_time ? NULL : late_level;
}

/* --- the run -----------------------------------------------------------------------------------
 */

/* Cases in file order, suites in the order of their first case. */
static void group_suites(struct pyr_result *result, const struct pyr_case_result *cases,
                         size_t count) {
    struct pyr_suite_result *suites = pyr_arena_array(result->arena, count, sizeof *suites);
    size_t suite_count = 0;
    bool *taken = pyr_xcalloc(count, sizeof *taken);
    for (size_t i = 0; i < count; i++) {
        if (taken[i])
            continue;
        struct pyr_case_result *group = pyr_arena_array(result->arena, count - i, sizeof *group);
        struct pyr_suite_result *suite = &suites[suite_count++];
        suite->name = cases[i].plan->suite;
        for (size_t k = i; k < count; k++) {
            if (taken[k] || strcmp(cases[k].plan->suite, suite->name) != 0)
                continue;
            taken[k] = true;
            group[suite->case_count++] = cases[k];
        }
        suite->cases = group;
    }
    pyr_free(taken);
    pyr_tables_read(result->meta_json, result->arena, suites, suite_count);
    result->suites = suites;
    result->suite_count = suite_count;
}

static void run_warnings(struct pyr_result *result, const struct pyr_collected *collected) {
    struct notes notes = {.arena = result->arena};
    if (result->invalid)
        note(&notes, "INVALID: %s", result->invalid);
    if (result->partial)
        note(&notes, "partial: %s", result->partial);
    if (collected->signal)
        note(&notes, "partial: ended by signal %d (%s)", collected->signal,
             strsignal(collected->signal));
    if (collected->orphan_chunks > 0 && result->partial && !pyr_runfile_left_out(collected->file))
        note(&notes, "%llu tokens belong to requests that were in flight when the run was killed",
             (unsigned long long)collected->orphan_chunks);
    uint64_t left_out = pyr_runfile_left_out(collected->file);
    if (left_out > 0)
        note(&notes,
             "%llu of its records are of kinds or metrics that this program (%s) does not know and "
             "were left out: a newer pyrometer wrote the file, and it tells more",
             (unsigned long long)left_out, PYR_VERSION);
    for (size_t i = 0; i < collected->loose_mark_count; i++) {
        const struct pyr_mark *mark = &collected->loose_marks[i];
        if (mark->kind == PYR_MARK_WARNING)
            note(&notes, "%s", mark->text);
    }
    for (size_t s = 0; s < result->suite_count; s++)
        for (size_t c = 0; c < result->suites[s].case_count; c++) {
            const struct pyr_case_result *one = &result->suites[s].cases[c];
            if (one->unlevel)
                note(&notes, "%s: %s", one->plan->id, one->unlevel);
            if (one->in_step)
                note(&notes, "%s: %s", one->plan->id, one->in_step);
            if (one->late && !result->invalid)
                note(&notes, "%s; this level decides nothing", one->late);
            for (size_t m = 0; m < one->metric_count; m++)
                if (one->metrics[m].overflow > 0)
                    note(&notes, "%s of %s: %llu values lie beyond the histogram's range",
                         pyr_metric_info(one->metrics[m].metric)->name, one->plan->id,
                         (unsigned long long)one->metrics[m].overflow);
        }
    result->warnings = notes.text;
    result->warning_count = notes.count;
}

/* The plans of all cases, which outlive the collection, and where each one's steady window begins.
 */
static void begin_cases(const struct pyr_collected *collected, uint32_t only_case,
                        struct pyr_result *result, struct pyr_case_result *cases) {
    for (size_t i = 0; i < collected->case_count; i++) {
        struct pyr_case *plan = pyr_arena_alloc(result->arena, sizeof *plan);
        *plan = *collected->cases[i].plan;
        collected->cases[i].plan = plan;
        cases[i].plan = plan;
        if (pyr_is_calibration(plan) || (only_case != PYR_NO_CASE && i != only_case))
            continue;
        result->simulated |= plan->simulated != 0;
        find_steady(&collected->cases[i], &cases[i]);
    }
}

/* The whole of a run from its cases. */
static void conclude(const struct pyr_collected *collected, struct pyr_result *result) {
    const struct pyr_metric_result *loose;
    size_t loose_count;
    pyr_observed_metrics(&collected->loose, result->arena, &loose, &loose_count);
    pyr_instrument_make(result, loose, loose_count);
    result->requests = collected->requests;
    result->chunks = collected->chunks;
    run_warnings(result, collected);
    pyr_goals_judge(collected->goals, collected->goal_count, result);
    pyr_capacity_find(result);
    pyr_recommend(result);
}

static bool make(const char *run_path, uint32_t only_case, const char *why, struct pyr_result **out,
                 struct pyr_err *err) {
    struct pyr_collected *collected;
    if (!pyr_collect_open(run_path, only_case, &collected, err))
        return false;
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_result *result = pyr_arena_alloc(arena, sizeof *result);
    struct pyr_case_result *cases = pyr_arena_array(arena, collected->case_count, sizeof *cases);
    struct pyr_case_result *calibrations =
        pyr_arena_array(arena, collected->case_count, sizeof *calibrations);
    size_t count = 0;
    result->arena = arena;
    result->run_path = pyr_arena_strdup(arena, run_path);
    result->meta_json = pyr_arena_strdup(arena, pyr_runfile_meta(collected->file));
    begin_cases(collected, only_case, result, cases);
    pyr_collect_chunks(collected);
    const char *partial = pyr_runfile_partial(collected->file);
    result->partial = partial ? pyr_arena_strdup(arena, why ? why : partial) : NULL;
    result->interrupted = collected->signal != 0;
    for (size_t i = 0; i < collected->case_count; i++) {
        const struct pyr_case_data *data = &collected->cases[i];
        if (only_case != PYR_NO_CASE && i != only_case)
            continue;
        if (pyr_is_calibration(data->plan)) {
            calibrations[result->calibration_count].plan = data->plan;
            pyr_calibration_make(data, arena, &calibrations[result->calibration_count++]);
            continue;
        }
        analyse_case(&collected->cases[i], collected, arena, &cases[i]);
        cases[i].late = pyr_generator_invalid(data, &cases[i], arena);
        cases[count++] = cases[i];
    }
    result->invalid = find_invalid(cases, count);
    group_suites(result, cases, count);
    result->calibrations = calibrations;
    conclude(collected, result);
    pyr_collect_close(collected);
    *out = result;
    return true;
}

bool pyr_result_make(const char *run_path, struct pyr_result **result, struct pyr_err *err) {
    return make(run_path, PYR_NO_CASE, NULL, result, err);
}

bool pyr_result_make_cut(const char *run_path, const char *why, struct pyr_result **result,
                         struct pyr_err *err) {
    return make(run_path, PYR_NO_CASE, why, result, err);
}

bool pyr_result_make_case(const char *run_path, uint32_t case_index, struct pyr_result **result,
                          struct pyr_err *err) {
    if (!make(run_path, case_index, NULL, result, err))
        return false;
    if ((*result)->suite_count == 1)
        return true;
    pyr_result_destroy(*result);
    *result = NULL;
    return pyr_fail(err, PYR_E_INPUT, "%s: there is no case %u", run_path, case_index);
}

void pyr_result_destroy(struct pyr_result *result) {
    if (result)
        pyr_arena_destroy(result->arena);
}
