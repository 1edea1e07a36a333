/* SPDX-License-Identifier: MIT */
#include "stats/goals.h"

#include "estimate/dist.h"
#include "estimate/hist.h"
#include "stats/uses.h"

#include <math.h>
#include <string.h>

bool pyr_goal_applies(const struct pyr_goal *goal, const struct pyr_case *plan) {
    return goal->suite[0] == '\0' ? !(plan->flags & PYR_CASE_OWN_GOALS)
                                  : strcmp(goal->suite, plan->suite) == 0;
}

enum pyr_goal_verdict pyr_goal_verdict(const struct pyr_goal *goal,
                                       const struct pyr_estimate *seen) {
    if (isnan(seen->value))
        return PYR_GOAL_UNKNOWN;
    if (goal->at_least) {
        if (seen->lo >= goal->limit)
            return PYR_GOAL_MET;
        return seen->hi < goal->limit ? PYR_GOAL_MISSED : PYR_GOAL_UNDECIDED;
    }
    if (seen->hi <= goal->limit)
        return PYR_GOAL_MET;
    return seen->lo > goal->limit ? PYR_GOAL_MISSED : PYR_GOAL_UNDECIDED;
}

/* A quantile is that of all that were asked, where some failed: turning requests away would make a
 * target fast. */
static struct pyr_estimate statistic(const struct pyr_metric_result *row, const char *name) {
    if (strcmp(name, "value") == 0)
        return row->value;
    if (strcmp(name, "mean") == 0)
        return row->mean;
    for (int i = 0; i < PYR_Q_COUNT; i++)
        if (strcmp(name, pyr_quantile_names[i]) == 0)
            return row->of_all ? row->of_all->quantile[i] : row->quantile[i];
    return pyr_estimate_unknown("no such statistic");
}

struct pyr_estimate pyr_goal_seen(const struct pyr_goal *goal, const struct pyr_case_result *one) {
    const struct pyr_metric_result *row = pyr_case_metric(one, pyr_metric_find(goal->metric));
    return row ? statistic(row, goal->statistic) : pyr_estimate_unknown("not measured");
}

/* The level of a quantile's name, or 0. */
static double level_of(const char *name) {
    for (int i = 0; i < PYR_Q_COUNT; i++)
        if (strcmp(name, pyr_quantile_names[i]) == 0)
            return pyr_quantile_levels[i];
    return 0;
}

static enum pyr_goal_verdict decide_by_share(const struct pyr_goal *goal,
                                             const struct pyr_metric_result *row) {
    const double alpha = 0.025;
    double q = level_of(goal->statistic);
    if (q == 0 || !row->hist || goal->at_least || goal->limit < 0)
        return PYR_GOAL_UNDECIDED;
    uint64_t failed = row->of_all ? row->of_all->failed : 0;
    double vif = fmax(1, row->of_all ? row->of_all->vif : row->vif);
    double beyond = (double)(pyr_hist_count_above(row->hist, (uint64_t)goal->limit) + failed) / vif;
    uint64_t n = (uint64_t)((double)(row->n + failed) / vif);
    /* Too little seen of a queue says nothing of how often it is long. */
    if (!row->run_too_short && pyr_binomial_cdf((uint64_t)ceil(beyond), n, 1 - q) <= alpha)
        return PYR_GOAL_MET;
    uint64_t fewer = (uint64_t)floor(beyond);
    if (fewer > 0 && 1 - pyr_binomial_cdf(fewer - 1, n, 1 - q) <= alpha)
        return PYR_GOAL_MISSED;
    return PYR_GOAL_UNDECIDED;
}

enum pyr_goal_verdict pyr_goal_decide(const struct pyr_goal *goal,
                                      const struct pyr_case_result *one) {
    struct pyr_estimate seen = pyr_goal_seen(goal, one);
    enum pyr_metric metric = pyr_metric_find(goal->metric);
    const struct pyr_metric_result *row = pyr_case_metric(one, metric);
    /* How much was in use is read off, not sampled from anything: the reading itself decides, where
     * every other number without its bound leaves a goal undecided. */
    if (row && row->n == 1 && pyr_metric_is(metric, PYR_USE_READ_OFF))
        seen.lo = seen.hi = seen.value;
    enum pyr_goal_verdict verdict = pyr_goal_verdict(goal, &seen);
    if (row && (verdict == PYR_GOAL_UNDECIDED || verdict == PYR_GOAL_UNKNOWN)) {
        enum pyr_goal_verdict by_share = decide_by_share(goal, row);
        if (by_share != PYR_GOAL_UNDECIDED)
            return by_share;
    }
    return verdict;
}

