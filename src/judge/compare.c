/* SPDX-License-Identifier: MIT */
#include "judge/compare.h"

#include "base/buf.h"
#include "estimate/predict.h"
#include "judge/compare_rows.h"
#include "judge/fingerprint.h"
#include "stats/goals_text.h"

#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A comparison in the making. */
struct maker {
    struct pyr_arena *arena;
    const struct pyr_compare_options *options;
    struct pyr_comparison *out;
    struct pyr_compare_rows rows;
    const struct pyr_kept_run **baseline, **current; /* those that may be used */
    size_t baseline_count, current_count;
    struct pyr_compared_metric *metrics;
    size_t metric_count, metric_capacity;
    const char **warnings;
    size_t warning_count;
    const char *incomparable; /* why nothing may be judged, or NULL */
    double machine_moved;     /* by how much, as a logarithm; 0: not */
};

enum { MOST_WARNINGS = 64, MOST_ONLY = 1024 };

static void warn(struct maker *m, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void warn(struct maker *m, const char *format, ...) {
    if (m->warning_count == MOST_WARNINGS)
        return;
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    m->warnings[m->warning_count++] = pyr_arena_strdup(m->arena, text);
}

/* --- what the user may say ---------------------------------------------------------------------
 */

/* "ttft_p50" as goals spell it. */
static bool parse_key(struct pyr_arena *arena, const char *text, struct pyr_compare_key *key,
                      struct pyr_err *err) {
    struct pyr_goal *goals;
    size_t count;
    /* 0 is a limit in every unit. */
    if (!pyr_goals_parse(arena, pyr_arena_printf(arena, "%s=0", text), true, &goals, &count, err))
        return false;
    key->metric = pyr_metric_find(goals->metric);
    key->statistic = pyr_kept_find(goals->statistic);
    /* Goals fall back to p99; here a metric without a statistic means all of them. */
    size_t length = strlen(goals->statistic), whole = strlen(text);
    if (whole < length || strcmp(text + whole - length, goals->statistic) != 0)
        key->statistic = PYR_KEPT_COUNT;
    return true;
}

static bool parse_percent(const char *text, double *share, struct pyr_err *err) {
    char *end;
    *share = strtod(text, &end) / 100;
    if (end == text || (*end && strcmp(end, "%") != 0) || !isfinite(*share))
        return pyr_fail(err, PYR_E_USAGE, "--threshold: '%s' is no percentage; write 10 for 10 %%",
                        text);
    return *share >= 0 || pyr_fail(err, PYR_E_USAGE,
                                   "--threshold: %s is below zero; write 10 for 10 %% in either "
                                   "direction",
                                   text);
}

static size_t count_items(const char *text) {
    size_t items = 1;
    for (; *text; text++)
        items += *text == ',';
    return items;
}

bool pyr_compare_parse_threshold(struct pyr_arena *arena, const char *text,
                                 struct pyr_compare_options *options, struct pyr_err *err) {
    struct pyr_compare_key *limits = pyr_arena_array(arena, count_items(text), sizeof *limits);
    char *rest = pyr_arena_strdup(arena, text), *item;
    size_t count = 0;
    while ((item = strsep(&rest, ","))) {
        char *equals = strchr(item, '=');
        if (!equals) {
            if (!parse_percent(item, &options->threshold, err))
                return false;
            continue;
        }
        *equals = '\0';
        if (!parse_key(arena, item, &limits[count], err) ||
            !parse_percent(equals + 1, &limits[count].threshold, err))
            return pyr_err_prefix(err, "--threshold");
        count++;
    }
    options->limits = limits;
    options->limit_count = count;
    return true;
}

bool pyr_compare_parse_gates(struct pyr_arena *arena, const char *text,
                             struct pyr_compare_options *options, struct pyr_err *err) {
    struct pyr_compare_key *gates = pyr_arena_array(arena, count_items(text), sizeof *gates);
    char *rest = pyr_arena_strdup(arena, text), *item;
    size_t count = 0;
    while ((item = strsep(&rest, ",")))
        if (!parse_key(arena, item, &gates[count++], err))
            return pyr_err_prefix(err, "--gate");
    options->gates = gates;
    options->gate_count = count;
    return true;
}

/* A key in `sent` also means the same from the schedule, and the other way round. */
static bool key_is(const struct pyr_compare_key *key, const struct pyr_compare_row *row) {
    return pyr_metric_of_either(key->metric) == row->metric &&
           (key->statistic == row->statistic || key->statistic == PYR_KEPT_COUNT);
}

static double threshold_of(const struct pyr_compare_options *options,
                           const struct pyr_compare_row *row) {
    for (size_t i = 0; i < options->limit_count; i++)
        if (key_is(&options->limits[i], row))
            return options->limits[i].threshold;
    return options->threshold;
}

/* --- which runs may be used ----------------------------------------------------------------------
 */

static bool same_environment(struct maker *m, const struct pyr_kept_run *a,
                             const struct pyr_kept_run *b) {
    struct pyr_fingerprint_difference *differences;
    size_t count;
    pyr_fingerprint_compare(m->arena, a->fingerprint_json, b->fingerprint_json, m->options->vary,
                            m->options->vary_count, &differences, &count);
    bool same = true;
    for (size_t i = 0; i < count; i++)
        same &= differences[i].warning;
    return same;
}

/* What differs between the newest runs of the two sides, for the report. */
static void note_parts(struct maker *m) {
    struct pyr_fingerprint_difference *differences;
    size_t count;
    pyr_fingerprint_compare(m->arena, m->baseline[m->baseline_count - 1]->fingerprint_json,
                            m->current[m->current_count - 1]->fingerprint_json, m->options->vary,
                            m->options->vary_count, &differences, &count);
    struct pyr_compared_part *parts = pyr_arena_array(m->arena, count, sizeof *parts);
    for (size_t i = 0; i < count; i++)
        parts[i] = (struct pyr_compared_part){differences[i].part, differences[i].baseline,
                                              differences[i].current, differences[i].warning};
    m->out->parts = parts;
    m->out->part_count = count;
}

static bool is_foreign(const struct pyr_kept_run *run) {
    return !run->fingerprint_json;
}

static void warn_cautions(struct maker *m, const struct pyr_kept_run *run) {
    const char *line = run->cautions ? run->cautions : "";
    while (*line) {
        int length = (int)strcspn(line, "\n");
        warn(m, "%s: %.*s", run->id, length, line);
        line += length + (line[length] == '\n');
    }
}

static size_t usable(struct maker *m, const struct pyr_compare_side *side,
                     const struct pyr_kept_run **runs) {
    size_t count = 0;
    for (size_t i = 0; i < side->count; i++) {
        if (side->runs[i].partial)
            warn(m, "%s: left out, it is not whole (%s)", side->runs[i].id, side->runs[i].partial);
        else
            runs[count++] = &side->runs[i];
        warn_cautions(m, &side->runs[i]);
    }
    return count;
}

/* Keeps the baseline runs of the current run's environment; when there is none, all are shown and
 * none is judged. */
static void match_environments(struct maker *m) {
    const struct pyr_kept_run **kept =
        pyr_arena_array(m->arena, m->baseline_count, sizeof(const struct pyr_kept_run *));
    size_t count = 0, unknown = 0;
    for (size_t i = 0; i < m->baseline_count; i++) {
        unknown += is_foreign(m->baseline[i]) || is_foreign(m->current[0]);
        if (same_environment(m, m->baseline[i], m->current[0]))
            kept[count++] = m->baseline[i];
    }
    bool mixed = false;
    for (size_t i = 1; i < m->current_count; i++)
        mixed |= !same_environment(m, m->current[0], m->current[i]);
    if (mixed) {
        m->incomparable = "the current runs are of different environments";
    } else if (count > 0) {
        if (count < m->baseline_count)
            warn(m, "%zu of %zu baseline runs are of another environment and were left out",
                 m->baseline_count - count, m->baseline_count);
        m->baseline = kept;
        m->baseline_count = count;
    } else if (unknown == m->baseline_count && m->options->single) {
        warn(m,
             "the environment of these files is not known: only you can say that it is the same");
    } else if (unknown == m->baseline_count) {
        m->incomparable = "the environment of these files is not known";
    } else {
        m->incomparable = "the environments differ";
    }
    note_parts(m);
    if (!m->incomparable && !m->options->single && m->baseline_count < PYR_STORED_RUNS_LEAST)
        m->incomparable = "fewer than 5 baseline runs";
}

static const char *copy(struct pyr_arena *arena, const char *text) {
    return text ? pyr_arena_strdup(arena, text) : NULL;
}

static void describe_side(const struct maker *m, const struct pyr_compare_side *side,
                          const struct pyr_kept_run *const *runs, size_t count,
                          struct pyr_comparison_side *out) {
    const struct pyr_kept_run *newest = runs[count - 1];
    *out = (struct pyr_comparison_side){.name = pyr_arena_strdup(m->arena, side->name),
                                        .version = copy(m->arena, newest->version),
                                        .revision = copy(m->arena, newest->revision),
                                        .time_unix_s = newest->time_unix_s,
                                        .runs = count,
                                        .simulated = newest->simulated};
}

/* --- numbers --------------------------------------------------------------------------------- */

/* Geometric mean, with the least and greatest, or the only one's own interval. */
static struct pyr_estimate summarise(const struct pyr_compare_values *values) {
    if (values->count == 1) {
        struct pyr_estimate only = values->only;
        if (isnan(only.lo) || isnan(only.hi))
            only.reason = "a single value without an interval";
        return only;
    }
    struct pyr_estimate estimate = {.lo = INFINITY, .hi = -INFINITY};
    double logs = 0, sum = 0;
    for (size_t i = 0; i < values->count; i++) {
        logs += log(values->items[i]);
        sum += values->items[i];
        estimate.lo = fmin(estimate.lo, values->items[i]);
        estimate.hi = fmax(estimate.hi, values->items[i]);
    }
    double n = (double)values->count;
    estimate.value = estimate.lo > 0 ? exp(logs / n) : sum / n;
    return estimate;
}

/* The widest ratio that the two sides' own intervals allow. Without intervals the points alone. */
static struct pyr_estimate single_ratio(const struct pyr_estimate *a, const struct pyr_estimate *b,
                                        const char **note) {
    struct pyr_estimate ratio = {.value = b->value / a->value};
    bool bounded = a->lo > 0 && a->hi > 0 && b->lo > 0 && b->hi > 0;
    ratio.lo = bounded ? b->lo / a->hi : ratio.value;
    ratio.hi = bounded ? b->hi / a->lo : ratio.value;
    *note = bounded ? "single: from the intervals within one run, which do not see what moves "
                      "between runs"
                    : "single: no interval, the threshold alone";
    return ratio;
}

static bool is_gated(const struct pyr_compare_options *options, const struct pyr_compare_row *row,
                     bool *groups_taken) {
    if (pyr_metric_info(row->metric)->better == PYR_BETTER_NEITHER)
        return false;
    if (options->gates) {
        for (size_t i = 0; i < options->gate_count; i++)
            if (key_is(&options->gates[i], row))
                return true;
        return false;
    }
    if (row->group == 0 || groups_taken[row->group])
        return false;
    groups_taken[row->group] = true;
    return true;
}

static struct pyr_compared_metric *next_metric(struct maker *m) {
    if (m->metric_count == m->metric_capacity) {
        size_t capacity = m->metric_capacity ? 2 * m->metric_capacity : 64;
        struct pyr_compared_metric *grown = pyr_arena_array(m->arena, capacity, sizeof *grown);
        if (m->metric_count)
            memcpy(grown, m->metrics, m->metric_count * sizeof *grown);
        m->metrics = grown;
        m->metric_capacity = capacity;
    }
    return &m->metrics[m->metric_count++];
}

static bool is_varied(const struct pyr_compare_options *options, const char *key, size_t length) {
    for (size_t i = 0; i < options->vary_count; i++)
        if (strlen(options->vary[i]) == length && strncmp(options->vary[i], key, length) == 0)
            return true;
    return false;
}

/* Whether every "key=value" of `a` stands in `b` too, but for those that are meant to differ. */
static bool covers(const struct pyr_compare_options *options, const char *a, const char *b) {
    while (*a) {
        size_t pair = strcspn(a, ";"), key = strcspn(a, "=;");
        bool found = is_varied(options, a, key);
        for (const char *at = b; *at && !found;) {
            size_t other = strcspn(at, ";");
            found = other == pair && strncmp(at, a, pair) == 0;
            at += other + (at[other] == ';');
        }
        if (!found)
            return false;
        a += pair + (a[pair] == ';');
    }
    return true;
}

/* The case under one name must be the same work on both sides. */
static bool same_settings(const struct maker *m, const struct pyr_kept_case *current) {
    const struct pyr_kept_run *newest = m->baseline[m->baseline_count - 1];
    const struct pyr_kept_case *stored = pyr_kept_case(newest, current->suite, current->id);
    if (stored && is_foreign(newest) && !pyr_compare_same_lengths(stored, current))
        return false;
    if (!stored || !stored->params || !*stored->params || !current->params || !*current->params)
        return true;
    return covers(m->options, stored->params, current->params) &&
           covers(m->options, current->params, stored->params);
}

/* False when a side does not have it. */
static bool compare_row(struct maker *m, const struct pyr_kept_case *like,
                        const struct pyr_compare_row *row, bool *groups_taken) {
    struct pyr_compare_values a =
        pyr_compare_gather(m->arena, m->baseline, m->baseline_count, like->suite, like->id, row);
    struct pyr_compare_values b =
        pyr_compare_gather(m->arena, m->current, m->current_count, like->suite, like->id, row);
    if (a.count == 0 || b.count == 0)
        return false;
    struct pyr_compared_metric *metric = next_metric(m);
    *metric = (struct pyr_compared_metric){.suite = pyr_arena_strdup(m->arena, like->suite),
                                           .case_id = pyr_arena_strdup(m->arena, like->id),
                                           .metric = row->metric,
                                           .statistic = pyr_kept_names[row->statistic],
                                           .gated = is_gated(m->options, row, groups_taken),
                                           .threshold = threshold_of(m->options, row),
                                           .baseline = summarise(&a),
                                           .current = summarise(&b),
                                           .baseline_values = a.items,
                                           .baseline_count = a.count,
                                           .current_values = b.items,
                                           .current_count = b.count,
                                           .p = (double)NAN,
                                           .spread = (double)NAN};
    metric->metric = pyr_metric_by_load(row->metric, like->open_loop);
    if (row->metric == PYR_M_ERROR_RATE) {
        pyr_compare_error_rate(metric);
        return true;
    }
    struct pyr_prediction prediction;
    pyr_predict(b.items, b.count, a.items, a.count, &prediction);
    bool higher = pyr_metric_info(metric->metric)->better == PYR_BETTER_HIGHER;
    metric->ratio = prediction.ratio;
    metric->p = higher ? prediction.p_lower : prediction.p_higher;
    metric->spread = prediction.run_cv;
    if (m->out->kind == PYR_COMPARED_SINGLE)
        metric->ratio = single_ratio(&metric->baseline, &metric->current, &metric->note);
    if (!same_settings(m, like))
        metric->ratio = pyr_estimate_unknown("the settings of this case differ");
    /* Kept for the judging, which comes when all p are known. */
    metric->judgement.gate = row->floor;
    return true;
}

static const struct pyr_compare_row *row_of(const struct maker *m,
                                            const struct pyr_compared_metric *metric) {
    for (size_t i = 0; i < m->rows.count; i++)
        if (m->rows.items[i].metric == pyr_metric_of_either(metric->metric) &&
            strcmp(pyr_kept_names[m->rows.items[i].statistic], metric->statistic) == 0)
            return &m->rows.items[i];
    return NULL;
}

/* One-sided p of "worse" and of "better" each by Holm over the gated metrics. (The one is the
 * other's complement but where runs repeat to the last bit, and there nothing is better.) */
static void judge_all(struct maker *m) {
    double *worse = pyr_arena_array(m->arena, m->metric_count, sizeof *worse);
    double *better = pyr_arena_array(m->arena, m->metric_count, sizeof *better);
    for (size_t i = 0; i < m->metric_count; i++) {
        bool counts = m->metrics[i].gated;
        worse[i] = counts ? m->metrics[i].p : (double)NAN;
        better[i] = counts ? 1 - m->metrics[i].p : (double)NAN;
    }
    pyr_holm(worse, m->metric_count, worse);
    pyr_holm(better, m->metric_count, better);
    for (size_t i = 0; i < m->metric_count; i++) {
        struct pyr_compared_metric *metric = &m->metrics[i];
        const struct pyr_compare_row *row = row_of(m, metric);
        if (row->metric != PYR_M_ERROR_RATE) {
            bool higher = pyr_metric_info(metric->metric)->better == PYR_BETTER_HIGHER;
            double floor = m->out->noise_floor.ratio;
            const struct pyr_gate gate = {.threshold = metric->threshold,
                                          .noise_floor = isnan(floor) ? 0 : floor,
                                          .higher_is_better = higher,
                                          .absolute_floor = row->floor,
                                          .level = metric->baseline.value};
            double p_worse = metric->gated ? worse[i] : metric->p;
            double p_better = metric->gated ? better[i] : 1 - metric->p;
            metric->judgement = pyr_judge(&metric->ratio, &gate, higher ? p_better : p_worse,
                                          higher ? p_worse : p_better);
            if (metric->gated)
                metric->p = worse[i];
        }
        if (m->incomparable) {
            metric->judgement.verdict = PYR_INCOMPARABLE;
            metric->judgement.reason = m->incomparable;
        } else if (m->machine_moved > 0 && metric->judgement.verdict != PYR_INCOMPARABLE &&
                   metric->metric != PYR_M_ERROR_RATE &&
                   fabs(log(metric->ratio.value)) <= 3 * m->machine_moved) {
            metric->judgement.verdict = PYR_INCONCLUSIVE;
            metric->judgement.reason = "the machine itself moved between the two";
        }
    }
}

/* --- the whole ---------------------------------------------------------------------------------
 */

static const char *only_name(struct maker *m, const struct pyr_kept_case *kept, const char *what) {
    return pyr_arena_printf(m->arena, "%s %s%s%s", kept->suite, kept->id, what ? " " : "",
                            what ? what : "");
}

/* Cases, and gated metrics of common cases, that only the first side has. */
static void list_only(struct maker *m, const struct pyr_kept_run *here,
                      const struct pyr_kept_run *there, const char *const **names, size_t *count) {
    const char **list = pyr_arena_array(m->arena, MOST_ONLY, sizeof *list);
    *count = 0;
    for (size_t i = 0; i < here->case_count && *count < MOST_ONLY; i++) {
        const struct pyr_kept_case *kept = &here->cases[i];
        const struct pyr_kept_case *other = pyr_kept_case(there, kept->suite, kept->id);
        if (!other) {
            list[(*count)++] = only_name(m, kept, NULL);
            continue;
        }
        for (size_t k = 0; k < m->rows.count && *count < MOST_ONLY; k++) {
            const struct pyr_compare_row *row = &m->rows.items[k];
            if (row->group == 0 ||
                pyr_compare_gather(m->arena, &here, 1, kept->suite, kept->id, row).count == 0 ||
                pyr_compare_gather(m->arena, &there, 1, kept->suite, kept->id, row).count > 0)
                continue;
            list[(*count)++] =
                only_name(m, kept,
                          pyr_arena_printf(m->arena, "%s %s", pyr_metric_info(row->metric)->name,
                                           pyr_kept_names[row->statistic]));
        }
    }
    *names = list;
}

/* The seed of the prompts, as text; NULL where the run does not say. */
static const char *seed_of(struct pyr_arena *arena, const struct pyr_kept_run *run) {
    json_t *meta = run->meta_json ? json_loads(run->meta_json, 0, NULL) : NULL;
    const json_t *seed = json_object_get(json_object_get(meta, "config"), "seed");
    const char *text = json_is_integer(seed)
                           ? pyr_arena_printf(arena, "%lld", (long long)json_integer_value(seed))
                           : NULL;
    json_decref(meta);
    return text;
}

/* The baseline run whose prompts were those of the current one, or NULL. */
static const struct pyr_kept_run *same_prompts(struct maker *m, const struct pyr_kept_run *now) {
    const char *seed = seed_of(m->arena, now);
    for (size_t i = m->baseline_count; i-- > 0;) {
        const char *other = seed_of(m->arena, m->baseline[i]);
        if ((!seed && !other) || (seed && other && strcmp(seed, other) == 0))
            return m->baseline[i];
    }
    return NULL;
}

static void compare_outputs(struct maker *m, const struct pyr_kept_run *b) {
    const struct pyr_kept_run *a = same_prompts(m, b);
    if (!a)
        return;
    for (size_t i = 0; i < a->case_count; i++) {
        const struct pyr_kept_case *one = &a->cases[i];
        const struct pyr_kept_case *other = pyr_kept_case(b, one->suite, one->id);
        /* Another number of answers is another set of answers. */
        if (!other || !one->outputs_hash || !other->outputs_hash || one->ok != other->ok)
            continue;
        m->out->outputs_compared++;
        m->out->outputs_different += one->outputs_hash != other->outputs_hash;
    }
    if (m->out->outputs_compared)
        m->out->outputs = m->out->outputs_different ? PYR_OUTPUTS_DIFFER : PYR_OUTPUTS_SAME;
    if (m->out->outputs_different)
        warn(m, "the output texts differ in %zu of %zu cases: this is not the same work",
             m->out->outputs_different, m->out->outputs_compared);
}

/* The program's own readings of the machine beside each run. */
static const struct {
    const char *name;
    enum pyr_metric first, second; /* of one run; the same for a single one */
} probes[] = {
    {"memory bandwidth", PYR_M_MEMORY_BANDWIDTH, PYR_M_MEMORY_BANDWIDTH},
    {"a fixed loop of arithmetic", PYR_M_MACHINE_LOOP_BEFORE, PYR_M_MACHINE_LOOP_AFTER},
};
enum { PROBES = sizeof probes / sizeof *probes };

/* The geometric mean of a run's readings; NaN without any. */
static double reading_of(const struct pyr_kept_run *run, size_t probe) {
    double logs = 0;
    size_t n = 0;
    for (size_t k = 0; k < run->case_count; k++)
        for (size_t i = 0; i < run->cases[k].metric_count; i++) {
            const struct pyr_kept_metric *metric = &run->cases[k].metrics[i];
            if ((metric->metric != probes[probe].first && metric->metric != probes[probe].second) ||
                !(metric->at[PYR_KEPT_VALUE].value > 0))
                continue;
            logs += log(metric->at[PYR_KEPT_VALUE].value);
            n++;
        }
    return n ? exp(logs / (double)n) : (double)NAN;
}

struct readings {
    double mean, least, most;
};

static struct readings readings_of(const struct pyr_kept_run *const *runs, size_t count,
                                   size_t probe) {
    struct readings readings = {.mean = (double)NAN, .least = (double)NAN, .most = (double)NAN};
    double logs = 0;
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        double reading = reading_of(runs[i], probe);
        if (isnan(reading))
            continue;
        logs += log(reading);
        n++;
        readings.least = fmin(readings.least, reading);
        readings.most = fmax(readings.most, reading);
    }
    if (n)
        readings.mean = exp(logs / (double)n);
    return readings;
}

