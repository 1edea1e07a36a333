/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "base/buf.h"
#include "base/fs.h"
#include "record/crc32c.h"
#include "record/recorder.h"
#include "record/runfile.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[256], path[300];
static uint64_t now_ns;
static const struct pyr_clock test_clock = {&now_ns};

static int setup(void **state) {
    (void)state;
    if (!pyr_test_temp_dir(dir, sizeof dir))
        return -1;
    snprintf(path, sizeof path, "%s/run.pyr", dir);
    now_ns = 1000;
    return 0;
}

static int teardown(void **state) {
    (void)state;
    unlink(path);
    return rmdir(dir);
}

static struct pyr_recorder *open_recorder(uint32_t lanes, uint32_t slots, bool inline_writer) {
    struct pyr_recorder_config config = {
        .path = path,
        .lanes = lanes,
        .chunk_slots = slots,
        .inline_writer = inline_writer,
        .meta_json = "{\"plan\":1}",
    };
    struct pyr_recorder *recorder = NULL;
    struct pyr_err err;
    assert_ok(err, pyr_recorder_open(&config, &test_clock, &recorder, &err));
    return recorder;
}

static void close_recorder(struct pyr_recorder *recorder) {
    struct pyr_err err;
    assert_ok(err, pyr_recorder_close(recorder, &err));
}

/* All that a file yields, counted, and whether chunks of each ordinal come in order. */
struct content {
    uint64_t cases, requests, chunks, observations, samples, marks, goals, blocks;
    uint64_t steps, histograms;
    uint64_t stalls;
    uint64_t chunk_gap_sum;
    uint64_t next_gap[16]; /* by ordinal: the gap its next chunk must have */
    bool in_order;
    char partial[200];
    struct pyr_case plan;
    struct pyr_request request;
    struct pyr_mark mark;
    struct pyr_observation observation;
    struct pyr_reading sample;
    struct pyr_goal goal;
    struct pyr_step step;
    struct pyr_histogram histogram;
    unsigned char histogram_bytes[64];
};

static void take_block(struct content *content, const struct pyr_block *block) {
    size_t last = block->count - 1;
    content->blocks++;
    switch (block->type) {
    case PYR_BLOCK_CASES:
        content->cases += block->count;
        content->plan = ((const struct pyr_case *)block->items)[last];
        break;
    case PYR_BLOCK_REQUESTS:
        content->requests += block->count;
        content->request = ((const struct pyr_request *)block->items)[last];
        break;
    case PYR_BLOCK_CHUNKS:
        for (size_t i = 0; i <= last; i++) {
            const struct pyr_chunk *chunk = &((const struct pyr_chunk *)block->items)[i];
            uint64_t *next = &content->next_gap[chunk->ordinal % 16];
            content->in_order &= chunk->gap_ns == *next;
            *next = chunk->gap_ns + 1;
            content->chunk_gap_sum += chunk->gap_ns;
        }
        content->chunks += block->count;
        break;
    case PYR_BLOCK_OBSERVATIONS:
        content->observations += block->count;
        content->observation = ((const struct pyr_observation *)block->items)[last];
        break;
    case PYR_BLOCK_SAMPLES:
        content->samples += block->count;
        content->sample = ((const struct pyr_reading *)block->items)[last];
        break;
    case PYR_BLOCK_STEPS:
        for (size_t i = 0; i <= last; i++)
            content->in_order &=
                ((const struct pyr_step *)block->items)[i].start_ns == content->steps + i;
        content->steps += block->count;
        content->step = ((const struct pyr_step *)block->items)[last];
        break;
    case PYR_BLOCK_HISTOGRAMS:
        content->histograms += block->count;
        content->histogram = *(const struct pyr_histogram *)block->items;
        assert_in_range(content->histogram.bytes, 0, sizeof content->histogram_bytes);
        memcpy(content->histogram_bytes, (const struct pyr_histogram *)block->items + 1,
               content->histogram.bytes);
        break;
    case PYR_BLOCK_GOALS:
        content->goals += block->count;
        content->goal = ((const struct pyr_goal *)block->items)[last];
        break;
    case PYR_BLOCK_MARKS:
        for (size_t i = 0; i <= last; i++)
            content->stalls += ((const struct pyr_mark *)block->items)[i].kind == PYR_MARK_STALL;
        content->marks += block->count;
        content->mark = ((const struct pyr_mark *)block->items)[last];
        break;
    default:
        break;
    }
}