/* Which of two cases a goal is judged by: a most (a latency, an error rate) must hold everywhere,
 * so the worst case counts; a least (a throughput) asks what the target can do, so the best one
 * does. */
static bool counts_more(const struct pyr_goal_result *held, enum pyr_goal_verdict verdict,
                        const struct pyr_estimate *seen) {
    static const int weight[] = {[PYR_GOAL_UNKNOWN] = 0,
                                 [PYR_GOAL_MET] = 1,
                                 [PYR_GOAL_UNDECIDED] = 2,
                                 [PYR_GOAL_MISSED] = 3};
    if (verdict == PYR_GOAL_UNKNOWN || held->verdict == PYR_GOAL_UNKNOWN)
        return held->verdict == PYR_GOAL_UNKNOWN;
    if (!held->goal->at_least && weight[verdict] != weight[held->verdict])
        return weight[verdict] > weight[held->verdict];
    return seen->value > held->seen.value;
}

/* Everything that was sent to it failed: whatever else was measured there (memory, our own load) is
 * of a target that did no work. */
static bool did_no_work(const struct pyr_case_result *one) {
    return one->ok == 0 && one->total > one->outcomes[PYR_OUTCOME_CANCELLED];
}

static void judge(const struct pyr_goal *goal, const struct pyr_result *result,
                  struct pyr_goal_result *out) {
    enum pyr_metric metric = pyr_metric_find(goal->metric);
    *out = (struct pyr_goal_result){.goal = goal, .verdict = PYR_GOAL_UNKNOWN};
    out->seen = pyr_estimate_unknown("not measured in this run");
    const struct pyr_case_result *idle = NULL;
    for (size_t s = 0; s < result->suite_count; s++) {
        for (size_t c = 0; c < result->suites[s].case_count; c++) {
            const struct pyr_case_result *one = &result->suites[s].cases[c];
            const struct pyr_metric_result *row =
                pyr_goal_applies(goal, one->plan) ? pyr_case_metric(one, metric) : NULL;
            if (pyr_goal_applies(goal, one->plan) && did_no_work(one))
                idle = one;
            if (!row)
                continue;
            struct pyr_estimate seen = statistic(row, goal->statistic);
            enum pyr_goal_verdict verdict = pyr_goal_decide(goal, one);
            if (!out->case_id || counts_more(out, verdict, &seen)) {
                out->case_id = one->plan->id;
                out->seen = seen;
                out->verdict = verdict;
            }
        }
    }
    /* What is to hold everywhere does not hold where there is nothing to see. */
    if (!idle || out->verdict != PYR_GOAL_MET || (goal->at_least && out->case_id != idle->plan->id))
        return;
    out->case_id = idle->plan->id;
    out->verdict = PYR_GOAL_UNKNOWN;
    out->seen = pyr_estimate_unknown("every request of one case failed");
}

/* Three significant digits: more would be read as more than is known. */
static const char *digits(struct pyr_arena *arena, double shown) {
    double size = fabs(shown);
    if (isnan(shown))
        return "?";
    if (isinf(shown))
        return "never";
    if (size >= 1e7 || (size > 0 && size < 0.0005))
        return pyr_arena_printf(arena, "%.3g", shown);
    int decimals = size >= 99.95 || size == 0 ? 0 : size >= 9.995 ? 1 : size >= 0.9995 ? 2 : 3;
    return pyr_arena_printf(arena, "%.*f", decimals, shown);
}

/* The unit that people use, and what a value is multiplied by to stand in it. */
static const char *people_unit(enum pyr_unit unit, double *factor) {
    *factor = unit == PYR_UNIT_NS || unit == PYR_UNIT_BYTES ? 1e-6
              : unit == PYR_UNIT_RATIO                      ? 100
                                                            : 1;
    return unit == PYR_UNIT_NS             ? " ms"
           : unit == PYR_UNIT_BYTES        ? " MB"
           : unit == PYR_UNIT_RATIO        ? " %"
           : unit == PYR_UNIT_TOKENS_PER_S ? " tok/s"
           : unit == PYR_UNIT_COUNT        ? ""
                                           : NULL; /* its own name */
}

static const char *shown_unit(const struct pyr_goal *goal, double *factor,
                              struct pyr_arena *arena) {
    enum pyr_unit unit = pyr_metric_info(pyr_metric_find(goal->metric))->unit;
    const char *shown = people_unit(unit, factor);
    return shown ? shown : pyr_arena_printf(arena, " %s", pyr_unit_name(unit));
}

