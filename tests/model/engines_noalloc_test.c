/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "support/engines.h"

#include "base/mem.h"
#include "model/engines.h"

#include <stdatomic.h>
#include <sys/types.h>

static atomic_bool counting;
static atomic_uint counted;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset);

void *__wrap_malloc(size_t size) {
    counted += counting;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
    counted += counting;
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size) {
    counted += counting;
    return __real_realloc(old, size);
}

void *__wrap_mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset) {
    counted += counting;
    return __real_mmap(at, length, protection, flags, fd, offset);
}

static void the_counter_counts(void **state) {
    (void)state;
    counting = true;
    pyr_free(pyr_xcalloc(1, 100));
    counting = false;
    assert_int_equal(counted, 1);
    counted = 0;
}

static void a_step_allocates_nothing(void **state) {
    const struct pyr_engine *engine = *state;
    struct pyr_model_config config = {.path = ""};
    struct pyr_test_engine b;
    const int32_t prompt[] = {5, 6, 7};
    int32_t text[30];
    pyr_test_engine_open(&b, engine, &config, 4, 64);
    counting = true;
    for (int round = 0; round < 20; round++) {
        pyr_test_engine_generate(&b, round % 3, prompt, 3, text, NULL, 30);
        b.engine->sequence_copy(b.context, round % 3, 3, 10);
        b.engine->sequence_remove(b.context, round % 3, 0, UINT32_MAX);
    }
    counting = false;
    assert_int_equal(counted, 0);
    pyr_test_engine_close(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_counter_counts),
        cmocka_unit_test_prestate(a_step_allocates_nothing, (void *)(uintptr_t)&pyr_engine_null),
        cmocka_unit_test_prestate(a_step_allocates_nothing, (void *)(uintptr_t)&pyr_engine_sim),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
