/* SPDX-License-Identifier: MIT
 *
 * Rates of flows whose law is known, in virtual time: closed loops whose users start in step or
 * spread, open loops that begin empty, any cut. PYR_LONG_TESTS=1 asks for ten times the seeds.
 */
#include "support/support.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "estimate/flow.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 60000 };

static uint64_t starts[MOST], ends[MOST];
static double ones[MOST];
static size_t count;

static int seeds(void) {
    return getenv("PYR_LONG_TESTS") ? 100 : 10;
}

/* --- laws: all with a mean of one second -------------------------------------------------------
 */

enum law { CONSTANT, LOGNORMAL, WIDE, BIMODAL, LAWS };
static const char *const law_names[] = {"constant", "lognormal .5", "lognormal 1", "bimodal"};

static double draw(enum law law, struct pyr_rng *rng) {
    switch (law) {
    case LOGNORMAL:
        return pyr_rng_lognormal(rng, 0.5);
    case WIDE:
        return pyr_rng_lognormal(rng, 1);
    case BIMODAL: /* a fifth takes six times as long */
        return pyr_rng_unit(rng) < 0.8 ? 0.5 : 3;
    default:
        return 1;
    }
}

static uint64_t ns_of(double seconds) {
    return (uint64_t)(seconds * 1e9);
}

static void add(double start_s, double seconds) {
    assert_true(count < MOST);
    starts[count] = ns_of(start_s);
    ends[count] = ns_of(start_s + seconds);
    ones[count++] = 1;
}

/* The users' next instants as a heap, the earliest first. */
static void sift(double *next, size_t n) {
    for (size_t at = 0, least = 0;; at = least) {
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < n; child++)
            least = next[child] < next[least] ? child : least;
        if (least == at)
            return;
        double held = next[at];
        next[at] = next[least];
        next[least] = held;
    }
}

struct closed {
    size_t users;
    double waves;
    enum law law;
    bool spread;
    double cut; /* share of the time up to the last request sent */
};

