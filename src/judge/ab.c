/* SPDX-License-Identifier: MIT */
#include "judge/ab.h"

#include "base/rng.h"
#include "estimate/pairs.h"
#include "estimate/sample.h"
#include "judge/compare.h"
#include "judge/compare_rows.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    PILOT_BLOCKS = 8, /* of each arm: enough to tell a CV of 3 % from one of 10 % */
    SIZE_MOST = 1000000,
    DURATION_DEFAULT_S = 600
};

/* The three blocks of a pair. */
enum { SIDE_A, SIDE_B, SIDE_A_AGAIN, SIDES };

struct experiment {
    struct pyr_ab_arm *arms[SIDES];
    const struct pyr_ab_options *options;
    struct pyr_arena *arena;
    size_t sides, pairs;       /* sides: 3, or 2 without the floor; pairs: as asked for */
    size_t run, done;          /* pairs that were run whole; of these, kept */
    size_t least;              /* pairs that a verdict needs */
    struct pyr_ab_span *spans; /* (2 * pairs, sides), by pairs that were run */
    struct pyr_ab_troubles troubles;
    uint64_t ran_ns;
    uint64_t size;
    double pilot_cv; /* expected of a block at `size` */
    bool short_blocks;
    struct pyr_ab_block *blocks; /* (2 * pairs, SIDES) */
    const char *warnings[8];
    size_t warning_count;
};