static struct content read_all(const char *name) {
    struct content content = {.in_order = true};
    struct pyr_runfile *file;
    struct pyr_err err;
    assert_ok(err, pyr_runfile_open(name, &file, &err));
    assert_string_equal(pyr_runfile_meta(file), "{\"plan\":1}");
    struct pyr_block block;
    while (pyr_runfile_next(file, &block))
        take_block(&content, &block);
    if (pyr_runfile_partial(file))
        snprintf(content.partial, sizeof content.partial, "%s", pyr_runfile_partial(file));
    uint64_t blocks = content.blocks;
    pyr_runfile_rewind(file);
    while (pyr_runfile_next(file, &block))
        blocks--;
    assert_int_equal(blocks, 0);
    pyr_runfile_close(file);
    return content;
}

static void record_one_of_each(struct pyr_lane *lane) {
    struct pyr_case plan = {.index = 0, .concurrency = 8, .id = "short-8", .suite = "inference"};
    pyr_lane_case(lane, &plan);
    struct pyr_request request = {.ordinal = 7, .outcome = PYR_OUTCOME_TIMEOUT_FIRST};
    request.text_hash = UINT64_C(0xfeedfacecafebeef);
    pyr_lane_request(lane, &request);
    pyr_lane_content(lane, 7, 500, 1500, 1400, 0, 5, 1, false);
    now_ns = 2000;
    pyr_lane_observe(lane, PYR_M_LOAD_TIME, 0, 3, 12.5);
    pyr_lane_sample(lane, PYR_M_RSS, 0, 1234, 4096);
    pyr_lane_mark(lane, PYR_MARK_WARNING, 0, 1, "a sentence");
    struct pyr_goal goal = {.metric = "ttft_sched", .statistic = "p99", .limit = 5e8};
    pyr_lane_goal(lane, &goal);
    struct pyr_step step = {.end_ns = 1700,
                            .prompt_rows = 512,
                            .decode_rows = 3,
                            .sequences = 5,
                            .preempted = 2,
                            .choosing_code = pyr_bound_code(90),
                            .flags = PYR_STEP_FAILED};
    pyr_lane_step(lane, &step);
    pyr_lane_histogram(lane, PYR_M_LOAD_TIME, 0, 4, "some bytes", 10);
}

static void what_was_recorded_is_read_back(void **state) {
    (void)state;
    struct pyr_recorder *recorder = open_recorder(1, 0, true);
    record_one_of_each(pyr_recorder_lane(recorder, 0));
    close_recorder(recorder);
    struct content content = read_all(dir); /* the folder stands for its run.pyr */
    assert_string_equal(content.partial, "");
    assert_int_equal(content.cases, 1);
    assert_string_equal(content.plan.id, "short-8");
    assert_int_equal(content.plan.concurrency, 8);
    assert_int_equal(content.requests, 1);
    assert_int_equal(content.request.ordinal, 7);
    assert_int_equal(content.request.outcome, PYR_OUTCOME_TIMEOUT_FIRST);
    assert_true(content.request.text_hash == UINT64_C(0xfeedfacecafebeef));
    assert_int_equal(content.chunks, 1);
    assert_int_equal(content.chunk_gap_sum, 1000);
    assert_int_equal(content.observation.metric, PYR_M_LOAD_TIME);
    assert_int_equal(content.observation.repetition, 3);
    assert_int_equal(content.observation.time_ns, 2000);
    assert_true(content.observation.value == 12.5);
    assert_int_equal(content.sample.metric, PYR_M_RSS);
    assert_true(content.sample.value == 4096);
    assert_string_equal(content.mark.text, "a sentence");
    assert_int_equal(content.goals, 1);
    assert_string_equal(content.goal.metric, "ttft_sched");
    assert_true(content.goal.limit == 5e8);
    assert_int_equal(content.steps, 1);
    assert_int_equal(content.step.end_ns, 1700);
    assert_int_equal(content.step.prompt_rows, 512);
    assert_int_equal(content.step.decode_rows, 3);
    assert_int_equal(content.step.sequences, 5);
    assert_int_equal(content.step.preempted, 2);
    assert_in_range(pyr_bound_ns(content.step.choosing_code), 90, 99);
    assert_int_equal(content.step.flags, PYR_STEP_FAILED);
    assert_int_equal(content.histograms, 1);
    assert_int_equal(content.histogram.metric, PYR_M_LOAD_TIME);
    assert_int_equal(content.histogram.repetition, 4);
    assert_int_equal(content.histogram.time_ns, 2000);
    assert_int_equal(content.histogram.bytes, 10);
    assert_memory_equal(content.histogram_bytes, "some bytes", 10);
}