static int rising(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Sends users x waves requests from second 10 on, and waits for the last. False where not all users
 * had started in the part that the rates are taken from. */
static bool run_closed(const struct closed *run, struct pyr_rng *rng, struct pyr_flow *flow) {
    double *next = pyr_xcalloc(run->users, sizeof *next), end_s = 0, last_s = 0;
    for (size_t u = 0; u < run->users; u++)
        next[u] = run->spread ? pyr_rng_unit(rng) : 1e-6 * (double)u / (double)run->users;
    qsort(next, run->users, sizeof *next, rising);
    count = 0;
    while ((double)count < run->waves * (double)run->users) {
        double seconds = draw(run->law, rng);
        last_s = next[0];
        add(10 + last_s, seconds);
        next[0] += seconds;
        end_s = fmax(end_s, next[0]);
        sift(next, run->users);
    }
    pyr_free(next);
    double from_s = run->spread ? 1 : 0; /* all have started */
    if (last_s < from_s)
        return false;
    from_s += run->cut * (last_s - from_s);
    const struct pyr_flow_input input = {starts, ends, count, false};
    assert_true(pyr_flow_of(flow, &input, ns_of(10 + from_s), ns_of(10 + end_s) + 1));
    return !flow->burst && flow->from_ns >= ns_of(10 + run->spread);
}

/* --- closed loops ------------------------------------------------------------------------------
 */

struct tally {
    int runs, covered, outside; /* outside: of 2 % of users / mean time of the same run (1 %) */
    double widest;
};

static void count_closed(const struct closed *run, struct tally *tally, struct tally *enough,
                         double *sum, double *squares) {
    for (int seed = 0; seed < seeds(); seed++) {
        struct closed one = *run;
        struct pyr_rng rng;
        struct pyr_flow flow;
        pyr_rng_init(&rng, 1 + (uint64_t)seed * 7919 + run->users * 31 + (uint64_t)run->law +
                               (uint64_t)(run->waves * 1000) + run->spread);
        one.cut = seed % 2 ? 0.6 * pyr_rng_unit(&rng) : 0;
        if (!run_closed(&one, &rng, &flow))
            continue;
        struct pyr_estimate rate = pyr_flow_rate(&flow, ones);
        double truth = (double)run->users, off = rate.value / truth - 1;
        *sum += off;
        *squares += off * off;
        tally->runs++;
        tally->outside +=
            fabs(rate.value * flow.mean_s / truth - 1) > (run->waves < 10 ? .02 : .01);
        tally->widest = fmax(tally->widest, (rate.hi - rate.lo) / 2 / truth);
        if (flow.sent < 40) /* what comes once in five requests may not have come at all */
            continue;
        enough->runs++;
        enough->covered += !(rate.lo > truth * 1.000001) && !(rate.hi < truth * 0.999999);
    }
}

static void closed_loops_give_users_over_mean_time(void **state) {
    (void)state;
    static const size_t users[] = {1, 2, 8, 32, 128, 1000};
    static const double waves[] = {2.5, 3, 5, 10, 40, 200};
    for (int law = 0; law < LAWS; law++) {
        struct tally enough = {0};
        for (size_t w = 0; w < 6; w++) {
            for (size_t u = 0; u < 6; u++) {
                struct closed run = {users[u], waves[w], (enum law)law, false, 0};
                if (waves[w] * (double)users[u] > MOST - 1)
                    continue;
                struct tally tally = {0};
                double sum = 0, squares = 0;
                for (int spread = 0; spread < 2; spread++) {
                    run.spread = spread;
                    count_closed(&run, &tally, &enough, &sum, &squares);
                }
                double n = tally.runs, bias = sum / n;
                double noise = sqrt(squares / n / n);
                assert_int_equal(tally.outside, 0);
                /* A ratio of so few is off by cv^2/n on paper. */
                double own = 2 / (waves[w] * (double)users[u]);
                if (fabs(bias) > (waves[w] < 10 ? .02 : .01) + own + 3 * noise)
                    fail_msg("%s, %zu users, %g waves: bias %.2f %%, noise %.2f %%", law_names[law],
                             users[u], waves[w], 100 * bias, 100 * noise);
                if (law == CONSTANT && waves[w] >= 3)
                    assert_true(tally.widest < 0.03);
            }
        }
        print_message("%s: %d of %d intervals hold the rate\n", law_names[law], enough.covered,
                      enough.runs);
        assert_true(enough.covered >= 0.92 * enough.runs);
    }
}

/* The two ways that this replaces, on the runs that they fail at. */
static void counts_at_the_edges_would_not(void **state) {
    (void)state;
    struct pyr_rng rng;
    struct pyr_flow flow;
    pyr_rng_init(&rng, 5);
    /* 3,000 requests by 1,000 users in step; the window opens with wave two. */
    const struct closed in_step = {1000, 3, CONSTANT, false, 0.4999};
    assert_true(run_closed(&in_step, &rng, &flow));
    assert_near(pyr_flow_rate(&flow, ones).value, 1000, 1);
    double ended = 0;
    for (size_t i = 0; i < count; i++)
        ended += ends[i] >= flow.from_ns;
    assert_true(ended / ((double)(ends[count - 1] - flow.from_ns) * 1e-9) > 1400);
    /* Shares of each request's own time: 1 over the ratio. */
    const struct closed unlike = {1000, 2.5, BIMODAL, false, 0};
    assert_true(run_closed(&unlike, &rng, &flow));
    assert_near(pyr_flow_rate(&flow, ones).value, 1000, 80);
    assert_true(pyr_flow_littles_ratio(&flow).value < 0.8);
}

static void amounts_follow_their_requests(void **state) {
    (void)state;
    struct pyr_rng rng;
    struct pyr_flow flow;
    pyr_rng_init(&rng, 3);
    const struct closed run = {100, 7.3, LOGNORMAL, false, 0.3};
    assert_true(run_closed(&run, &rng, &flow));
    double *tokens = pyr_xcalloc(count, sizeof *tokens);
    for (size_t i = 0; i < count; i++)
        tokens[i] = 50 * (double)(ends[i] - starts[i]) * 1e-9; /* so many a second of its time */
    struct pyr_estimate rate = pyr_flow_rate(&flow, tokens);
    assert_near(rate.value, 5000, 1e-3); /* and so no interval to speak of */
    assert_near(rate.hi, 5000, 1e-2);
    pyr_free(tokens);
}

/* --- open loops --------------------------------------------------------------------------------
 */

struct open {
    double rate, seconds;
    enum law law;
    bool poisson;
};

static bool run_open(const struct open *run, double cut, struct pyr_rng *rng,
                     struct pyr_flow *flow) {
    count = 0;
    for (double at_s = 0;;) {
        at_s += run->poisson ? pyr_rng_exponential(rng) / run->rate : 1 / run->rate;
        if (at_s >= run->seconds)
            break;
        add(10 + at_s, draw(run->law, rng));
    }
    const struct pyr_flow_input input = {starts, ends, count, true};
    return pyr_flow_of(flow, &input, ns_of(10 + cut * run->seconds), ns_of(10 + run->seconds));
}

static void open_loops_give_their_rate(void **state) {
    (void)state;
    static const double rates[] = {3, 30, 200}, lengths[] = {5, 10, 40, 200};
    for (int kind = 0; kind < 2 * LAWS; kind++) {
        struct open run = {.law = (enum law)(kind / 2), .poisson = kind % 2};
        int runs = 0, covered = 0, unbounded = 0;
        for (size_t r = 0; r < 3; r++)
            for (size_t t = 0; t < 4; t++) {
                double sum = 0, squares = 0, n = seeds();
                run.rate = rates[r];
                run.seconds = lengths[t];
                for (int seed = 0; seed < seeds(); seed++) {
                    struct pyr_rng rng;
                    struct pyr_flow flow;
                    pyr_rng_init(&rng, 1000 + (uint64_t)(seed * 64 + kind) * 100 + r * 10 + t);
                    double cut = seed % 2 ? 0.4 * pyr_rng_unit(&rng) : 0;
                    assert_true(run_open(&run, cut, &rng, &flow));
                    struct pyr_estimate rate = pyr_flow_rate(&flow, ones);
                    sum += rate.value / run.rate - 1;
                    squares += pow(rate.value / run.rate - 1, 2);
                    unbounded += !pyr_estimate_is_bounded(&rate);
                    if (!pyr_estimate_is_bounded(&rate))
                        continue;
                    runs++;
                    covered += rate.lo <= run.rate * 1.000001 && rate.hi >= run.rate * 0.999999;
                }
                double noise = sqrt(squares / n / n), bias = sum / n;
                double own = 2 / (run.rate * run.seconds);
                if (run.seconds >= 10 && fabs(bias) > .01 + own + 3 * noise)
                    fail_msg("%s at %g/s for %g s: bias %.2f %%, noise %.2f %%", law_names[run.law],
                             run.rate, run.seconds, 100 * bias, 100 * noise);
            }
        print_message("%s, %s arrivals: %d of %d hold the rate, %d open\n", law_names[run.law],
                      run.poisson ? "Poisson" : "constant", covered, runs, unbounded);
        assert_true(covered >= 0.92 * runs);
    }
}

/* With the second in which it fills it would seem to give 190/s. */
static void an_open_loop_is_not_judged_while_it_fills(void **state) {
    (void)state;
    struct pyr_rng rng;
    struct pyr_flow flow;
    pyr_rng_init(&rng, 11);
    const struct open run = {200, 10, CONSTANT, false};
    assert_true(run_open(&run, 0, &rng, &flow));
    assert_near((double)flow.from_ns, 11e9, 1e8);
    assert_near(pyr_flow_rate(&flow, ones).value, 200, 0.5);
}

static void an_overloaded_server_gives_what_it_can(void **state) {
    (void)state;
    count = 0;
    double free_s = 0;
    for (size_t i = 0; i < 2000; i++) { /* 100/s for 20 s to a server that can do 50/s */
        double at_s = (double)i / 100;
        free_s = fmax(free_s, at_s) + 0.02;
        add(10 + at_s, free_s - at_s);
    }
    const struct pyr_flow_input input = {starts, ends, count, true};
    struct pyr_flow flow;
    assert_true(pyr_flow_of(&flow, &input, ns_of(10), ns_of(30)));
    assert_near(pyr_flow_rate(&flow, ones).value, 50, 1);
}

/* --- edges -------------------------------------------------------------------------------------
 */

static void a_request_that_hangs_is_seen_in_littles_ratio(void **state) {
    (void)state;
    count = 0;
    add(1, 100); /* one of four users, through all of the window */
    for (int u = 0; u < 3; u++)
        for (int i = 0; i < 40; i++)
            add(10 + i + 0.3 * u, 1);
    const struct pyr_flow_input input = {starts, ends, count, false};
    struct pyr_flow flow;
    assert_true(pyr_flow_of(&flow, &input, ns_of(12), ns_of(40)));
    struct pyr_estimate ratio = pyr_flow_littles_ratio(&flow);
    assert_near(ratio.value, 4.0 / 3, 0.02);
    assert_true(ratio.lo > 1.05);
}

static void what_is_no_rate_says_so(void **state) {
    (void)state;
    struct pyr_flow flow;
    const struct pyr_flow_input input = {starts, ends, 4, false};
    count = 0;
    for (int u = 0; u < 4; u++)
        add(10, 1);
    assert_true(pyr_flow_of(&flow, &input, ns_of(10), ns_of(11) + 1));
    struct pyr_estimate rate = pyr_flow_rate(&flow, ones);
    assert_near(rate.value, 4, 1e-6); /* what it was, with no word on what it would be */
    assert_true(isnan(rate.lo) && isnan(rate.hi));
    assert_non_null(strstr(rate.reason, "burst"));
    /* Nothing was sent inside, but all four ran through. */
    assert_true(pyr_flow_of(&flow, &input, ns_of(10.2), ns_of(10.8)));
    rate = pyr_flow_rate(&flow, ones);
    assert_near(rate.value, 4, 1e-6);
    assert_true(isnan(rate.hi) && rate.reason);
    assert_false(pyr_flow_of(&flow, &input, ns_of(12), ns_of(13)));
    /* Requests that take no time. */
    count = 0;
    for (int i = 0; i < 100; i++)
        add(10 + 0.1 * i, 0);
    const struct pyr_flow_input instant = {starts, ends, count, true};
    assert_true(pyr_flow_of(&flow, &instant, ns_of(10), ns_of(20)));
    assert_near(pyr_flow_rate(&flow, ones).value, 10, 1e-9);
    assert_false(pyr_estimate_is_known(
        &(struct pyr_estimate){.value = pyr_flow_littles_ratio(&flow).value}));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closed_loops_give_users_over_mean_time),
        cmocka_unit_test(counts_at_the_edges_would_not),
        cmocka_unit_test(amounts_follow_their_requests),
        cmocka_unit_test(open_loops_give_their_rate),
        cmocka_unit_test(an_open_loop_is_not_judged_while_it_fills),
        cmocka_unit_test(an_overloaded_server_gives_what_it_can),
        cmocka_unit_test(a_request_that_hangs_is_seen_in_littles_ratio),
        cmocka_unit_test(what_is_no_rate_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
