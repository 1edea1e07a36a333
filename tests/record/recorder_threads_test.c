/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "record/recorder.h"
#include "record/runfile.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LANES = 6, CHUNKS = 20000, REQUEST_EVERY = 20 };

static void *produce(void *argument) {
    struct pyr_lane *lane = argument;
    for (uint32_t i = 0; i < CHUNKS; i++) {
        pyr_lane_chunk(lane, (struct pyr_chunk){.ordinal = lane->index, .gap_ns = i});
        pyr_lane_step(lane,
                      &(struct pyr_step){.start_ns = i, .end_ns = i, .sequences = lane->index});
        if (i % REQUEST_EVERY == 0) {
            struct pyr_request request = {.ordinal = i, .worker = (uint16_t)lane->index};
            pyr_lane_request(lane, &request);
        }
    }
    return NULL;
}

static void many_lanes_are_kept_whole_and_in_order(void **state) {
    (void)state;
    char dir[256], path[300];
    assert_non_null(pyr_test_temp_dir(dir, sizeof dir));
    snprintf(path, sizeof path, "%s/run.pyr", dir);
    const struct pyr_clock clock = {0};
    const struct pyr_recorder_config config = {.path = path, .lanes = LANES, .chunk_slots = 512};
    struct pyr_recorder *recorder;
    struct pyr_err err;
    assert_ok(err, pyr_recorder_open(&config, &clock, &recorder, &err));
    pthread_t threads[LANES];
    for (uint32_t i = 0; i < LANES; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, produce, pyr_recorder_lane(recorder, i)),
                         0);
    for (int i = 0; i < 50; i++) { /* others may flush and look at any time */
        pyr_recorder_flush(recorder);
        assert_null(pyr_recorder_error(recorder));
        assert_true(pyr_recorder_counts(recorder).chunks <= LANES * CHUNKS);
    }
    for (uint32_t i = 0; i < LANES; i++)
        pthread_join(threads[i], NULL);
    assert_ok(err, pyr_recorder_close(recorder, &err));

    uint32_t next_chunk[LANES] = {0}, next_request[LANES] = {0}, next_step[LANES] = {0};
    struct pyr_runfile *file;
    struct pyr_block block;
    assert_ok(err, pyr_runfile_open(path, &file, &err));
    while (pyr_runfile_next(file, &block)) {
        for (size_t i = 0; block.type == PYR_BLOCK_CHUNKS && i < block.count; i++) {
            const struct pyr_chunk *chunk = &((const struct pyr_chunk *)block.items)[i];
            assert_int_equal(chunk->gap_ns, next_chunk[chunk->ordinal]++);
        }
        for (size_t i = 0; block.type == PYR_BLOCK_STEPS && i < block.count; i++) {
            const struct pyr_step *step = &((const struct pyr_step *)block.items)[i];
            assert_int_equal(step->start_ns, next_step[step->sequences]++);
        }
        for (size_t i = 0; block.type == PYR_BLOCK_REQUESTS && i < block.count; i++) {
            const struct pyr_request *request = &((const struct pyr_request *)block.items)[i];
            assert_int_equal(request->ordinal, next_request[request->worker]);
            next_request[request->worker] += REQUEST_EVERY;
        }
    }
    assert_null(pyr_runfile_partial(file));
    for (uint32_t i = 0; i < LANES; i++) {
        assert_int_equal(next_chunk[i], CHUNKS);
        assert_int_equal(next_step[i], CHUNKS);
        assert_int_equal(next_request[i], CHUNKS);
    }
    pyr_runfile_close(file);
    unlink(path);
    rmdir(dir);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_lanes_are_kept_whole_and_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