/* If the machine moved by a third of the threshold, and out of the range that the baseline's runs
 * saw, what is no larger than three times that says nothing about the target. */
static void watch_machine(struct maker *m) {
    for (size_t probe = 0; probe < PROBES; probe++) {
        struct readings before = readings_of(m->baseline, m->baseline_count, probe);
        struct readings now = readings_of(m->current, m->current_count, probe);
        double change = now.mean / before.mean - 1;
        if (isnan(change) || fabs(change) <= m->options->threshold / 3 ||
            (now.mean >= before.least && now.mean <= before.most))
            continue;
        m->machine_moved = fmax(m->machine_moved, fabs(log1p(change)));
        warn(m,
             "%s, measured beside both, moved by %+.1f %%: the machine is not what it was; compare "
             "with --ab, both alive and interleaved",
             probes[probe].name, 100 * change);
    }
}

static double floor_of(const struct pyr_kept_run *const *runs, size_t count, double floor) {
    for (size_t i = 0; i < count; i++)
        if (!(runs[i]->noise_floor.value <= floor) && !isnan(runs[i]->noise_floor.value))
            floor = runs[i]->noise_floor.value;
    return floor;
}

static double size_of(const struct pyr_compared_metric *metric) {
    bool sized = metric->metric != PYR_M_ERROR_RATE && !isnan(metric->judgement.worse);
    return sized || metric->judgement.verdict == PYR_REGRESSED ? metric->judgement.worse : -1e300;
}

