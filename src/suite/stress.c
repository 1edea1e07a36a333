/* SPDX-License-Identifier: MIT */
#include "suite/stress.h"

#include "base/clock.h"
#include "base/fs.h"
#include "sample/machine.h"
#include "stats/capacity.h"
#include "suite/planner.h"
#include "suite/session.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MOST_DEFAULT = 50,        /* the documents' --max-concurrency */
    DURATION_DEFAULT_S = 300, /* and their --duration */
    LEVEL_DEFAULT_S = 30,     /* and the time of one level of their search */
    LEVELS_MAX = 64,
    EXTENSIONS = 2,   /* doublings of the default time of a level that stays undecided */
    EDGE_TRIES = 2,   /* how often the edge of the bracket is tried again */
    UPPER_TRIES = 3,  /* bisections between what is undecided and the first failure */
    SWEEP_RATES = 10, /* even steps up to the most */
    WARMUP_SHARE = 10 /* a level of an open loop fills up for so much of its time */
};

/* What the documents call stable: at most 5 % errors and p95 within a second. */
#define STABLE_GOALS "error=5%,latency_p95=1s"
/* Loads that differ by less are one. */
static const double narrow_ratio = 1.05;

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
    double most = 0;
    for (size_t i = 0; i < st->options->load_count; i++)
        most = fmax(most, st->options->loads[i]);
    if (most > 0)
        return most;
    if (is_open(st))
        return o->clients ? o->rate * (double)o->clients : o->rate;
    return (double)(st->options->most ? st->options->most : MOST_DEFAULT);
}

static void be_of_stress(struct pyr_plan_case *one) {
    one->suite = &pyr_suite_stress;
    snprintf(one->record.suite, sizeof one->record.suite, "%s", pyr_suite_stress.name);
}

