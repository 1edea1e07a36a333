/* SPDX-License-Identifier: MIT
 *
 * The sampler takes no memory while a run is measured: malloc and its kin
 * are counted (the linker's --wrap) while they work on the live machine.
 */
#include "support/support.h"

#include "record/recorder.h"
#include "sample/proc.h"
#include "sample/sampler.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

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

static void a_hundred_steps_take_no_memory(void **state) {
    (void)state;
    static const struct pyr_root live = {""};
    const struct pyr_clock clock = {0};
    const struct pyr_recorder_config recording = {
        .lanes = 1, .inline_writer = true, .meta_json = "{}"};
    struct pyr_recorder *recorder;
    struct pyr_sampler *sampler;
    struct pyr_sampler_summary summary;
    struct pyr_err err;
    assert_ok(err, pyr_recorder_open(&recording, &clock, &recorder, &err));
    const struct pyr_sampler_config config = {.root = &live,
                                              .clock = &clock,
                                              .pid = getpid(),
                                              .own_pid = getpid(),
                                              .lane = pyr_recorder_lane(recorder, 0)};
    assert_ok(err, pyr_sampler_create(&config, &sampler, &err));
    counting = true;
    for (int i = 0; i < 100; i++)
        pyr_sampler_step(sampler);
    counting = false;
    pyr_sampler_summarise(sampler, &summary);
    assert_int_equal(allocations, 0);
    assert_int_equal(summary.samples, 100);
    assert_int_equal(summary.failed, 0);
    pyr_sampler_destroy(sampler);
    assert_ok(err, pyr_recorder_close(recorder, &err));
}

static void the_count_would_see_an_allocation(void **state) {
    (void)state;
    struct pyr_sampler *sampler;
    struct pyr_err err;
    const struct pyr_clock clock = {0};
    static const struct pyr_root live = {""};
    const struct pyr_sampler_config config = {.root = &live, .clock = &clock, .own_pid = getpid()};
    allocations = 0;
    counting = true;
    bool ok = pyr_sampler_create(&config, &sampler, &err);
    counting = false;
    assert_true(ok);
    assert_true(allocations > 0);
    pyr_sampler_destroy(sampler);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hundred_steps_take_no_memory),
        cmocka_unit_test(the_count_would_see_an_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