static int by_weight(const void *x, const void *y) {
    const struct pyr_compared_metric *a = x, *b = y;
    if (a->gated != b->gated)
        return a->gated ? -1 : 1;
    static const int rank[] = {[PYR_REGRESSED] = 0,
                               [PYR_INCONCLUSIVE] = 1,
                               [PYR_INCOMPARABLE] = 2,
                               [PYR_IMPROVED] = 3,
                               [PYR_UNCHANGED] = 4};
    int difference = rank[a->judgement.verdict] - rank[b->judgement.verdict];
    if (difference)
        return difference;
    /* What has no size (error rates are told in points) comes last. */
    double worse_a = size_of(a), worse_b = size_of(b);
    if (worse_a != worse_b)
        return worse_a > worse_b ? -1 : 1;
    int order = strcmp(a->suite, b->suite);
    if (order == 0)
        order = strcmp(a->case_id, b->case_id);
    if (order == 0)
        order = (a->metric > b->metric) - (a->metric < b->metric);
    return order ? order : strcmp(a->statistic, b->statistic);
}

/* "TTFT p50 +15.1 % [+14.0, +16.2] (medium/c8)". */
static const char *describe_change(struct pyr_comparison *c,
                                   const struct pyr_compared_metric *metric) {
    const char *label = pyr_metric_info(metric->metric)->label;
    bool plain = strcmp(metric->statistic, "value") == 0;
    /* Which instant a time counts from, a case's other metrics say too. */
    size_t length = strcspn(label, "(");
    while (length > 0 && label[length - 1] == ' ')
        length--;
    const char *name = pyr_arena_printf(c->arena, "%.*s%s%s", (int)length, label, plain ? "" : " ",
                                        plain ? "" : metric->statistic);
    if (metric->metric == PYR_M_ERROR_RATE)
        return pyr_arena_printf(c->arena, "%s %+.2f points (%s)", name,
                                100 * metric->judgement.worse, metric->case_id);
    const struct pyr_estimate *ratio = &metric->ratio;
    return pyr_arena_printf(c->arena, "%s %+.1f %% [%+.1f, %+.1f] beside a gate of %.1f %% (%s)",
                            name, 100 * (ratio->value - 1), 100 * (ratio->lo - 1),
                            100 * (ratio->hi - 1), 100 * metric->judgement.gate, metric->case_id);
}

