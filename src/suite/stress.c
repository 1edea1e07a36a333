/* SPDX-License-Identifier: MIT */
#include "suite/stress.h"

#include "base/clock.h"
#include "base/fs.h"
#include "sample/machine.h"
#include "stats/capacity.h"
#include "suite/session.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    MOST_DEFAULT = 50,        /* the documents' --max-concurrency */
    DURATION_DEFAULT_S = 300, /* and their --duration */
    LEVEL_DEFAULT_S = 30,     /* and the time of one level of their search */
    LEVELS_MAX = 64,
    EXTENSIONS = 2,
    EDGE_TRIES = 2 /* how often the edge of the bracket is tried again */
};

/* What the documents call stable: at most 5 % errors and p95 within a second. */
static const char stable_goals[] = "error=5%,latency_p95=1s";

struct stress {
    const struct pyr_stress_options *options;
    struct pyr_plan plan;
    struct pyr_plan_case *cases; /* (LEVELS_MAX) */
    struct pyr_arena *arena;
    uint64_t level_time_ns;
};

static bool is_open(const struct stress *st) {
    return st->options->bench.rate > 0;
}

static double most_load(const struct stress *st) {
    const struct pyr_bench_options *o = &st->options->bench;
    if (is_open(st))
        return o->clients ? o->rate * (double)o->clients : o->rate;
    return (double)(st->options->most ? st->options->most : MOST_DEFAULT);
}

/* A case of the class that the plan gave, at that load. */
static struct pyr_plan_case *set_case(struct stress *st, size_t index, double load,
                                      const char *id) {
    struct pyr_plan_case *one = &st->cases[index];
    *one = st->plan.cases[0];
    one->record.index = (uint32_t)index;
    snprintf(one->record.suite, sizeof one->record.suite, "stress");
    snprintf(one->record.id, sizeof one->record.id, "%s", id);
    if (is_open(st))
        one->record.rate = load;
    else
        one->record.concurrency = (uint32_t)load;
    one->requests = st->options->bench.requests;
    one->pattern = NULL;
    return one;
}

/* --- patterns --------------------------------------------------------------------------------- */

static bool prepare_pattern(struct stress *st, struct pyr_err *err) {
    const struct pyr_stress_options *o = st->options;
    const char *name = o->pattern ? o->pattern : "steady";
    struct pyr_pattern_options wanted = {.name = name,
                                         .top = most_load(st),
                                         .duration_ns = st->plan.duration_ns,
                                         .spike_height = o->spike_height,
                                         .spike_period_ns = o->spike_period_ns,
                                         .spike_width_ns = o->spike_width_ns,
                                         .whole = !is_open(st),
                                         .seed = o->bench.seed};
    struct pyr_pattern *pattern = pyr_arena_alloc(st->arena, sizeof *pattern);
    if (!pyr_pattern_make(&wanted, st->arena, pattern, err))
        return false;
    char id[96];
    snprintf(id, sizeof id, "%s/%s%g", name, is_open(st) ? "r" : "c", most_load(st));
    struct pyr_plan_case *one = set_case(st, 0, most_load(st), id);
    one->pattern = pattern;
    one->warmup_requests = 0;
    one->warmup_ns = 0;
    one->level_time_ns = st->plan.duration_ns;
    st->plan.cases = st->cases;
    st->plan.case_count = 1;
    return true;
}

/* --- the search ------------------------------------------------------------------------------- */

static bool may_go_on(const struct pyr_session *s, const struct stress *st) {
    return !pyr_session_stopped(s) && st->plan.case_count < LEVELS_MAX &&
           pyr_now_ns(&s->clock) < s->deadline_ns;
}

/* Runs one level and judges it from what the run file holds by now. */
static enum pyr_level_verdict try_once(struct pyr_session *s, struct stress *st, double load,
                                       uint64_t time_ns) {
    size_t index = st->plan.case_count;
    char id[96];
    snprintf(id, sizeof id, "level %s%g/%zu", is_open(st) ? "r" : "c", load, index);
    struct pyr_plan_case *one = set_case(st, index, load, id);
    if (!is_open(st) && !st->options->bench.warmup_set && one->warmup_requests < (uint64_t)load)
        one->warmup_requests = (uint64_t)load;
    one->level_time_ns = time_ns;
    st->plan.case_count = index + 1;
    pyr_cases_run(s, index, index + 1);
    pyr_recorder_flush(s->recorder);
    struct pyr_result *result;
    struct pyr_err err;
    if (pyr_session_stopped(s) || !pyr_result_make(s->run_path, &result, &err))
        return PYR_LEVEL_UNDECIDED;
    enum pyr_level_verdict verdict = PYR_LEVEL_UNDECIDED;
    for (size_t i = 0; i < result->suite_count; i++)
        for (size_t c = 0; c < result->suites[i].case_count; c++)
            if (result->suites[i].cases[c].plan->index == index)
                verdict =
                    pyr_level_judge(&result->suites[i].cases[c], result->goals, result->goal_count)
                        .verdict;
    pyr_result_destroy(result);
    return verdict;
}

/* A level that its time could not decide gets twice as long, and again. */
static enum pyr_level_verdict try_level(struct pyr_session *s, struct stress *st, double load) {
    enum pyr_level_verdict verdict = PYR_LEVEL_UNDECIDED;
    for (unsigned doubled = 0; doubled <= EXTENSIONS && may_go_on(s, st); doubled++) {
        verdict = try_once(s, st, load, st->level_time_ns << doubled);
        if (verdict != PYR_LEVEL_UNDECIDED)
            break;
    }
    return verdict;
}