static void an_existing_file_is_never_overwritten(void **state) {
    (void)state;
    close_recorder(open_recorder(1, 0, true));
    struct pyr_recorder_config config = {.path = path, .lanes = 1};
    struct pyr_recorder *recorder;
    struct pyr_err err;
    assert_false(pyr_recorder_open(&config, &test_clock, &recorder, &err));
    assert_non_null(strstr(err.text, "run.pyr"));
}

static void rings_wrap_many_times_and_keep_order(void **state) {
    (void)state;
    for (int threaded = 0; threaded < 2; threaded++) {
        unlink(path);
        struct pyr_recorder *recorder = open_recorder(1, 16, !threaded);
        struct pyr_lane *lane = pyr_recorder_lane(recorder, 0);
        struct pyr_request request = {0};
        for (uint32_t i = 0; i < 5000; i++) {
            pyr_lane_chunk(lane, (struct pyr_chunk){.ordinal = 1, .gap_ns = i});
            request.ordinal = i;
            if (i % 3 == 0)
                pyr_lane_request(lane, &request);
            if (i % 2 == 0)
                pyr_lane_step(lane, &(struct pyr_step){.start_ns = i / 2, .end_ns = i});
            if (i % 50 == 0)
                pyr_lane_mark(lane, PYR_MARK_WARNING, 0, i, "long enough to move the wrap point");
        }
        struct pyr_recorder_counts counts = pyr_recorder_counts(recorder);
        assert_true(counts.chunks <= 5000);
        close_recorder(recorder);
        struct content content = read_all(path);
        assert_string_equal(content.partial, "");
        assert_true(content.in_order);
        assert_int_equal(content.chunks, 5000);
        assert_int_equal(content.requests, 1667);
        assert_int_equal(content.steps, 2500);
        assert_int_equal(content.step.end_ns, 4998);
        assert_int_equal(content.request.ordinal, 4998);
        assert_int_equal(content.marks - content.stalls, 100);
        if (!threaded)
            assert_int_equal(content.stalls, 0);
    }
}

static void a_recorder_without_a_file_only_counts(void **state) {
    (void)state;
    struct pyr_recorder_config config = {.lanes = 1, .chunk_slots = 16};
    struct pyr_recorder *recorder;
    struct pyr_err err;
    assert_ok(err, pyr_recorder_open(&config, &test_clock, &recorder, &err));
    for (uint32_t i = 0; i < 1000; i++)
        pyr_lane_chunk(pyr_recorder_lane(recorder, 0), (struct pyr_chunk){.ordinal = i});
    pyr_recorder_flush(recorder);
    assert_int_equal(pyr_recorder_counts(recorder).chunks, 1000);
    assert_int_equal(pyr_recorder_counts(recorder).file_bytes, 0);
    close_recorder(recorder);
}

static void write_file(const char *name, const void *bytes, size_t count) {
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, count), count);
    close(fd);
}

/* A small file of several blocks, its bytes in buf. */
static void make_small_file(struct pyr_buf *buf) {
    struct pyr_recorder *recorder = open_recorder(1, 0, true);
    struct pyr_lane *lane = pyr_recorder_lane(recorder, 0);
    for (uint32_t i = 0; i < 3; i++) {
        pyr_lane_chunk(lane, (struct pyr_chunk){.ordinal = 0, .gap_ns = i});
        pyr_lane_observe(lane, PYR_M_LOAD_TIME, 0, i, 1);
        pyr_recorder_flush(recorder);
    }
    close_recorder(recorder);
    struct pyr_err err;
    assert_ok(err, pyr_fs_read(NULL, path, 1 << 20, buf, &err));
}