/* "3 of 5 gated metrics regressed, 1 improved, 1 unchanged". */
static const char *describe_counts(struct pyr_comparison *c, const size_t counts[5]) {
    static const enum pyr_verdict order[] = {PYR_REGRESSED, PYR_IMPROVED, PYR_INCONCLUSIVE,
                                             PYR_INCOMPARABLE, PYR_UNCHANGED};
    static const char *const words[] = {[PYR_REGRESSED] = "regressed",
                                        [PYR_IMPROVED] = "improved",
                                        [PYR_INCONCLUSIVE] = "inconclusive",
                                        [PYR_INCOMPARABLE] = "incomparable",
                                        [PYR_UNCHANGED] = "unchanged"};
    struct pyr_buf buf = {0};
    for (size_t i = 0; i < 5; i++) {
        if (counts[order[i]] == 0)
            continue;
        if (buf.length)
            pyr_buf_printf(&buf, ", %zu %s", counts[order[i]], words[order[i]]);
        else
            pyr_buf_printf(&buf, "%zu of %zu gated metrics %s", counts[order[i]], c->gated_count,
                           words[order[i]]);
    }
    const char *text = pyr_arena_strdup(c->arena, pyr_buf_text(&buf));
    pyr_buf_deinit(&buf);
    return text;
}

