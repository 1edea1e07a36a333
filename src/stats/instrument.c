/* SPDX-License-Identifier: MIT */
#include "stats/instrument.h"

#include "stats/window.h"

#include <math.h>
#include <string.h>

/* An error below this share of what was measured is of no account: intervals are wider. */
static const double small_share = 0.05;
/* Above this share of one core an instrument competes with itself. */
static const double high_use = 0.5;

bool pyr_is_calibration(const struct pyr_case *plan) {
    return strcmp(plan->suite, PYR_CALIBRATION_SUITE) == 0;
}

void pyr_calibration_make(const struct pyr_case_data *data, struct pyr_arena *arena,
                          struct pyr_case_result *result) {
    const char **warnings = pyr_arena_array(arena, data->mark_count, sizeof *warnings);
    for (size_t i = 0; i < data->mark_count; i++)
        if (data->marks[i].kind == PYR_MARK_WARNING)
            warnings[result->warning_count++] = pyr_arena_strdup(arena, data->marks[i].text);
    result->warnings = warnings;
    pyr_observed_metrics(&data->observed, arena, &result->metrics, &result->metric_count);
}

/* The entry of the highest load comes last. */
static const struct pyr_case_result *highest(const struct pyr_result *result) {
    for (size_t i = result->calibration_count; i-- > 0;)
        if (result->calibrations[i].metric_count > 0)
            return &result->calibrations[i];
    return NULL;
}

/* How far off a value of that kind may well be: p99, else the worst of the few there are. */
static double own_error_ns(const struct pyr_result *result, enum pyr_metric metric) {
    double worst = NAN;
    for (size_t i = 0; i < result->calibration_count; i++) {
        const struct pyr_metric_result *row = pyr_case_metric(&result->calibrations[i], metric);
        if (!row)
            continue;
        double p99 = row->quantile[PYR_Q_P99].value;
        worst = fmax(worst, isnan(p99) ? row->max : p99); /* fmax takes a number over NaN */
    }
    return worst;
}

/* --- sentences ------------------------------------------------------------------------------- */

struct notes {
    struct pyr_result *result;
    const char **text;
    double least_ratio; /* of a median to the error on it, over all that were compared */
    size_t compared;
};

static void say(struct notes *notes, const char *text) {
    notes->text[notes->result->instrument_note_count++] = text;
}

static const char *time_text(struct pyr_arena *arena, double ns) {
    return ns < 1e6   ? pyr_arena_printf(arena, "%.3g \u00b5s", ns * 1e-3)
           : ns < 1e9 ? pyr_arena_printf(arena, "%.3g ms", ns * 1e-6)
                      : pyr_arena_printf(arena, "%.3g s", ns * 1e-9);
}

static const char *count_text(struct pyr_arena *arena, double count) {
    return count < 1e6 ? pyr_arena_printf(arena, "%.0f", count)
                       : pyr_arena_printf(arena, "%.3g million", count * 1e-6);
}

static void compare_median(struct notes *notes, const struct pyr_case_result *one,
                           enum pyr_metric metric, const char *name, double error_ns) {
    const struct pyr_metric_result *row = pyr_case_metric(one, metric);
    double median_ns = row ? row->quantile[PYR_Q_P50].value : (double)NAN;
    struct pyr_arena *arena = notes->result->arena;
    if (!(median_ns > 0) || !(error_ns > 0))
        return;
    notes->compared++;
    notes->least_ratio = fmin(notes->least_ratio, median_ns / error_ns);
    if (error_ns < small_share * median_ns)
        return;
    notes->result->instrument_alarm = true;
    say(notes, pyr_arena_printf(
                   arena,
                   "%s: %s p50 is %s and the instrument's own error up to %s (p99), %.0f %% of "
                   "it: read it as a bound",
                   one->plan->id, name, time_text(arena, median_ns), time_text(arena, error_ns),
                   100 * error_ns / median_ns));
}

static void compare_errors(struct notes *notes) {
    const struct pyr_result *result = notes->result;
    double ttft = own_error_ns(result, PYR_M_TTFT_ERROR);
    double itl = own_error_ns(result, PYR_M_ITL_ERROR);
    for (size_t s = 0; s < result->suite_count; s++)
        for (size_t c = 0; c < result->suites[s].case_count; c++) {
            const struct pyr_case_result *one = &result->suites[s].cases[c];
            compare_median(notes, one, one->plan->open_loop ? PYR_M_TTFT_SCHED : PYR_M_TTFT_SENT,
                           "TTFT", ttft);
            compare_median(notes, one, PYR_M_ITL, "ITL", itl);
        }
    if (notes->compared > 0 && !result->instrument_alarm)
        say(notes, pyr_arena_printf(result->arena,
                                    "Every median of TTFT and ITL in this run is at least %.0f "
                                    "times the error on it (p99).",
                                    floor(notes->least_ratio)));
}

static void tell_use(struct notes *notes, const struct pyr_case_result *calibration) {
    struct pyr_result *result = notes->result;
    const struct pyr_metric_result *row = pyr_case_metric(calibration, PYR_M_EVENTS_PER_CORE);
    const struct pyr_case_result *most = NULL;
    for (size_t s = 0; s < result->suite_count; s++)
        for (size_t c = 0; c < result->suites[s].case_count; c++)
            if (!most || result->suites[s].cases[c].events_per_s > most->events_per_s)
                most = &result->suites[s].cases[c];
    if (!row || !(row->value.value > 0) || !most || !(most->events_per_s > 0))
        return;
    double use = most->events_per_s / row->value.value;
    result->instrument_alarm |= use > high_use;
    say(notes, pyr_arena_printf(result->arena,
                                "%s brought the most token events, %s a second: %.2g %% of the %s "
                                "that one core here takes in%s",
                                most->plan->id, count_text(result->arena, most->events_per_s),
                                100 * use, count_text(result->arena, row->value.value),
                                use > high_use ? ": use more cores or a lighter load." : "."));
}

/* --- the whole ------------------------------------------------------------------------------- */

void pyr_instrument_make(struct pyr_result *result, const struct pyr_metric_result *loose,
                         size_t loose_count) {
    const struct pyr_case_result *top = highest(result);
    size_t cases = 0;
    for (size_t s = 0; s < result->suite_count; s++)
        cases += result->suites[s].case_count;
    struct notes notes = {.result = result, .least_ratio = INFINITY};
    notes.text = pyr_arena_array(result->arena, 2 * cases + 2, sizeof *notes.text);
    result->instrument_notes = notes.text;
    result->instrument = loose;
    result->instrument_count = loose_count;
    if (!top)
        return;
    struct pyr_metric_result *all =
        pyr_arena_array(result->arena, loose_count + top->metric_count, sizeof *all);
    if (loose_count)
        memcpy(all, loose, loose_count * sizeof *all);
    memcpy(all + loose_count, top->metrics, top->metric_count * sizeof *all);
    result->instrument = all;
    result->instrument_count = loose_count + top->metric_count;
    compare_errors(&notes);
    tell_use(&notes, top);
}