/* A case of the class that the plan gave, at that load. */
static struct pyr_plan_case *set_case(struct stress *st, size_t index, double load,
                                      const char *id) {
    struct pyr_plan_case *one = &st->cases[index];
    *one = st->plan.cases[0];
    be_of_stress(one);
    one->record.index = (uint32_t)index;
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

/* --- levels ----------------------------------------------------------------------------------- */

static bool may_go_on(const struct pyr_session *s, const struct stress *st) {
    return !pyr_session_stopped(s) && st->plan.case_count < LEVELS_MAX &&
           pyr_now_ns(&s->clock) < s->deadline_ns;
}

static void make_level(struct stress *st, double load, uint64_t time_ns) {
    const struct pyr_bench_options *o = &st->options->bench;
    size_t index = st->plan.case_count, tries = 1;
    for (size_t i = 0; i < index; i++)
        tries += (is_open(st) ? st->cases[i].record.rate
                              : (double)st->cases[i].record.concurrency) == load;
    char id[96];
    int used = snprintf(id, sizeof id, "level %s%g", is_open(st) ? "r" : "c", load);
    if (tries > 1)
        snprintf(id + used, sizeof id - (size_t)used, "/%zu", tries);
    struct pyr_plan_case *one = set_case(st, index, load, id);
    if (!o->warmup_set && !is_open(st) && one->warmup_requests < (uint64_t)load)
        one->warmup_requests = (uint64_t)load;
    if (!o->warmup_set && is_open(st))
        one->warmup_ns = time_ns / WARMUP_SHARE;
    one->level_time_ns = time_ns;
    one->watch = st->options->sweep ? PYR_WATCH_SATURATION : PYR_WATCH_LEVEL;
    one->record.flags |= PYR_CASE_LEVEL;
    one->salt = tries - 1;
    st->plan.case_count = index + 1;
}

/* Runs one level and judges it from what the run file holds by now. */
static struct pyr_level try_once(struct pyr_session *s, struct stress *st, double load,
                                 uint64_t time_ns, bool *saturating) {
    struct pyr_level level = {.load = load, .verdict = PYR_LEVEL_UNDECIDED};
    size_t index = st->plan.case_count;
    *saturating = false;
    make_level(st, load, time_ns);
    pyr_cases_run(s, index, index + 1);
    pyr_recorder_flush(s->recorder);
    struct pyr_result *result;
    struct pyr_err err;
    if (pyr_session_stopped(s) ||
        !pyr_result_make_case(s->run_path, (uint32_t)index, &result, &err))
        return level;
    const struct pyr_case_result *one = &result->suites[0].cases[0];
    level.verdict = pyr_level_judge(one, result->goals, result->goal_count, result->arena).verdict;
    *saturating = one->saturating;
    pyr_result_destroy(result);
    return level;
}

/* Doublings of a level's time: from the first on until one decides. */
struct doublings {
    unsigned first, last;
};
static const struct doublings once = {0, 0}, longer = {1, EXTENSIONS}, as_needed = {0, EXTENSIONS};

/* A level that its time could not decide gets twice as long, and again, unless the user said how
 * long a level may take. */
static enum pyr_level_verdict try_level(struct pyr_session *s, struct stress *st, double load,
                                        struct doublings how) {
    enum pyr_level_verdict verdict = PYR_LEVEL_UNDECIDED;
    unsigned last = st->options->bench.level_time_ns ? 0 : how.last;
    for (unsigned doubled = how.first; doubled <= last && may_go_on(s, st); doubled++) {
        bool saturating;
        verdict = try_once(s, st, load, st->level_time_ns << doubled, &saturating).verdict;
        if (verdict != PYR_LEVEL_UNDECIDED)
            break;
    }
    return verdict;
}

/* --- the sweep -------------------------------------------------------------------------------- */

static int rising(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The loads of a sweep, rising: the user's, else doublings or even steps up to the most. */
static size_t sweep_loads(const struct stress *st, double *loads) {
    size_t count = 0;
    double most = most_load(st);
    for (; count < st->options->load_count && count < LEVELS_MAX; count++)
        loads[count] = st->options->loads[count];
    if (count == 0 && is_open(st))
        for (; count < SWEEP_RATES; count++)
            loads[count] = most * (double)(count + 1) / SWEEP_RATES;
    for (double load = 1; count == 0 || loads[count - 1] < most; load *= 2) {
        if (st->options->load_count || is_open(st))
            break;
        loads[count++] = fmin(load, most);
    }
    qsort(loads, count, sizeof *loads, rising);
    return count;
}

static void sweep(struct pyr_session *s, struct stress *st) {
    double loads[LEVELS_MAX];
    size_t count = sweep_loads(st, loads);
    st->plan.case_count = 0;
    for (size_t i = 0; i < count && may_go_on(s, st); i++) {
        bool saturating;
        try_once(s, st, loads[i], st->level_time_ns, &saturating);
        if (saturating && i + 1 < count) {
            pyr_session_warn(s, PYR_NO_CASE,
                             "loads above %g were left out: at %g more came in than went out",
                             loads[i], loads[i]);
            break;
        }
    }
}

/* --- the search ------------------------------------------------------------------------------- */

/* Three digits: more would say that the edge is known to better than it is. */
static double tidy(double load) {
    double unit = pow(10, floor(log10(load)) - 2);
    return round(load / unit) * unit;
}

/* Between two loads: their geometric middle, because what matters is the ratio. */
static double between(const struct stress *st, double low, double high) {
    double middle = sqrt(low * high);
    if (is_open(st))
        return tidy(middle);
    middle = round(middle);
    return middle <= low ? low + 1 : middle >= high ? high - 1 : middle;
}

static bool is_narrow(const struct stress *st, double low, double high) {
    return high / low < narrow_ratio || (!is_open(st) && high - low <= 1);
}

/* What the search knows: the loads that held, could not be decided and failed, nearest the edge. A
 * load that holds says the same of those below it. */
struct bracket {
    double held, undecided, failed; /* 0 and NaN: none */
};

static void put_level(struct pyr_session *s, struct stress *st, double load, struct doublings how,
                      struct bracket *b) {
    enum pyr_level_verdict verdict = try_level(s, st, load, how);
    if (verdict == PYR_LEVEL_PASSED)
        b->held = fmax(b->held, load);
    else if (verdict == PYR_LEVEL_FAILED)
        b->failed = fmin(b->failed, load); /* fmin takes the number of a number and NaN */
    else if (!pyr_session_stopped(s))
        b->undecided = fmin(b->undecided, load);
    if (b->undecided < b->held)
        b->undecided = NAN;
}

/* Doubles until a level fails. One that is not decided does not stop it: a light load brings few
 * requests, and a heavier one that holds decides for it. Those left open at the end are given their
 * extensions, from the top. */
static void climb(struct pyr_session *s, struct stress *st, double most, struct bracket *b) {
    double open[LEVELS_MAX];
    size_t open_count = 0;
    for (double load = is_open(st) ? tidy(most / 64) : 1; may_go_on(s, st); load *= 2) {
        load = fmin(is_open(st) ? tidy(load) : load, most);
        b->undecided = NAN;
        put_level(s, st, load, once, b);
        if (b->undecided == load)
            open[open_count++] = load;
        if (b->held == load)
            open_count = 0;
        if (load >= most || !isnan(b->failed))
            break;
    }
    b->undecided = NAN;
    while (open_count > 0 && may_go_on(s, st)) {
        double load = open[--open_count];
        put_level(s, st, load, longer, b);
        if (b->held == load)
            break;
    }
}

/* The climb, bisection below what did not hold; then above what is undecided, for where levels
 * surely fail; then the edges once more, with other draws. */
static void search(struct pyr_session *s, struct stress *st) {
    double most = most_load(st);
    struct bracket b = {0, NAN, NAN};
    st->plan.case_count = 0;
    climb(s, st, most, &b);
    for (double high; may_go_on(s, st) && b.held > 0;) {
        high = fmin(b.undecided, b.failed);
        if (isnan(high) || is_narrow(st, b.held, high))
            break;
        put_level(s, st, between(st, b.held, high), as_needed, &b);
    }
    double low = b.undecided, tried;
    for (int i = 0; i < UPPER_TRIES && b.undecided < b.failed && may_go_on(s, st); i++) {
        if (is_narrow(st, low, b.failed))
            break;
        struct bracket above = {0, NAN, b.failed};
        tried = between(st, low, b.failed);
        put_level(s, st, tried, as_needed, &above);
        if (above.failed < b.failed)
            b.failed = above.failed;
        else
            low = tried;
    }
    for (int i = 0; i < EDGE_TRIES && b.held > 0 && may_go_on(s, st); i++)
        try_level(s, st, b.held, as_needed);
    if (!isnan(b.failed) && may_go_on(s, st))
        try_level(s, st, b.failed, as_needed);
    if (isnan(b.failed) && b.held >= most && !pyr_session_stopped(s))
        pyr_session_warn(s, PYR_NO_CASE,
                         "no level failed up to %g: the bracket is open above; raise the most",
                         most);
}

/* --- the job ------------------------------------------------------------------------------------
 */

static bool prepare(struct stress *st, struct pyr_err *err) {
    const struct pyr_root *root = st->options->bench.root;
    struct pyr_machine_limits limits;
    pyr_machine_limits(root ? root : &pyr_root_live, &limits);
    /* In an open loop, the cap on what is in flight. */
    bool open = is_open(st) || st->options->bench.trace;
    const uint64_t most = open ? st->options->most : (uint64_t)most_load(st);
    struct pyr_bench_options bench = st->options->bench;
    bench.suite = "concurrent";
    bench.concurrency = &most;
    bench.concurrency_count = most > 0;
    bench.slo = bench.slo ? bench.slo : STABLE_GOALS;
    if (!pyr_plan_make(&bench, limits.compute_threads, false, st->arena, &st->plan, err))
        return false;
    bool user_goals = st->options->bench.slo != NULL;
    struct pyr_goal *goals = pyr_arena_array(st->arena, st->plan.goal_count, sizeof *goals);
    for (size_t i = 0; i < st->plan.goal_count; i++) {
        goals[i] = st->plan.goals[i];
        /* A search is meant to find levels that miss: that is an answer and no failure. */
        goals[i].user = user_goals && !st->options->breaking_point && !st->options->sweep;
    }
    st->plan.goals = goals;
    st->plan.variant_count = 1;
    const struct pyr_bench_options *o = &st->options->bench;
    if (o->trace) {
        be_of_stress(&st->plan.cases[0]);
        return true;
    }
    st->plan.duration_ns = o->duration_ns ? o->duration_ns : DURATION_DEFAULT_S * PYR_NS_PER_S;
    st->cases = pyr_arena_array(st->arena, LEVELS_MAX, sizeof *st->cases);
    if (!st->options->breaking_point && !st->options->sweep)
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

static void tell_pressure(struct pyr_session *s, const struct pyr_pressure_info *taken) {
    char memory[64] = "";
    if (taken->memory_bytes)
        snprintf(memory, sizeof memory, "%.0f MB of memory held",
                 (double)taken->memory_bytes * 1e-6);
    const char *parts[] = {taken->cpu_threads ? "a thread that computes" : "", memory,
                           taken->io ? "a file written and synced" : ""};
    char text[200] = "";
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (*parts[i])
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", *text ? ", " : "",
                     parts[i]);
    pyr_session_warn(s, PYR_NO_CASE, "pressure beside the load: %s", text);
}

static void tell_toll(struct pyr_session *s, struct pyr_pressure_toll toll) {
    if (toll.given_back)
        pyr_session_warn(s, PYR_NO_CASE,
                         "%.0f MB of the memory held were given back: the machine ran low",
                         (double)toll.given_back * 1e-6);
    if (toll.written_bytes)
        pyr_session_warn(
            s, PYR_NO_CASE,
            "pressure beside the load: the file took %.0f MB and was synced %llu times",
            (double)toll.written_bytes * 1e-6, (unsigned long long)toll.synced);
    if (toll.write_errno)
        pyr_session_warn(s, PYR_NO_CASE,
                         "pressure beside the load: writing the file failed (%s), so that the disk "
                         "was pressed less than asked",
                         strerror(toll.write_errno));
}

/* Pressure begins when the target is open, so that what it takes is left of what the target needs.
 */
static void under_pressure(struct pyr_session *s, void *context) {
    struct stress *st = context;
    struct pyr_pressure_options wanted = st->options->pressure;
    struct pyr_pressure *pressure = NULL;
    struct pyr_pressure_info taken = {0};
    wanted.stop = st->options->bench.stop;
    uint64_t asked_ns = pyr_now_ns(&s->clock);
    if (wanted.cpu_threads || wanted.memory_bytes || wanted.io) {
        if (!pyr_pressure_start(&wanted, &pressure, &taken, &s->broken))
            return;
        tell_pressure(s, &taken);
        s->deadline_ns += pyr_now_ns(&s->clock) - asked_ns; /* filling memory is none of the run */
    }
    if (st->options->breaking_point)
        search(s, st);
    else if (st->options->sweep)
        sweep(s, st);
    else
        pyr_cases_run(s, 0, 1);
    pyr_session_calibrate(s); /* under the same pressure */
    tell_toll(s, pyr_pressure_stop(pressure));
}

bool pyr_stress_run(const struct pyr_stress_options *options, pyr_bench_progress_fn *progress,
                    void *progress_context, struct pyr_bench_outcome *outcome,
                    struct pyr_err *err) {
    memset(outcome, 0, sizeof *outcome);
    struct stress st = {.options = options, .arena = pyr_arena_create()};
    struct pyr_session_progress told = {progress, progress_context};
    bool ok = prepare(&st, err) && pyr_session_run(&options->bench, &st.plan, "stress_test_results",
                                                   &told, under_pressure, &st, outcome, err);
    pyr_arena_destroy(st.arena);
    return ok;
}

/* --- the suite of bench -------------------------------------------------------------------------
 */

static bool plan(struct pyr_planner *p, uint32_t variant, struct pyr_err *err) {
    const struct pyr_preset *preset = p->preset;
    size_t count = preset->stress_level_count;
    const struct pyr_prompt_class *class = &p->plan->classes[p->plan->class_count / 2];
    for (size_t i = 0; i < count; i++) {
        char name[64];
        struct pyr_plan_case *one =
            pyr_planner_add_closed(p, variant, class, preset->stress_levels[i], "", err);
        if (!one)
            return false;
        snprintf(name, sizeof name, "level c%llu", (unsigned long long)preset->stress_levels[i]);
        pyr_planner_name(p, one, name, "%s", one->record.params);
        one->record.flags |= PYR_CASE_LEVEL;
        one->watch = PYR_WATCH_SATURATION;
        one->requests = p->options->requests;
        one->level_time_ns =
            p->options->level_time_ns ? p->options->level_time_ns : preset->stress_ns / count;
        if (!p->options->warmup_set && one->warmup_requests < preset->stress_levels[i])
            one->warmup_requests = preset->stress_levels[i];
    }
    return true;
}

const struct pyr_suite pyr_suite_stress = {
    .name = "stress",
    .summary = "levels of load one after the other: which of them the target carries",
    .goals = STABLE_GOALS,
    .plan = plan,
    .run = pyr_cases_run,
};