static const char *summarise_all(struct pyr_comparison *c, const size_t counts[5]) {
    const char *verdict = pyr_arena_printf(c->arena, "%s%s", pyr_verdict_name(c->verdict),
                                           c->kind == PYR_COMPARED_SINGLE ? " (single)" : "");
    if (c->gated_count == 0)
        return pyr_arena_printf(c->arena, "%s: nothing that both have is gated", verdict);
    const struct pyr_compared_metric *worst = &c->metrics[0];
    if (c->verdict == PYR_UNCHANGED)
        return pyr_arena_printf(c->arena, "%s: all %zu gated metrics lie within %.1f %%", verdict,
                                c->gated_count, 100 * c->threshold);
    if (worst->judgement.verdict == PYR_INCOMPARABLE || isnan(worst->judgement.worse))
        return pyr_arena_printf(c->arena, "%s: %s; %s", verdict,
                                worst->judgement.reason ? worst->judgement.reason : "no ratio",
                                describe_counts(c, counts));
    return pyr_arena_printf(c->arena, "%s: %s; %s", verdict, describe_change(c, worst),
                            describe_counts(c, counts));
}

void pyr_comparison_finish(struct pyr_comparison *c, struct pyr_compared_metric *metrics,
                           size_t count) {
    qsort(metrics, count, sizeof *metrics, by_weight);
    c->metrics = metrics;
    c->metric_count = count;
    enum pyr_verdict *verdicts = pyr_arena_array(c->arena, count, sizeof *verdicts);
    size_t counts[5] = {0};
    for (size_t i = 0; i < count; i++)
        if (metrics[i].gated) {
            verdicts[c->gated_count++] = metrics[i].judgement.verdict;
            counts[metrics[i].judgement.verdict]++;
        }
    c->verdict = pyr_verdict_of_all(verdicts, c->gated_count);
    c->has_regression = c->verdict == PYR_REGRESSED;
    c->summary = summarise_all(c, counts);
}

