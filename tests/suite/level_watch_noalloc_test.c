/* SPDX-License-Identifier: MIT
 *
 * The watch looks on while a level is measured, on the thread that sends: whatever it sees and
 * however it decides, it takes no memory (malloc and its kin are counted by the linker's --wrap).
 */
#include "support/support.h"

#include "base/clock.h"
#include "base/rng.h"
#include "suite/level_watch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static volatile bool counting; /* the compiler believes that malloc cannot see it */
static volatile uint64_t allocations;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);

void *__wrap_malloc(size_t size) {
    allocations = allocations + counting;
    return __real_malloc(size);
}
void *__wrap_calloc(size_t count, size_t size) {
    allocations = allocations + counting;
    return __real_calloc(count, size);
}
void *__wrap_realloc(void *old, size_t size) {
    allocations = allocations + counting;
    return __real_realloc(old, size);
}
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset) {
    allocations = allocations + counting;
    return __real_mmap(at, size, protection, flags, fd, offset);
}

enum { TICKS = 800, A_TICK = 5 }; /* 80 s at 50 requests a second */

static const struct pyr_goal goals[] = {
    {.metric = "latency_sent", .statistic = "p95", .label = "latency_p95=1s", .limit = 1e9},
    {.metric = "error_rate", .statistic = "value", .label = "error=5%", .limit = 0.05},
};

/* Requests of about `took_ns`, every `failing`-th of which fails (0: none), while what is in
 * flight grows by `growth` a second. */
struct law {
    bool open_loop;
    double took_ns, growth;
    unsigned failing;
    enum pyr_watch_verdict verdict;
};

static void feed(struct pyr_level_watch *watch, struct pyr_rng *rng, const struct law *law,
                 uint64_t now_ns, unsigned number) {
    struct pyr_request request = {.phase = PYR_PHASE_MEASURED, .scheduled_ns = now_ns};
    double took_ns = law->took_ns * (0.5 + pyr_rng_unit(rng)) +
                     law->growth * 1e-2 * (double)(now_ns - PYR_NS_PER_S);
    request.sent_ns = now_ns;
    request.first_content_ns = now_ns + (uint64_t)(took_ns / 2);
    request.last_content_ns = request.closed_ns = now_ns + (uint64_t)took_ns;
    request.output_tokens = request.chunks = 4;
    if (law->failing && number % law->failing == 0)
        request.outcome = PYR_OUTCOME_RESET;
    pyr_level_watch_ended(watch, &request);
}

static void watch_all(const struct law *law) {
    static struct pyr_level_watch watch;
    const struct pyr_case plan = {.open_loop = law->open_loop, .rate = 50};
    struct pyr_rng rng;
    unsigned sent = 0;
    pyr_rng_init_stream(&rng, 3, 0);
    allocations = 0;
    counting = true;
    bool only_saturation = law->verdict == PYR_WATCH_SATURATED;
    pyr_level_watch_init(&watch, &plan, goals, 2, only_saturation, TICKS * PYR_NS_PER_S / 10);
    for (uint64_t i = 0; i < TICKS && !watch.enough; i++) {
        uint64_t now_ns = PYR_NS_PER_S + i * PYR_NS_PER_S / 10;
        double in_flight = 10 + law->growth * (double)i / 10;
        for (unsigned k = 0; k < A_TICK; k++)
            feed(&watch, &rng, law, now_ns, ++sent);
        const struct pyr_load_live live = {.phase = PYR_PHASE_MEASURED,
                                           .measured_start_ns = PYR_NS_PER_S,
                                           .now_ns = now_ns,
                                           .in_flight = (uint64_t)in_flight,
                                           .measured_in_flight = (uint64_t)in_flight,
                                           .ended = sent + 10 - (uint64_t)fmin(in_flight, sent)};
        pyr_level_watch_tick(&watch, &live);
    }
    counting = false;
    assert_int_equal(allocations, 0);
    assert_int_equal(watch.verdict, law->verdict);
}

static void no_way_to_decide_a_level_takes_memory(void **state) {
    (void)state;
    static const struct law laws[] = {
        {.took_ns = 0.2e9, .verdict = PYR_WATCH_MET},
        {.took_ns = 0.2e9, .failing = 5, .verdict = PYR_WATCH_MISSED},
        {.took_ns = 0.2e9, .open_loop = true, .verdict = PYR_WATCH_GOES_ON},
        {.took_ns = 0.1e9, .open_loop = true, .growth = 20, .verdict = PYR_WATCH_SATURATED},
    };
    for (size_t i = 0; i < sizeof laws / sizeof *laws; i++)
        watch_all(&laws[i]);
}

static void the_counter_counts(void **state) {
    (void)state;
    allocations = 0;
    counting = true;
    void *volatile memory = malloc(10);
    counting = false;
    free(memory);
    assert_int_equal(allocations, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_counter_counts),
        cmocka_unit_test(no_way_to_decide_a_level_takes_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