static void a_file_cut_at_any_byte_reads_up_to_its_last_whole_block(void **state) {
    (void)state;
    struct pyr_buf whole = {0};
    make_small_file(&whole);
    int fd = memfd_create("run", MFD_CLOEXEC);
    char name[64];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    for (size_t cut = 0; cut < whole.length; cut++) {
        /* The whole blocks in the first `cut` bytes, by the format alone. */
        uint64_t chunks = 0, observations = 0, blocks = 0;
        for (size_t at = 8; at + 16 <= cut;) {
            uint32_t header[4];
            memcpy(header, whole.data + at, sizeof header);
            at += 16 + header[1];
            if (at > cut)
                break;
            blocks++;
            chunks += header[0] == PYR_BLOCK_CHUNKS;
            observations += header[0] == PYR_BLOCK_OBSERVATIONS;
        }
        if (cut > 0)
            assert_int_equal(pwrite(fd, &whole.data[cut - 1], 1, (off_t)cut - 1), 1);
        struct pyr_runfile *file;
        struct pyr_err err;
        if (blocks == 0) {
            assert_false(pyr_runfile_open(name, &file, &err));
            continue;
        }
        struct content content = read_all(name);
        assert_int_equal(content.chunks, chunks);
        assert_int_equal(content.observations, observations);
        assert_string_not_equal(content.partial, "");
    }
    close(fd);
    pyr_buf_deinit(&whole);
}

static void any_flipped_bit_is_detected(void **state) {
    (void)state;
    struct pyr_buf whole = {0};
    make_small_file(&whole);
    /* In memory: twenty thousand files. */
    int fd = memfd_create("run", MFD_CLOEXEC);
    char name[64];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    assert_int_equal(pwrite(fd, whole.data, whole.length, 0), whole.length);
    for (size_t bit = 0; bit < whole.length * 8; bit++) {
        char flipped = (char)(whole.data[bit / 8] ^ (1 << bit % 8));
        assert_int_equal(pwrite(fd, &flipped, 1, (off_t)(bit / 8)), 1);
        struct pyr_runfile *file;
        struct pyr_err err;
        if (pyr_runfile_open(name, &file, &err)) {
            struct pyr_block block;
            while (pyr_runfile_next(file, &block)) {
            }
            assert_non_null(pyr_runfile_partial(file));
            pyr_runfile_close(file);
        }
        assert_int_equal(pwrite(fd, &whole.data[bit / 8], 1, (off_t)(bit / 8)), 1);
    }
    close(fd);
    pyr_buf_deinit(&whole);
}

static void foreign_files_are_refused_by_name_and_cause(void **state) {
    (void)state;
    static const struct {
        const char *bytes, *cause;
    } cases[] = {
        {"", "empty"},
        {"PYR", "not a run file"},
        {"GGUF\3\0\0\0____", "not a run file"},
        {"PYRRUN3\nrest", "version '3'"},
        {"PYRRUN2\n", "does not begin with the plan"},
        {"PYRRUN2\n\1\0\0\0\377\377\377\377xxxxxxxx", "length"},
    };
    struct pyr_runfile *file;
    struct pyr_err err;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t count = i == 5 ? 24 : strlen(cases[i].bytes);
        write_file(path, cases[i].bytes, count);
        assert_false(pyr_runfile_open(path, &file, &err));
        assert_non_null(strstr(err.text, cases[i].cause));
        assert_non_null(strstr(err.text, path));
    }
    unlink(path);
    assert_false(pyr_runfile_open(path, &file, &err));
    assert_false(pyr_runfile_open(dir, &file, &err));
    assert_non_null(strstr(err.text, "holds no run.pyr"));
}

static void put_block(struct pyr_buf *buf, uint32_t type, uint32_t sequence, const void *bytes,
                      uint32_t count) {
    uint32_t header[4] = {type, count, sequence, 0};
    header[3] = pyr_crc32c(pyr_crc32c(0, header, 12), bytes, count);
    pyr_buf_append(buf, header, sizeof header);
    pyr_buf_append(buf, bytes, count);
}