static void say_how_to_get_more(struct maker *m) {
    struct pyr_comparison *c = m->out;
    bool other_environment = false;
    for (size_t i = 0; i < c->part_count; i++)
        other_environment |= !c->parts[i].warning;
    if (m->incomparable && other_environment) {
        c->more = "measure both on the same machine with the same settings; name what is meant to "
                  "differ with --vary PART; or compare both alive with --ab A B";
    } else if (c->kind == PYR_COMPARED_SINGLE || m->baseline_count < PYR_STORED_RUNS_LEAST) {
        c->more = pyr_arena_printf(
            c->arena,
            "the baseline has %zu run%s and %d are needed: 'pyrometer baseline TARGET' makes "
            "them, 'pyrometer bench --runs N' adds some%s",
            m->baseline_count, m->baseline_count == 1 ? "" : "s", PYR_STORED_RUNS_LEAST,
            c->kind == PYR_COMPARED_SINGLE ? ""
                                           : "; --single judges these as they are and says so");
    } else if (c->verdict == PYR_INCONCLUSIVE) {
        c->more =
            "--confirm measures both again, alive and interleaved, which sees smaller changes";
    }
}

static bool compare_cases(struct maker *m, struct pyr_err *err) {
    const struct pyr_kept_run *newest = m->current[m->current_count - 1];
    for (size_t i = 0; i < newest->case_count; i++) {
        bool groups_taken[PYR_COMPARE_GROUPS] = {false};
        for (size_t k = 0; k < m->rows.count; k++)
            compare_row(m, &newest->cases[i], &m->rows.items[k], groups_taken);
    }
    const struct pyr_kept_run *stored = m->baseline[m->baseline_count - 1];
    list_only(m, stored, newest, &m->out->only_baseline, &m->out->only_baseline_count);
    list_only(m, newest, stored, &m->out->only_current, &m->out->only_current_count);
    if (m->metric_count > 0)
        return true;
    return pyr_fail(
        err, PYR_E_INVALID,
        "nothing to compare: %s has %s%s, %s has %s%s; measure the same cases with both",
        m->out->baseline.name, m->out->only_baseline_count ? m->out->only_baseline[0] : "no case",
        m->out->only_baseline_count > 1 ? ", ..." : "", m->out->current.name,
        m->out->only_current_count ? m->out->only_current[0] : "no case",
        m->out->only_current_count > 1 ? ", ..." : "");
}