static void warn(struct experiment *e, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void warn(struct experiment *e, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (e->warning_count < sizeof e->warnings / sizeof *e->warnings)
        e->warnings[e->warning_count++] = pyr_arena_strdup(e->arena, text);
}

static bool is_stopped(const struct experiment *e) {
    return e->options->stop && *e->options->stop;
}

static void tell(const struct experiment *e, const char *what, uint64_t done, uint64_t of,
                 double block_s) {
    const struct pyr_ab_progress progress = {done, of, what, e->size, block_s};
    if (e->options->progress)
        e->options->progress(e->options->progress_context, &progress);
}

/* Numbers of blocks never repeat, so that no prompt does: pilots are far from the pairs, and the
 * second A of a pair does other work than the first. */
static uint64_t number_of(size_t pair, size_t side) {
    return 1 + 2 * pair + (side == SIDE_A_AGAIN);
}
static uint64_t pilot_number(size_t i) {
    return (UINT64_C(1) << 32) + i;
}

/* --- the size of a block ------------------------------------------------------------------------
 */

/* A side of which nothing succeeds any more has ended, or cannot do this work: its blocks have no
 * times, and no verdict may come of that. */
static bool run_block(struct experiment *e, const char *what, size_t side, uint64_t number,
                      struct pyr_ab_block *block, struct pyr_err *err) {
    struct pyr_ab_arm *arm = e->arms[side];
    *block = (struct pyr_ab_block){.ns = 0};
    if (!arm->ops->block(arm, e->size, number, block, err))
        return false;
    return block->ok > 0 || block->broken || is_stopped(e) ||
           pyr_fail(err, PYR_E_ENGINE,
                    "%s: none of the %llu requests of a block (%s, %zu of %zu pairs done) "
                    "succeeded; see that it still runs and takes such requests",
                    arm->name, (unsigned long long)block->total, what, e->run, e->pairs);
}

static bool fail_early(struct pyr_err *err) {
    return pyr_fail(err, PYR_E_INTERRUPTED, "stopped before the first pair");
}

static bool warm_up(struct experiment *e, struct pyr_err *err) {
    e->size = e->arms[SIDE_A]->ops->pilot_size;
    for (size_t side = 0; side < 2; side++) {
        struct pyr_ab_block block;
        if (!run_block(e, "warm-up", side, pilot_number(side), &block, err))
            return is_stopped(e) && fail_early(err);
        if (is_stopped(e))
            return fail_early(err);
        tell(e, "warm-up", side + 1, 2, (double)block.ns * 1e-9);
    }
    return true;
}

/* From pilot blocks of both arms: the size at which the slowest to settle of the gated measures
 * varies by 3 %, as far as the time allows. */
static bool find_size(struct experiment *e, struct pyr_err *err) {
    const struct pyr_ab_arm_ops *ops = e->arms[SIDE_A]->ops;
    double values[2][PYR_AB_MEASURES_MAX][PILOT_BLOCKS];
    double ns = 0;
    for (size_t i = 0; i < PILOT_BLOCKS && !is_stopped(e); i++)
        for (size_t side = 0; side < 2; side++) {
            struct pyr_ab_block block;
            if (!run_block(e, "sizing", side, pilot_number(2 + i), &block, err))
                return is_stopped(e) && fail_early(err);
            for (size_t k = 0; k < ops->measure_count; k++)
                values[side][k][i] = block.values[k];
            ns += (double)block.ns / (2 * PILOT_BLOCKS);
            tell(e, "sizing", 2 * i + side + 1, 2 * PILOT_BLOCKS, (double)block.ns * 1e-9);
        }
    if (is_stopped(e))
        return fail_early(err);
    uint64_t time =
        e->options->duration_ns ? e->options->duration_ns : DURATION_DEFAULT_S * PYR_NS_PER_S;
    double room = (double)time / (ns * (double)(e->sides * e->pairs));
    uint64_t most =
        room * (double)e->size < SIZE_MOST ? (uint64_t)(room * (double)e->size) : SIZE_MOST;
    if (most < e->size)
        most = e->size;
    uint64_t wanted = e->size;
    for (size_t side = 0; side < 2; side++)
        for (size_t k = 0; k < ops->measure_count; k++) {
            struct pyr_block_size found =
                pyr_size_blocks(values[side][k], PILOT_BLOCKS, e->size, most);
            if (!ops->measures[k].gated)
                continue;
            if (found.requests > wanted)
                wanted = found.requests;
            if (!found.reached) {
                e->short_blocks = true;
                e->pilot_cv = fmax(e->pilot_cv, found.cv_expected);
            }
        }
    e->size = wanted;
    if (room < 1)
        warn(e, "the smallest blocks take %.0f s for %zu pairs, longer than the time given",
             ns * (double)(e->sides * e->pairs) * 1e-9, e->pairs);
    if (e->short_blocks)
        warn(e,
             "blocks of %llu vary by about %.1f %%, more than 3 %%: give more --duration to see "
             "smaller changes",
             (unsigned long long)e->size, 100 * e->pilot_cv);
    return true;
}

/* --- the pairs
 * ------------------------------------------------------------------------------------ */

static void look(const struct experiment *e, struct pyr_ab_reading *reading) {
    const struct pyr_ab_machine *machine = e->options->machine;
    if (machine)
        machine->read(machine->context, reading);
    else
        *reading = (struct pyr_ab_reading){NAN, NAN, NAN, NAN, NAN};
}

/* One more pair. After a signal it is not whole, whatever its blocks say: what fails then may have
 * had the signal too. */
static bool run_pair(struct experiment *e, struct pyr_rng *rng, size_t aim, struct pyr_err *err) {
    size_t order[SIDES] = {SIDE_A, SIDE_B, SIDE_A_AGAIN}, i = e->run;
    struct pyr_ab_reading now;
    pyr_rng_shuffle(rng, order, e->sides, sizeof *order);
    look(e, &now);
    for (size_t k = 0; k < e->sides; k++) {
        size_t side = order[k];
        struct pyr_ab_block *block = &e->blocks[i * SIDES + side];
        struct pyr_ab_span *span = &e->spans[i * e->sides + side];
        span->before = now;
        bool fine = run_block(e, "pairs", side, number_of(i, side), block, err);
        if (is_stopped(e))
            return true;
        if (!fine)
            return false;
        if (block->broken)
            return pyr_fail(err, PYR_E_IO, "%s: a block could not be finished",
                            e->arms[side]->name);
        look(e, &now);
        span->after = now;
        e->ran_ns += block->ns;
        tell(e, "pairs", i * e->sides + k + 1, aim * e->sides, (double)block->ns * 1e-9);
    }
    e->run++;
    return true;
}

/* Moves the pairs without trouble to the front. */
static void drop_troubled(struct experiment *e, const enum pyr_ab_trouble *trouble) {
    e->done = 0;
    for (size_t i = 0; i < e->run; i++)
        if (trouble[i] == PYR_AB_CALM)
            memmove(&e->blocks[SIDES * e->done++], &e->blocks[SIDES * i],
                    SIDES * sizeof *e->blocks);
}

/* As many pairs without trouble as were asked for, as far as twice as many and the time go. */
static bool run_pairs(struct experiment *e, struct pyr_err *err) {
    enum pyr_ab_trouble *trouble = pyr_arena_array(e->arena, 2 * e->pairs, sizeof *trouble);
    uint64_t time =
        e->options->duration_ns ? e->options->duration_ns : DURATION_DEFAULT_S * PYR_NS_PER_S;
    struct pyr_rng rng;
    pyr_rng_init_stream(&rng, e->options->seed, 1);
    size_t aim = e->pairs;
    while (e->run < aim && !is_stopped(e)) {
        if (e->run >= e->pairs && e->ran_ns >= time)
            break;
        if (!run_pair(e, &rng, aim, err))
            return false;
        if (e->run == aim) {
            pyr_ab_find_troubles(e->spans, e->run, e->sides, trouble, &e->troubles);
            aim = e->pairs + e->troubles.troubled;
            aim = aim < 2 * e->pairs ? aim : 2 * e->pairs;
        }
    }
    pyr_ab_find_troubles(e->spans, e->run, e->sides, trouble, &e->troubles);
    drop_troubled(e, trouble);
    return true;
}

/* --- what it means
 * -------------------------------------------------------------------------------- */

static double *column(const struct experiment *e, size_t side, size_t measure) {
    double *values = pyr_arena_array(e->arena, e->done, sizeof *values);
    for (size_t i = 0; i < e->done; i++)
        values[i] = e->blocks[i * SIDES + side].values[measure];
    return values;
}

/* A block that the machine disturbed would pull a mean away from what the ratio says. */
static struct pyr_estimate summarise(const struct experiment *e, const double *values) {
    double *sorted = pyr_arena_array(e->arena, e->done, sizeof *sorted);
    size_t count = 0;
    for (size_t i = 0; i < e->done; i++)
        if (isfinite(values[i]))
            sorted[count++] = values[i];
    if (count == 0)
        return pyr_estimate_unknown("no block has it");
    pyr_sort_doubles(sorted, count);
    return (struct pyr_estimate){
        .value = pyr_median_of_sorted(sorted, count), .lo = sorted[0], .hi = sorted[count - 1]};
}

/* In the comparison's own arena: the arms are gone when it is told. */
static const char *case_of(const struct experiment *e) {
    const struct pyr_ab_arm *arm = e->arms[SIDE_A];
    return pyr_arena_strdup(e->arena, arm->case_id ? arm->case_id : arm->ops->case_id);
}

/* Everything of a metric but the verdict, which waits for the other p. */
static void compare_measure(const struct experiment *e, size_t k,
                            struct pyr_compared_metric *metric, struct pyr_noise *noise) {
    const struct pyr_ab_arm *arm = e->arms[SIDE_A];
    const struct pyr_ab_measure *measure = &arm->ops->measures[k];
    double *a = column(e, SIDE_A, k), *b = column(e, SIDE_B, k), *again = NULL;
    struct pyr_pairs pairs, itself;
    pyr_compare_pairs(a, b, e->done, &pairs);
    *noise = (struct pyr_noise){.floor = (double)NAN};
    if (e->sides == SIDES) {
        again = column(e, SIDE_A_AGAIN, k);
        pyr_compare_pairs(a, again, e->done, &itself);
        *noise = pyr_noise_floor(&itself);
    }
    bool higher = pyr_metric_info(measure->metric)->better == PYR_BETTER_HIGHER;
    *metric = (struct pyr_compared_metric){.suite = "ab",
                                           .case_id = case_of(e),
                                           .metric = measure->metric,
                                           .statistic = measure->statistic,
                                           .gated = measure->gated,
                                           .threshold = e->options->threshold,
                                           .baseline = summarise(e, a),
                                           .current = summarise(e, b),
                                           .baseline_values = a,
                                           .current_values = b,
                                           .baseline_count = e->done,
                                           .current_count = e->done,
                                           .again_values = again,
                                           .ratio = pairs.ratio,
                                           .p = higher ? pairs.p_lower : pairs.p_higher,
                                           .spread = pairs.cv};
}

static void judge(const struct experiment *e, struct pyr_compared_metric *metrics,
                  const struct pyr_noise *noise, size_t count) {
    double worse[PYR_AB_MEASURES_MAX], better[PYR_AB_MEASURES_MAX];
    for (size_t k = 0; k < count; k++) {
        worse[k] = metrics[k].gated ? metrics[k].p : (double)NAN;
        better[k] = metrics[k].gated ? 1 - metrics[k].p : (double)NAN;
    }
    pyr_holm(worse, count, worse);
    pyr_holm(better, count, better);
    for (size_t k = 0; k < count; k++) {
        const struct pyr_ab_measure *measure = &e->arms[SIDE_A]->ops->measures[k];
        bool higher = pyr_metric_info(measure->metric)->better == PYR_BETTER_HIGHER;
        const struct pyr_gate gate = {.threshold = e->options->threshold,
                                      .noise_floor = noise[k].floor,
                                      .higher_is_better = higher,
                                      .beyond = true,
                                      .spread = metrics[k].spread,
                                      .absolute_floor = measure->floor,
                                      .level = metrics[k].baseline.value};
        double p_worse = metrics[k].gated ? worse[k] : metrics[k].p;
        double p_better = metrics[k].gated ? better[k] : 1 - metrics[k].p;
        metrics[k].judgement = pyr_judge(&metrics[k].ratio, &gate, higher ? p_better : p_worse,
                                         higher ? p_worse : p_better);
        metrics[k].p = p_worse;
    }
}

static void count_errors(const struct experiment *e, struct pyr_compared_metric *metric) {
    uint64_t total[SIDES] = {0}, ok[SIDES] = {0};
    for (size_t i = 0; i < e->done * SIDES; i++) {
        total[i % SIDES] += e->blocks[i].total;
        ok[i % SIDES] += e->blocks[i].ok;
    }
    double a = 1 - (double)ok[SIDE_A] / (double)total[SIDE_A];
    double b = 1 - (double)ok[SIDE_B] / (double)total[SIDE_B];
    *metric = (struct pyr_compared_metric){.suite = "ab",
                                           .case_id = case_of(e),
                                           .metric = PYR_M_ERROR_RATE,
                                           .statistic = "value",
                                           .gated = true,
                                           .threshold = e->options->threshold,
                                           .baseline = {.value = a, .lo = a, .hi = a},
                                           .current = {.value = b, .lo = b, .hi = b},
                                           .p = (double)NAN,
                                           .spread = (double)NAN};
    pyr_compare_error_rate(metric);
}

static void compare_outputs(struct experiment *e, struct pyr_comparison *c) {
    for (size_t i = 0; i < e->done; i++) {
        const struct pyr_ab_block *a = &e->blocks[i * SIDES + SIDE_A];
        const struct pyr_ab_block *b = &e->blocks[i * SIDES + SIDE_B];
        if (!a->outputs_hash || !b->outputs_hash || a->ok != a->total || b->ok != b->total)
            continue;
        c->outputs_compared++;
        c->outputs_different += a->outputs_hash != b->outputs_hash;
    }
    if (c->outputs_compared)
        c->outputs = c->outputs_different ? PYR_OUTPUTS_DIFFER : PYR_OUTPUTS_SAME;
    if (c->outputs_different)
        warn(e, "what came out differs in %zu of %zu pairs: this is not the same work",
             c->outputs_different, c->outputs_compared);
}

static struct pyr_comparison_side describe(const struct experiment *e, size_t side) {
    const struct pyr_ab_arm *arm = e->arms[side];
    return (struct pyr_comparison_side){
        .name = pyr_arena_strdup(e->arena, arm->name),
        .version = PYR_VERSION,
        .engine = arm->engine ? pyr_arena_strdup(e->arena, arm->engine) : NULL,
        .time_unix_s = (double)NAN,
        .runs = e->done,
        .simulated = arm->simulated};
}

/* With fewer pairs than a slowdown could be significant with, nothing is said either way. */
static void hold_back(struct experiment *e, struct pyr_compared_metric *metrics, size_t count) {
    const char *reason = pyr_arena_printf(e->arena, "%zu whole pair%s, and a verdict needs %zu",
                                          e->done, e->done == 1 ? "" : "s", e->least);
    for (size_t k = 0; k < count; k++) {
        metrics[k].judgement.verdict = PYR_INCONCLUSIVE;
        metrics[k].judgement.reason = reason;
    }
}

static void warn_of_troubles(struct experiment *e) {
    const struct pyr_ab_troubles *t = &e->troubles;
    if (t->dropped)
        warn(e,
             "%zu of %zu pairs dropped, on both sides, as the machine was not the same for their "
             "blocks: CPU time taken by the hypervisor %zu, by other processes %zu, a change of "
             "its speed %zu",
             t->dropped, e->run, t->counts[PYR_AB_STEAL], t->counts[PYR_AB_OTHERS],
             t->counts[PYR_AB_MODE]);
    else if (t->comes_with_a || t->comes_with_b)
        warn(e, "the machine was not the same in %zu of %zu pairs, and that comes with %s: left in",
             t->troubled, e->run, e->arms[t->comes_with_b ? SIDE_B : SIDE_A]->name);
    else if (t->everywhere)
        warn(e,
             "the machine was not the same within %zu of %zu pairs: too many to drop, so all count",
             t->troubled, e->run);
}

static void conclude(struct experiment *e, struct pyr_comparison *c) {
    size_t count = e->arms[SIDE_A]->ops->measure_count;
    struct pyr_compared_metric *metrics = pyr_arena_array(e->arena, count + 1, sizeof *metrics);
    struct pyr_noise noise[PYR_AB_MEASURES_MAX];
    c->noise_floor = (struct pyr_noise_floor){
        .ratio = (double)NAN,
        .pairs = e->sides == SIDES ? e->done : 0,
        .source = e->sides == SIDES ? "A against itself in this run" : "not measured"};
    for (size_t k = 0; k < count; k++) {
        compare_measure(e, k, &metrics[k], &noise[k]);
        if (!metrics[k].gated || isnan(noise[k].floor))
            continue;
        c->noise_floor.ratio = fmax(c->noise_floor.ratio, noise[k].floor);
        c->noise_biased |= noise[k].biased;
    }
    judge(e, metrics, noise, count);
    count_errors(e, &metrics[count]);
    c->kind = PYR_COMPARED_PAIRS;
    c->threshold = e->options->threshold;
    c->order_seed = e->options->seed;
    c->pairs = e->done;
    c->block_size = e->size;
    c->baseline = describe(e, SIDE_A);
    c->current = describe(e, SIDE_B);
    compare_outputs(e, c);
    if (c->baseline.simulated || c->current.simulated)
        warn(e, "simulated: a set law was measured and no model ran");
    warn_of_troubles(e);
    if (e->done < e->least)
        hold_back(e, metrics, count + 1);
    c->pairs_asked = e->pairs;
    c->pairs_dropped = e->troubles.dropped;
    pyr_comparison_finish(c, metrics, count + 1);
    if (is_stopped(e)) {
        c->summary = pyr_arena_printf(e->arena, "%s (broken off after %zu of %zu pairs)",
                                      c->summary, e->run, e->pairs);
        warn(e,
             "broken off after %zu of %zu pairs; the pair that was under way is dropped on both "
             "sides",
             e->run, e->pairs);
    }
    if (c->verdict == PYR_INCONCLUSIVE)
        c->more = "more pairs (--pairs) or longer blocks (--duration) see smaller changes; a "
                  "quieter machine sees them sooner";
    const char **warnings = pyr_arena_array(e->arena, e->warning_count, sizeof *warnings);
    memcpy(warnings, e->warnings, e->warning_count * sizeof *warnings);
    c->warnings = warnings;
    c->warning_count = e->warning_count;
}

static bool run_all(struct experiment *e, struct pyr_err *err) {
    if (!warm_up(e, err))
        return false;
    if (e->options->block_size)
        e->size = e->options->block_size;
    else if (!find_size(e, err))
        return false;
    if (!run_pairs(e, err))
        return false;
    return e->done > 0 || fail_early(err);
}

/* All of n pairs on one side have p = 2^-n, which Holm multiplies by the gated metrics: with fewer
 * pairs than this not even that would count. */
static size_t least_pairs(const struct pyr_ab_arm_ops *ops) {
    size_t gated = 0, pairs = PYR_PAIRS_LEAST;
    for (size_t k = 0; k < ops->measure_count; k++)
        gated += ops->measures[k].gated;
    while (ldexp((double)gated, -(int)pairs) > PYR_ALPHA_ONE_SIDED)
        pairs++;
    return pairs;
}

bool pyr_ab_run(struct pyr_ab_arm *a, struct pyr_ab_arm *b, const struct pyr_ab_options *options,
                struct pyr_comparison **comparison, struct pyr_err *err) {
    size_t pairs = options->pairs ? options->pairs : PYR_PAIRS_USUAL;
    size_t least = least_pairs(a->ops);
    if (pairs < least || pairs > PYR_PAIRS_MOST)
        return pyr_fail(err, PYR_E_USAGE,
                        "--pairs %zu: give %zu to %d; with fewer no slowdown could be significant",
                        pairs, least, PYR_PAIRS_MOST);
    if (a->ops != b->ops)
        return pyr_fail(err, PYR_E_USAGE,
                        "'%s' and '%s' are a target and a command; compare two of a kind", a->name,
                        b->name);
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_comparison *c = pyr_arena_alloc(arena, sizeof *c);
    c->arena = arena;
    struct experiment e = {.arms = {a, b, a},
                           .options = options,
                           .arena = arena,
                           .sides = options->no_floor ? 2 : SIDES,
                           .pairs = pairs,
                           .least = least,
                           .blocks = pyr_arena_array(arena, 2 * pairs * SIDES, sizeof *e.blocks),
                           .spans = pyr_arena_array(arena, 2 * pairs * SIDES, sizeof *e.spans)};
    if (!run_all(&e, err)) {
        pyr_arena_destroy(arena);
        return false;
    }
    conclude(&e, c);
    *comparison = c;
    return true;
}