static void metrics_of_another_version_are_found_by_name(void **state) {
    (void)state;
    struct pyr_buf buf = {0};
    pyr_buf_puts(&buf, PYR_RUN_MAGIC);
    put_block(&buf, PYR_BLOCK_META, 0, "{\"plan\":1}", 10);
    static const char names[] = "of_the_future\0rss\0load_time"; /* its last NUL is the literal's */
    put_block(&buf, PYR_BLOCK_METRICS, 1, names, sizeof names);
    struct pyr_observation observations[4] = {{.metric = 0, .value = 1},
                                              {.metric = 2, .value = 2},
                                              {.metric = 3, .value = 3},
                                              {.metric = UINT32_MAX, .value = 4}};
    put_block(&buf, PYR_BLOCK_OBSERVATIONS, 2, observations, sizeof observations);
    put_block(&buf, 77, 3, "unknown", 7);
    struct pyr_histogram future = {.metric = 0, .bytes = 0};
    put_block(&buf, PYR_BLOCK_HISTOGRAMS, 4, &future, sizeof future);
    struct pyr_step steps[2] = {{.start_ns = 2, .end_ns = 1}, {.start_ns = 0, .end_ns = 7}};
    put_block(&buf, PYR_BLOCK_STEPS, 5, steps, sizeof steps);
    struct pyr_mark marks[2] = {{.kind = 12345}, {.kind = PYR_MARK_FREEZE}};
    memset(marks[1].text, 'x', sizeof marks[1].text);
    put_block(&buf, PYR_BLOCK_MARKS, 6, marks, sizeof marks);
    struct pyr_goal goals[3] = {{.metric = "of_the_future", .statistic = "p99", .limit = 1},
                                {.metric = "load_time", .statistic = "mean", .limit = 2},
                                {.metric = "load_time", .statistic = "mean", .limit = INFINITY}};
    put_block(&buf, PYR_BLOCK_GOALS, 7, goals, sizeof goals);
    uint64_t counts[2] = {0, 0};
    put_block(&buf, PYR_BLOCK_END, 8, counts, sizeof counts);
    write_file(path, buf.data, buf.length);
    pyr_buf_deinit(&buf);

    struct content content = read_all(path);
    assert_string_equal(content.partial, "");
    assert_int_equal(content.observations, 1);
    assert_int_equal(content.observation.metric, PYR_M_LOAD_TIME);
    assert_true(content.observation.value == 2);
    assert_int_equal(content.marks, 1);
    assert_int_equal(strlen(content.mark.text), sizeof content.mark.text - 1);
    assert_int_equal(content.histograms, 0);
    assert_int_equal(content.steps, 1);
    assert_int_equal(content.step.end_ns, 7);

    struct pyr_runfile *file;
    struct pyr_err err;
    struct pyr_block block;
    assert_ok(err, pyr_runfile_open(path, &file, &err));
    while (pyr_runfile_next(file, &block))
        if (block.type == PYR_BLOCK_GOALS) {
            assert_int_equal(block.count, 1);
            assert_true(((const struct pyr_goal *)block.items)->limit == 2);
        }
    assert_int_equal(pyr_runfile_left_out(file), 9);
    pyr_runfile_close(file);
}