static bool make(struct maker *m, const struct pyr_compare_side *baseline,
                 const struct pyr_compare_side *current, struct pyr_err *err) {
    struct pyr_comparison *c = m->out;
    m->warnings = pyr_arena_array(m->arena, MOST_WARNINGS, sizeof *m->warnings);
    m->baseline = pyr_arena_array(m->arena, baseline->count, sizeof *m->baseline);
    m->current = pyr_arena_array(m->arena, current->count, sizeof *m->current);
    m->baseline_count = usable(m, baseline, m->baseline);
    m->current_count = usable(m, current, m->current);
    if (m->baseline_count == 0 || m->current_count == 0)
        return pyr_fail(err, PYR_E_INVALID, "nothing to compare: %s has no whole run; run it again",
                        m->baseline_count == 0 ? baseline->name : current->name);
    match_environments(m);
    c->kind = m->options->single && m->baseline_count < PYR_STORED_RUNS_LEAST ? PYR_COMPARED_SINGLE
                                                                              : PYR_COMPARED_RUNS;
    c->threshold = m->options->threshold;
    describe_side(m, baseline, m->baseline, m->baseline_count, &c->baseline);
    describe_side(m, current, m->current, m->current_count, &c->current);
    double floor = floor_of(m->current, m->current_count,
                            floor_of(m->baseline, m->baseline_count, (double)NAN));
    c->noise_floor = (struct pyr_noise_floor){
        .ratio = floor, .source = isnan(floor) ? "not measured" : "the runs' own A/A comparison"};
    if (!compare_cases(m, err))
        return false;
    compare_outputs(m, m->current[m->current_count - 1]);
    watch_machine(m);
    for (size_t i = 0; i < c->part_count; i++)
        if (c->parts[i].warning)
            warn(m, "%s: %s, now %s", c->parts[i].part,
                 c->parts[i].baseline ? c->parts[i].baseline : "unknown",
                 c->parts[i].current ? c->parts[i].current : "unknown");
    if (c->current.simulated || c->baseline.simulated)
        warn(m, "simulated: a set law was measured and no model ran");
    judge_all(m);
    pyr_comparison_finish(c, m->metrics, m->metric_count);
    say_how_to_get_more(m);
    c->warnings = m->warnings;
    c->warning_count = m->warning_count;
    return true;
}

bool pyr_compare_runs(const struct pyr_compare_side *baseline,
                      const struct pyr_compare_side *current,
                      const struct pyr_compare_options *options, struct pyr_comparison **comparison,
                      struct pyr_err *err) {
    struct pyr_arena *arena = pyr_arena_create();
    struct maker m = {.arena = arena,
                      .options = options,
                      .out = pyr_arena_alloc(arena, sizeof(struct pyr_comparison))};
    m.out->arena = arena;
    pyr_compare_rows_fill(&m.rows);
    if (!make(&m, baseline, current, err)) {
        pyr_arena_destroy(arena);
        return false;
    }
    *comparison = m.out;
    return true;
}

void pyr_comparison_destroy(struct pyr_comparison *comparison) {
    if (comparison)
        pyr_arena_destroy(comparison->arena);
}
