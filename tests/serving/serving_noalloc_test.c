/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "base/mem.h"
#include "serving/serving.h"
#include "support/fake_engine.h"

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

enum { REQUESTS = 400 };

static void the_counter_counts(void **state) {
    (void)state;
    counting = true;
    pyr_free(pyr_xcalloc(1, 100));
    counting = false;
    assert_int_equal(counted, 1);
    counted = 0;
}

/* Admission, prefill, greedy and sampled tokens, a full KV memory, limits, cancellation, rejection:
 * none of it allocates. */
static void nothing_is_allocated_between_submit_and_take(void **state) {
    (void)state;
    struct pyr_err err;
    struct fake_plan plan = {.kv_tokens = 400, .mute_token = 9, .fail_decode = 300};
    uint64_t now_ns = 1;
    struct pyr_clock clock = {.virtual_now_ns = &now_ns};
    struct pyr_pieces *pieces;
    struct pyr_serving *serving;
    struct pyr_serving_config config = {.clock = &clock,
                                        .sequences = 16,
                                        .tokens_per_sequence = 100,
                                        .threads = 1,
                                        .queue_limit = REQUESTS - 50};
    assert_ok(err, pyr_pieces_create(&fake_engine, fake_model(&plan), &pieces, &err));
    assert_ok(err,
              pyr_serving_create(&fake_engine, fake_model(&plan), pieces, &config, &serving, &err));
    struct pyr_serving_request *requests = pyr_xcalloc(REQUESTS, sizeof *requests);
    struct pyr_request *records = pyr_xcalloc(REQUESTS, sizeof *records);
    int32_t prompt[40];
    for (int i = 0; i < 40; i++)
        prompt[i] = 3 + i;

    counting = true;
    for (uint32_t i = 0; i < REQUESTS; i++) {
        records[i].ordinal = i;
        records[i].sent_ns = now_ns;
        requests[i] = (struct pyr_serving_request){
            .record = &records[i],
            .prompt = prompt + i % 7,
            .prompt_tokens = 1 + i % 30,
            .output_tokens = 1 + i % 50,
            .sampling = {.temperature = i % 3 == 0 ? 0.8f : 0, .top_k = i % 2 * 5, .seed = i},
            .cancel_after_ns = i % 11 == 0 ? 90000 : PYR_NEVER,
            .first_token_ns = PYR_NEVER,
            .between_tokens_ns = PYR_NEVER,
            .total_ns = PYR_NEVER};
        pyr_serving_submit(serving, &requests[i], now_ns);
    }
    uint32_t taken = 0;
    while (pyr_serving_has_work(serving)) {
        pyr_serving_step(serving, now_ns, &now_ns);
        if (taken == 0)
            pyr_serving_cancel(serving, &requests[200], PYR_OUTCOME_CANCELLED, now_ns);
        while (pyr_serving_take(serving))
            taken++;
    }
    counting = false;

    assert_int_equal(counted, 0);
    assert_int_equal(taken, REQUESTS);
    pyr_free(records);
    pyr_free(requests);
    pyr_serving_destroy(serving);
    pyr_pieces_destroy(pieces);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_counter_counts),
        cmocka_unit_test(nothing_is_allocated_between_submit_and_take),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