static void sound_checksums_do_not_excuse_wrong_contents(void **state) {
    (void)state;
    struct pyr_request request = {.outcome = PYR_OUTCOME_COUNT};
    uint64_t counts[2] = {9, 9};
    struct pyr_histogram longer = {.bytes = 1}, shorter[2] = {{.bytes = 1}};
    const struct {
        uint32_t type, sequence;
        const void *bytes;
        uint32_t count;
        const char *cause;
    } cases[] = {
        {PYR_BLOCK_REQUESTS, 1, &request, sizeof request, "outcome"},
        {PYR_BLOCK_REQUESTS, 1, &request, sizeof request - 8, "multiple"},
        {PYR_BLOCK_METRICS, 1, "no end", 6, "no end"},
        {PYR_BLOCK_METRICS, 1, "", 0, "no end"},
        {PYR_BLOCK_END, 1, counts, sizeof counts, "counts other"},
        {PYR_BLOCK_END, 1, counts, 8, "another length"},
        {PYR_BLOCK_MARKS, 9, "", 0, "out of sequence"},
        {PYR_BLOCK_HISTOGRAMS, 1, &longer, sizeof longer, "another length"},
        {PYR_BLOCK_HISTOGRAMS, 1, shorter, sizeof shorter, "another length"},
        {PYR_BLOCK_HISTOGRAMS, 1, &longer, 8, "another length"},
        {PYR_BLOCK_STEPS, 1, &request, 40, "multiple"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pyr_buf buf = {0};
        pyr_buf_puts(&buf, PYR_RUN_MAGIC);
        put_block(&buf, PYR_BLOCK_META, 0, "{\"plan\":1}", 10);
        put_block(&buf, cases[i].type, cases[i].sequence, cases[i].bytes, cases[i].count);
        write_file(path, buf.data, buf.length);
        pyr_buf_deinit(&buf);
        struct content content = read_all(path);
        assert_non_null(strstr(content.partial, cases[i].cause));
        assert_non_null(strstr(content.partial, "block 1"));
        assert_int_equal(content.requests, 0);
    }
}

static void what_does_not_fit_a_chunk_is_carried(void **state) {
    (void)state;
    struct pyr_recorder *recorder = open_recorder(1, 0, true);
    struct pyr_lane *lane = pyr_recorder_lane(recorder, 0);
    const uint64_t long_gap = 3 * UINT64_C(0xffffffff) + 17;
    pyr_lane_content(lane, 1, 5, 5 + long_gap, 0, 0, 3, 1, true);
    pyr_lane_content(lane, 2, 0, 9, 4, 100, 40000, 700, false);
    pyr_lane_content(lane, 3, 0, UINT32_MAX, 0, 0, PYR_CHUNK_BYTES_MAX, PYR_CHUNK_TOKENS_MAX,
                     false);
    pyr_lane_content(lane, 4, 0, 10, 11, UINT64_MAX, 1, 1, false);
    close_recorder(recorder);

    struct {
        uint64_t gap, bytes, tokens, whole, carries, reasoning;
        struct pyr_chunk last;
    } sums[5] = {{0}};
    struct pyr_runfile *file;
    struct pyr_err err;
    struct pyr_block block;
    assert_ok(err, pyr_runfile_open(path, &file, &err));
    while (pyr_runfile_next(file, &block)) {
        const struct pyr_chunk *chunks = block.items;
        for (size_t i = 0; block.type == PYR_BLOCK_CHUNKS && i < block.count; i++) {
            assert_in_range(chunks[i].ordinal, 1, 4);
            size_t at = chunks[i].ordinal;
            bool carry = chunks[i].bytes_bits & PYR_CHUNK_CARRY;
            sums[at].gap += chunks[i].gap_ns;
            sums[at].bytes += chunks[i].bytes_bits & PYR_CHUNK_BYTES_MAX;
            sums[at].tokens += chunks[i].tokens;
            sums[at].whole += !carry;
            sums[at].carries += carry;
            sums[at].reasoning += (chunks[i].bytes_bits & PYR_CHUNK_REASONING) != 0;
            sums[at].last = chunks[i];
        }
    }
    pyr_runfile_close(file);
    assert_true(sums[1].gap == long_gap);
    assert_int_equal(sums[1].carries, 3);
    assert_int_equal(sums[1].reasoning, 4);
    assert_int_equal(sums[1].last.lag_ns, PYR_LAG_UNKNOWN);
    assert_int_equal(sums[2].gap, 9);
    assert_int_equal(sums[2].bytes, 40000);
    assert_int_equal(sums[2].tokens, 700);
    assert_int_equal(sums[2].last.lag_ns, 5);
    assert_true(pyr_bound_ns(sums[2].last.bound_code) >= 100);
    assert_int_equal(sums[3].carries, 0);
    assert_int_equal(sums[3].last.gap_ns, UINT32_MAX);
    assert_int_equal(sums[4].last.lag_ns, 0);
    assert_true(pyr_bound_ns(sums[4].last.bound_code) == PYR_NEVER);
    for (size_t i = 1; i < 5; i++)
        assert_int_equal(sums[i].whole, 1);
}

static void a_bound_is_never_understated(void **state) {
    (void)state;
    assert_int_equal(pyr_bound_code(0), 0);
    assert_int_equal(pyr_bound_ns(0), 0);
    for (unsigned code = 1; code < 255; code++) {
        uint64_t bound = pyr_bound_ns((uint8_t)code);
        assert_true(bound <= pyr_bound_ns((uint8_t)(code + 1)));
        assert_true(pyr_bound_ns(pyr_bound_code(bound)) == bound);
        for (int off = -1; off <= 1; off++) {
            uint64_t asked = bound + (uint64_t)(int64_t)off, told;
            told = pyr_bound_ns(pyr_bound_code(asked));
            assert_true(told >= asked);
            assert_true(told == PYR_NEVER ? code == 254
                                          : (double)told <= 1.091 * (double)asked + 1);
        }
    }
    assert_true(pyr_bound_ns(pyr_bound_code(UINT64_MAX)) == PYR_NEVER);
}

static void a_full_disk_is_reported_and_leaves_whole_blocks(void **state) {
    (void)state;
    struct rlimit before, small = {50000, RLIM_INFINITY};
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    struct pyr_recorder *recorder = open_recorder(1, 256, true);
    struct pyr_lane *lane = pyr_recorder_lane(recorder, 0);
    assert_null(pyr_recorder_error(recorder));
    for (uint32_t i = 0; i < 10000; i++)
        pyr_lane_chunk(lane, (struct pyr_chunk){.ordinal = 0, .gap_ns = i});
    const struct pyr_err *error = pyr_recorder_error(recorder);
    assert_non_null(error);
    assert_int_equal(error->code, PYR_E_IO);
    struct pyr_err err;
    assert_false(pyr_recorder_close(recorder, &err));
    setrlimit(RLIMIT_FSIZE, &before);
    assert_non_null(strstr(err.text, "cannot be written"));
    struct content content = read_all(path);
    assert_true(content.in_order);
    assert_true(content.chunks > 2000 && content.chunks < 10000);
    assert_non_null(strstr(content.partial, "no end block"));
}

/* The child records for ever, through a writer thread; the parent kills it in the middle. */
static void a_killed_run_keeps_what_happened(void **state) {
    (void)state;
    enum { SLOTS = 1024 };
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct pyr_recorder *recorder = open_recorder(1, SLOTS, false);
        struct pyr_lane *lane = pyr_recorder_lane(recorder, 0);
        for (uint32_t i = 0;; i++) {
            pyr_lane_chunk(lane, (struct pyr_chunk){.ordinal = 0, .gap_ns = i});
            /* With four rings recorded at least three are in the file. */
            if (i == 4 * SLOTS && write(ready[1], "x", 1) != 1)
                _exit(1);
        }
    }
    char byte;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    kill(child, SIGKILL);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    close(ready[0]);
    close(ready[1]);
    struct content content = read_all(path);
    assert_string_not_equal(content.partial, "");
    assert_true(content.in_order);
    assert_true(content.chunks >= 3 * SLOTS);
}

