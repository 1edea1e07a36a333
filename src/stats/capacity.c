/* SPDX-License-Identifier: MIT */
#include "stats/capacity.h"

#include "stats/goals.h"
#include "stats/tries.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Under this share of the offered rate a target is behind, however good the answers it gives. */
static const double delivered_least = 0.95;

bool pyr_case_is_level(const struct pyr_case *plan) {
    /* Files from before the flag: there was one suite with levels, and it named them so. */
    return (plan->flags & PYR_CASE_LEVEL) ||
           (strcmp(plan->suite, "stress") == 0 && strncmp(plan->id, "level", 5) == 0);
}

static bool is_behind(const struct pyr_case_result *one) {
    const struct pyr_metric_result *offered = pyr_case_metric(one, PYR_M_OFFERED_RATE);
    const struct pyr_metric_result *carried = pyr_case_metric(one, PYR_M_REQUEST_THROUGHPUT);
    if (!one->plan->open_loop || !offered)
        return false;
    return !carried || carried->value.hi < delivered_least * offered->value.value;
}

/* What was seen of a goal: what ended the level early where that was this goal, else the figures.
 */
static const char *goal_evidence(const struct pyr_goal *goal, const struct pyr_case_result *one,
                                 struct pyr_arena *arena) {
    size_t length = strlen(goal->label);
    if (one->ended_early && strncmp(one->ended_early, goal->label, length) == 0)
        return one->ended_early;
    struct pyr_estimate seen = pyr_goal_seen(goal, one);
    const struct pyr_metric_result *row = pyr_case_metric(one, pyr_metric_find(goal->metric));
    return pyr_arena_printf(arena, "%s: %s of %llu requests", goal->label,
                            pyr_goal_saw(goal, &seen, arena),
                            (unsigned long long)(row ? row->n : one->total));
}

static const char *delivery(const struct pyr_case_result *one, struct pyr_arena *arena) {
    const struct pyr_metric_result *carried = pyr_case_metric(one, PYR_M_REQUEST_THROUGHPUT);
    return pyr_arena_printf(arena, "%.3g/s ended well of %.3g/s offered",
                            carried ? carried->value.value : 0,
                            pyr_case_metric(one, PYR_M_OFFERED_RATE)->value.value);
}

/* What fails a level whatever the goals say. */
static bool fails_by_itself(const struct pyr_case_result *one, struct pyr_arena *arena,
                            struct pyr_level *level) {
    if (one->ok == 0) {
        level->by = "no request ended well";
        level->evidence =
            pyr_arena_printf(arena, "none of %llu requests", (unsigned long long)one->total);
    } else if (one->saturating) {
        level->by = "over-saturated";
        level->evidence = pyr_arena_printf(
            arena, "over-saturated: %s",
            one->saturation ? one->saturation : "requests in flight and TTFT both kept rising");
    } else if (is_behind(one)) {
        level->by = "delivered under 95 % of the offered rate";
        level->evidence = delivery(one, arena);
    }
    return level->by != NULL;
}

/* The steady window decides. Where that is too short to, the whole of the level does: it had a
 * warm-up of its own. */
static enum pyr_goal_verdict decide(const struct pyr_goal *goal, const struct pyr_case_result *one,
                                    struct pyr_case_result *whole) {
    *whole = *one;
    enum pyr_goal_verdict verdict = pyr_goal_decide(goal, one);
    if (verdict == PYR_GOAL_MET || verdict == PYR_GOAL_MISSED || one->whole_count == 0)
        return verdict;
    whole->metrics = one->whole;
    whole->metric_count = one->whole_count;
    return pyr_goal_decide(goal, whole);
}

struct pyr_level pyr_level_judge(const struct pyr_case_result *one,
                                 const struct pyr_goal_result *goals, size_t goal_count,
                                 struct pyr_arena *arena) {
    struct pyr_level level = {.load = one->plan->open_loop ? one->plan->rate
                                                           : (double)one->plan->concurrency,
                              .verdict = PYR_LEVEL_PASSED,
                              .one = one,
                              .tries = 1};
    if (one->late) {
        level.verdict = PYR_LEVEL_UNDECIDED;
        level.by = "not sent on time";
        const char *told = strstr(one->late, ": "); /* behind the level's own name */
        level.evidence = told ? told + 2 : one->late;
        return level;
    }
    if (fails_by_itself(one, arena, &level)) {
        level.verdict = PYR_LEVEL_FAILED;
        return level;
    }
    for (size_t i = 0; i < goal_count; i++) {
        const struct pyr_goal *goal = goals[i].goal;
        if (!pyr_goal_applies(goal, one->plan))
            continue;
        struct pyr_case_result judged;
        enum pyr_goal_verdict verdict = decide(goal, one, &judged);
        if (verdict == PYR_GOAL_MET ||
            (verdict != PYR_GOAL_MISSED && level.verdict == PYR_LEVEL_UNDECIDED))
            continue;
        level.by = goal->label;
        level.evidence = goal_evidence(goal, &judged, arena);
        level.verdict = verdict == PYR_GOAL_MISSED ? PYR_LEVEL_FAILED : PYR_LEVEL_UNDECIDED;
        if (level.verdict == PYR_LEVEL_FAILED)
            break;
    }
    return level;
}

