/* SPDX-License-Identifier: MIT
 *
 * Everything behind the reader of run files, on any bytes: the result, every report format, the run
 * as it is kept, its comparison with itself in every format. What the reader lets through is data
 * and may make numbers odd, but ends nobody.
 *
 * The mutator knows blocks and items: it sets single fields to values that are seldom right.
 */
#include "base/mem.h"
#include "judge/compare.h"
#include "judge/history.h"
#include "record/crc32c.h"
#include "record/runfile.h"
#include "report/comparison.h"
#include "report/formats.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t capacity) __attribute__((weak));

enum { HEADER = PYR_BLOCK_HEADER_BYTES, MAGIC = 8 };

/* Sequence numbers and checksums, so that what lies behind them is reached. */
static void put_right(uint8_t *data, size_t size) {
    uint32_t sequence = 0, header[4];
    if (size >= MAGIC)
        memcpy(data, PYR_RUN_MAGIC, MAGIC);
    for (size_t at = MAGIC; at + HEADER <= size; at += HEADER + header[1]) {
        memcpy(header, data + at, sizeof header);
        size_t left = size - at - HEADER;
        if (header[1] > left)
            header[1] = (uint32_t)left;
        header[2] = sequence++;
        header[3] = pyr_crc32c(pyr_crc32c(0, header, 12), data + at + HEADER, header[1]);
        memcpy(data + at, header, sizeof header);
    }
}

static void tell(const struct pyr_result *result) {
    const struct pyr_report_options options = {.width = 80};
    for (const struct pyr_report_format *format = pyr_report_formats; format->name; format++) {
        struct pyr_buf out = {0};
        struct pyr_err err;
        format->write(result, &options, &out, &err);
        if (format->write_second)
            format->write_second(result, &options, &out, &err);
        pyr_buf_deinit(&out);
    }
    for (size_t i = 0; i < result->suite_count; i++) {
        struct pyr_buf out = {0};
        pyr_report_suite_json(result, i, &out);
        pyr_buf_deinit(&out);
    }
}

static void compare(const struct pyr_result *result) {
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_kept_run *run = pyr_history_run(arena, result, NULL, NULL);
    const struct pyr_compare_side side = {"itself", run, 1};
    const struct pyr_compare_options options = {.threshold = 0.1, .single = true};
    const struct pyr_report_options told = {.width = 80};
    struct pyr_comparison *comparison;
    struct pyr_err err;
    if (pyr_compare_runs(&side, &side, &options, &comparison, &err)) {
        for (const struct pyr_comparison_format *format = pyr_comparison_formats; format->name;
             format++) {
            struct pyr_buf out = {0};
            format->write(comparison, &told, &out);
            pyr_buf_deinit(&out);
        }
        pyr_comparison_destroy(comparison);
    } else
        assert(err.code != PYR_OK && err.text[0]);
    pyr_arena_destroy(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t *copy = pyr_xcalloc(1, size + 1);
    memcpy(copy, data, size);
    put_right(copy, size);
    int fd = memfd_create("run", MFD_CLOEXEC);
    if (fd < 0 || write(fd, copy, size) != (ssize_t)size)
        abort();
    pyr_free(copy);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct pyr_result *result;
    struct pyr_err err = {0};
    if (pyr_result_make(path, &result, &err)) {
        tell(result);
        compare(result);
        pyr_result_destroy(result);
    } else
        assert(err.code != PYR_OK && err.text[0]);
    close(fd);
    return 0;
}

/* --- mutation ----------------------------------------------------------------------------------
 */

static uint64_t next(uint64_t *state) {
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

static uint64_t odd_value(uint64_t *state) {
    static const double reals[] = {0,    -1,   1e-300, 1e300, 1,      (double)INFINITY,
                                   0.95, 1e19, -0.0,   1e9,   -1e300, (double)NAN};
    static const uint64_t wholes[] = {
        0, 1, 2, UINT64_MAX, INT64_MAX, UINT32_MAX, INT32_MAX, UINT64_C(1) << 62, 255, 1000000000};
    uint64_t bits;
    if (next(state) % 2)
        return wholes[next(state) % (sizeof wholes / sizeof *wholes)];
    memcpy(&bits, &reals[next(state) % (sizeof reals / sizeof *reals)], sizeof bits);
    return bits;
}

/* The start of a block of the file, by chance; 0 when there is none. */
static size_t any_block(const uint8_t *data, size_t size, uint64_t *state, uint32_t *bytes) {
    size_t starts[256], count = 0;
    for (size_t at = MAGIC; at + HEADER <= size && count < 256;) {
        starts[count++] = at;
        memcpy(bytes, data + at + 4, sizeof *bytes);
        if (*bytes > size - at - HEADER)
            break;
        at += HEADER + *bytes;
    }
    if (count == 0)
        return 0;
    size_t at = starts[next(state) % count];
    memcpy(bytes, data + at + 4, sizeof *bytes);
    if (*bytes > size - at - HEADER)
        *bytes = (uint32_t)(size - at - HEADER);
    return at;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned seed) {
    uint64_t state = seed;
    uint32_t bytes;
    size_t at = any_block(data, size, &state, &bytes);
    unsigned kind = (unsigned)(next(&state) % 8);
    if (at == 0 || kind == 0)
        return LLVMFuzzerMutate ? LLVMFuzzerMutate(data, size, capacity) : size;
    if (kind == 1 && size + HEADER + bytes <= capacity) { /* the block again */
        memmove(data + at + HEADER + bytes, data + at, size - at);
        return size + HEADER + bytes;
    }
    if (kind == 2) { /* without it */
        memmove(data + at, data + at + HEADER + bytes, size - at - HEADER - bytes);
        return size - HEADER - bytes;
    }
    for (unsigned i = 0; i < kind && bytes >= 8; i++) {
        uint64_t value = odd_value(&state);
        size_t wide = next(&state) % 2 ? 8 : 4;
        size_t field = next(&state) % (bytes / wide) * wide;
        memcpy(data + at + HEADER + field, &value, wide);
    }
    return size;
}