static void every_outcome_has_its_own_name(void **state) {
    (void)state;
    for (int i = 0; i < PYR_OUTCOME_COUNT; i++) {
        assert_non_null(pyr_outcome_name((enum pyr_outcome)i));
        for (int j = 0; j < i; j++)
            assert_string_not_equal(pyr_outcome_name((enum pyr_outcome)i),
                                    pyr_outcome_name((enum pyr_outcome)j));
    }
}

int main(void) {
#define RUN_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        RUN_TEST(what_was_recorded_is_read_back),
        RUN_TEST(an_existing_file_is_never_overwritten),
        RUN_TEST(rings_wrap_many_times_and_keep_order),
        RUN_TEST(a_recorder_without_a_file_only_counts),
        RUN_TEST(a_file_cut_at_any_byte_reads_up_to_its_last_whole_block),
        RUN_TEST(any_flipped_bit_is_detected),
        RUN_TEST(foreign_files_are_refused_by_name_and_cause),
        RUN_TEST(metrics_of_another_version_are_found_by_name),
        RUN_TEST(sound_checksums_do_not_excuse_wrong_contents),
        RUN_TEST(what_does_not_fit_a_chunk_is_carried),
        RUN_TEST(a_bound_is_never_understated),
        RUN_TEST(a_full_disk_is_reported_and_leaves_whole_blocks),
        RUN_TEST(a_killed_run_keeps_what_happened),
        RUN_TEST(every_outcome_has_its_own_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
