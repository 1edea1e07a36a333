/* SPDX-License-Identifier: MIT
 *
 * Between attach and detach the target http takes no memory, whatever its server does: malloc and
 * its kin are counted (the linker's --wrap) while requests run, connections break and are made
 * anew.
 */
#include "support/support.h"

#include "support/http_world.h"

#include <stdlib.h>
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

static void requests_take_no_memory_between_start_and_stop(void **state) {
    (void)state;
    static struct http_world world;
    static const char *const plans[] = {"",
                                        "fault=reset,at=1",
                                        "fault=status,status=500",
                                        "fault=long_line",
                                        "fault=error_event,at=1",
                                        "burst=3",
                                        "fault=garbage",
                                        "fault=hang"};
    static const char *const options[] = {"probe=off", "connections=20", NULL};
    http_world_serve(&world, NULL);
    http_world_attach(&world, NULL, options, 32);
    void *seen = malloc(1); /* the counter counts */
    free(seen);
    counting = true;
    seen = malloc(1);
    free(seen);
    assert_int_equal(allocations, 1);
    for (int round = 0; round < 4; round++) {
        for (size_t i = 0; i < 32; i++) {
            struct pyr_slot *slot = http_world_slot(&world, i, plans[i % 8]);
            slot->limits.first_token_ns = slot->limits.between_tokens_ns = 30 * PYR_NS_PER_MS;
            slot->capture_text = i == 0;
        }
        http_world_run(&world, 32);
    }
    counting = false;
    assert_int_equal(allocations, 1);
    http_world_end(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_take_no_memory_between_start_and_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