/* Between two loads: their geometric middle, because what matters is the ratio. */
static double between(const struct stress *st, double low, double high) {
    double middle = sqrt(low * high);
    if (is_open(st))
        return middle;
    middle = round(middle);
    return middle <= low ? low + 1 : middle >= high ? high - 1 : middle;
}

static bool is_narrow(const struct stress *st, double low, double high) {
    return is_open(st) ? high / low < 1.05 : high - low <= 1;
}

/* Doubling until a level fails, bisection down to neighbours, then the edge once more. */
static void search(struct pyr_session *s, void *context) {
    struct stress *st = context;
    double most = most_load(st), low = 0, high = NAN;
    double load = is_open(st) ? most / 64 : 1;
    st->plan.case_count = 0;
    while (may_go_on(s, st)) {
        if (try_level(s, st, load) != PYR_LEVEL_PASSED) {
            high = load;
            break;
        }
        low = load;
        if (load >= most)
            break;
        load = fmin(load * 2, most);
    }
    while (!isnan(high) && low > 0 && !is_narrow(st, low, high) && may_go_on(s, st)) {
        load = between(st, low, high);
        if (try_level(s, st, load) == PYR_LEVEL_PASSED)
            low = load;
        else
            high = load;
    }
    for (int i = 0; i < EDGE_TRIES && low > 0 && may_go_on(s, st); i++)
        try_level(s, st, low);
    if (!isnan(high) && may_go_on(s, st))
        try_level(s, st, high);
    if (isnan(high) && low >= most && !pyr_session_stopped(s))
        pyr_session_warn(s, PYR_NO_CASE,
                         "no level failed up to %g: the bracket is open above; raise the most",
                         most);
}

static void drive_pattern(struct pyr_session *s, void *context) {
    (void)context;
    pyr_cases_run(s, 0, 1);
}

/* --- the job ------------------------------------------------------------------------------------
 */

static bool prepare(struct stress *st, struct pyr_err *err) {
    static const struct pyr_root live = {""};
    struct pyr_machine_limits limits;
    pyr_machine_limits(&live, &limits);
    const uint64_t most = (uint64_t)most_load(st);
    struct pyr_bench_options bench = st->options->bench;
    bench.suite = "concurrent";
    if (bench.rate <= 0) {
        bench.concurrency = &most;
        bench.concurrency_count = 1;
    }
    bench.slo = bench.slo ? bench.slo : stable_goals;
    if (!pyr_plan_make(&bench, limits.compute_threads, false, st->arena, &st->plan, err))
        return false;
    bool user_goals = st->options->bench.slo != NULL;
    struct pyr_goal *goals = pyr_arena_array(st->arena, st->plan.goal_count, sizeof *goals);
    for (size_t i = 0; i < st->plan.goal_count; i++) {
        goals[i] = st->plan.goals[i];
        /* A search is meant to find levels that miss: that is an answer and no failure. */
        goals[i].user = user_goals && !st->options->breaking_point;
    }
    st->plan.goals = goals;
    st->plan.variant_count = 1;
    st->plan.cold_loads = st->plan.warm_loads = 0;
    const struct pyr_bench_options *o = &st->options->bench;
    st->plan.duration_ns = o->duration_ns ? o->duration_ns : DURATION_DEFAULT_S * PYR_NS_PER_S;
    st->cases = pyr_arena_array(st->arena, LEVELS_MAX, sizeof *st->cases);
    if (!st->options->breaking_point)
        return prepare_pattern(st, err);
    struct pyr_plan_case *first = &st->plan.cases[0];
    first->level_time_ns = o->level_time_ns ? o->level_time_ns : LEVEL_DEFAULT_S * PYR_NS_PER_S;
    st->level_time_ns = first->level_time_ns;
    set_case(st, 0, is_open(st) ? most_load(st) / 64 : 1, "level");
    /* The time limit is the user's; each level has its own. */
    if (!o->duration_ns)
        st->plan.duration_ns = LEVELS_MAX * first->level_time_ns;
    struct pyr_plan_case model = *first;
    st->plan.cases = st->cases;
    st->plan.cases[0] = model;
    st->plan.case_count = 1;
    return true;
}

bool pyr_stress_run(const struct pyr_stress_options *options, pyr_bench_progress_fn *progress,
                    void *progress_context, struct pyr_bench_outcome *outcome,
                    struct pyr_err *err) {
    memset(outcome, 0, sizeof *outcome);
    struct stress st = {.options = options, .arena = pyr_arena_create()};
    struct pyr_session_progress told = {progress, progress_context};
    struct pyr_pressure *pressure = NULL;
    struct pyr_pressure_info taken = {0};
    const struct pyr_pressure_options *p = &options->pressure;
    bool ok = prepare(&st, err);
    if (ok && (p->cpu_threads || p->memory_bytes || p->io))
        ok = pyr_pressure_start(p, &pressure, &taken, err);
    if (pressure) {
        const char **notes = pyr_arena_array(st.arena, st.plan.skipped_count + 1, sizeof *notes);
        for (size_t i = 0; i < st.plan.skipped_count; i++)
            notes[i] = st.plan.skipped[i];
        notes[st.plan.skipped_count++] = pyr_arena_printf(
            st.arena, "pressure beside the load: %u threads computing, %.0f MB held%s",
            taken.cpu_threads, (double)taken.memory_bytes * 1e-6,
            taken.io ? ", a file synced" : "");
        st.plan.skipped = notes;
    }
    ok = ok && pyr_session_run(&options->bench, &st.plan, "stress_test_results", &told,
                               options->breaking_point ? search : drive_pattern, &st, outcome, err);
    pyr_pressure_stop(pressure);
    pyr_arena_destroy(st.arena);
    return ok;
}