const char *pyr_level_verdict_name(enum pyr_level_verdict verdict) {
    static const char *const names[] = {"passed", "failed", "undecided"};
    return names[verdict];
}

static int by_load(const void *a, const void *b) {
    const struct pyr_level *x = a, *y = b;
    if (x->load != y->load)
        return x->load < y->load ? -1 : 1;
    return x->one->plan->index < y->one->plan->index ? -1 : 1; /* in the order of the tries */
}

/* One entry a load from `count` tries of it: failed when any try failed, passed when any decided
 * try passed; a longer try decides what a shorter one could not. The tries of that verdict are
 * shown together: one of them alone would be the luckiest, or the unluckiest. */
static struct pyr_level join_tries(const struct pyr_level *tries, size_t count,
                                   struct pyr_arena *arena) {
    struct pyr_level held = tries[0];
    for (size_t i = 1; i < count; i++) {
        bool longer = tries[i].one->whole_s >= held.one->whole_s;
        if (held.verdict == tries[i].verdict
                ? longer
                : tries[i].verdict == PYR_LEVEL_FAILED || held.verdict == PYR_LEVEL_UNDECIDED)
            held = tries[i];
    }
    const struct pyr_case_result **same = pyr_arena_array(arena, count, sizeof *same);
    held.tries = count;
    held.pooled_tries = 0;
    for (size_t i = 0; i < count; i++)
        if (tries[i].verdict == held.verdict)
            same[held.pooled_tries++] = tries[i].one;
    held.pooled = pyr_tries_pool(same, held.pooled_tries, arena);
    return held;
}

static size_t join_loads(struct pyr_level *levels, size_t count, struct pyr_arena *arena) {
    size_t kept = 0;
    for (size_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && levels[end].load <= levels[i].load;)
            end++;
        levels[kept++] = join_tries(&levels[i], end - i, arena);
    }
    return kept;
}

static size_t gather(const struct pyr_result *result, struct pyr_level *levels, bool *open_loop) {
    size_t count = 0;
    for (size_t s = 0; s < result->suite_count; s++)
        for (size_t c = 0; c < result->suites[s].case_count; c++) {
            const struct pyr_case_result *one = &result->suites[s].cases[c];
            if (!pyr_case_is_level(one->plan) || one->total == 0)
                continue;
            *open_loop = one->plan->open_loop;
            levels[count++] =
                pyr_level_judge(one, result->goals, result->goal_count, result->arena);
        }
    return count;
}

void pyr_capacity_find(struct pyr_result *result) {
    size_t room = 0;
    for (size_t s = 0; s < result->suite_count; s++)
        room += result->suites[s].case_count;
    struct pyr_level *levels = pyr_arena_array(result->arena, room, sizeof *levels);
    bool open_loop = false;
    size_t count = gather(result, levels, &open_loop);
    if (count == 0)
        return;
    qsort(levels, count, sizeof *levels, by_load);
    count = join_loads(levels, count, result->arena);
    struct pyr_stress_result *stress = pyr_arena_alloc(result->arena, sizeof *stress);
    double *stable = pyr_arena_array(result->arena, count, sizeof *stable);
    *stress = (struct pyr_stress_result){.max_sustainable_load = NAN,
                                         .first_failing_load = NAN,
                                         .open_loop = open_loop,
                                         .stable_levels = stable,
                                         .levels = levels,
                                         .level_count = count};
    for (size_t i = 0; i < count; i++) {
        if (levels[i].verdict == PYR_LEVEL_PASSED) {
            stable[stress->stable_count++] = levels[i].load;
        } else if (levels[i].verdict == PYR_LEVEL_FAILED && isnan(stress->first_failing_load)) {
            stress->first_failing_load = levels[i].load;
            stress->failed_by = levels[i].by;
        }
        /* A pass above a failure is luck: what is sustained is below the first failure. */
        if (levels[i].verdict == PYR_LEVEL_PASSED && isnan(stress->first_failing_load))
            stress->max_sustainable_load = levels[i].load;
    }
    result->stress = stress;
}