const char *pyr_goal_saw(const struct pyr_goal *goal, const struct pyr_estimate *seen,
                         struct pyr_arena *arena) {
    double factor;
    const char *shown = shown_unit(goal, &factor, arena);
    if (isinf(seen->value))
        return pyr_arena_printf(arena, "saw none: %s", seen->reason ? seen->reason : "they failed");
    const char *value = digits(arena, seen->value * factor);
    if ((isnan(seen->lo) && isnan(seen->hi)) ||
        (seen->lo == seen->value && seen->hi == seen->value))
        return pyr_arena_printf(arena, "saw %s%s", value, shown);
    return pyr_arena_printf(arena, "saw %s [%s, %s]%s", value, digits(arena, seen->lo * factor),
                            digits(arena, seen->hi * factor), shown);
}

static const char *explain(struct pyr_arena *arena, const struct pyr_goal_result *goal) {
    double factor;
    const char *shown = shown_unit(goal->goal, &factor, arena);
    /* A limit is the user's own number and keeps its digits. */
    const char *wanted =
        pyr_arena_printf(arena, "wanted at %s %.6g%s", goal->goal->at_least ? "least" : "most",
                         goal->goal->limit * factor, shown);
    if (goal->verdict == PYR_GOAL_UNKNOWN)
        return pyr_arena_printf(arena, "%s, but %s is unknown: %s", wanted, goal->goal->metric,
                                goal->seen.reason ? goal->seen.reason : "no reason given");
    return pyr_arena_printf(arena, "%s, %s", wanted, pyr_goal_saw(goal->goal, &goal->seen, arena));
}

/* Why goals that were met say nothing, or NULL: a server that answers quickly with nothing meets
 * every goal on errors. */
static const char *lacks_evidence(const struct pyr_result *result) {
    uint64_t ok = 0, with_output = 0;
    for (size_t s = 0; s < result->suite_count; s++)
        for (size_t c = 0; c < result->suites[s].case_count; c++) {
            ok += result->suites[s].cases[c].ok;
            with_output += result->suites[s].cases[c].with_output;
        }
    if (ok && !with_output)
        return "no answer held any output";
    if (result->goals_met < result->goals_decided || result->goals_decided == result->goal_count)
        return NULL;
    for (size_t i = 0; i < result->goal_count; i++) {
        enum pyr_metric metric = pyr_metric_find(result->goals[i].goal->metric);
        if (result->goals[i].verdict == PYR_GOAL_MET && metric != PYR_M_ERROR_RATE &&
            metric != PYR_M_TIMEOUT_RATE)
            return NULL;
    }
    return "of the goals only those on errors could be decided";
}

static void grade(struct pyr_result *result) {
    struct pyr_arena *arena = result->arena;
    result->grade = PYR_GRADE_UNGRADED;
    if (result->simulated) {
        result->grade_reason = "the target is simulated";
        return;
    }
    if (result->invalid) {
        result->grade_reason = "the measurement is invalid";
        return;
    }
    if (result->partial || result->interrupted) {
        result->grade_reason = "the run is partial";
        return;
    }
    if (result->goals_decided == 0) {
        result->grade_reason =
            result->goal_count ? "no goal could be decided" : "no goals were set";
        return;
    }
    const char *evidence = lacks_evidence(result);
    if (evidence) {
        result->grade_reason = evidence;
        return;
    }
    double share = (double)result->goals_met / (double)result->goals_decided;
    result->grade = share >= 0.9   ? PYR_GRADE_EXCELLENT
                    : share >= 0.8 ? PYR_GRADE_GOOD
                    : share >= 0.6 ? PYR_GRADE_ACCEPTABLE
                                   : PYR_GRADE_POOR;
    result->grade_reason =
        pyr_arena_printf(arena, "%zu of %zu decided goals met, %zu undecided", result->goals_met,
                         result->goals_decided, result->goal_count - result->goals_decided);
}

void pyr_goals_judge(const struct pyr_goal *goals, size_t count, struct pyr_result *result) {
    struct pyr_goal *own = pyr_arena_array(result->arena, count, sizeof *own);
    struct pyr_goal_result *judged = pyr_arena_array(result->arena, count, sizeof *judged);
    for (size_t i = 0; i < count; i++) {
        own[i] = goals[i];
        judge(&own[i], result, &judged[i]);
        judged[i].why = explain(result->arena, &judged[i]);
        result->goals_met += judged[i].verdict == PYR_GOAL_MET;
        result->goals_decided +=
            judged[i].verdict == PYR_GOAL_MET || judged[i].verdict == PYR_GOAL_MISSED;
    }
    result->goals = judged;
    result->goal_count = count;
    grade(result);
}
