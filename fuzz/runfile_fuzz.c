/* SPDX-License-Identifier: MIT
 *
 * The run file reader on any bytes: as they are, and with sequence numbers and checksums put right
 * so that what lies behind them is reached too.
 */
#include "record/crc32c.h"
#include "record/runfile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Touches every item, so that a count or a text without an end shows. */
static uint64_t touch(const struct pyr_block *block) {
    uint64_t sum = block->count;
    for (size_t i = 0; i < block->count; i++)
        switch (block->type) {
        case PYR_BLOCK_CASES:
            sum += strlen(((const struct pyr_case *)block->items)[i].params);
            break;
        case PYR_BLOCK_REQUESTS:
            sum += strlen(pyr_outcome_name(
                (enum pyr_outcome)((const struct pyr_request *)block->items)[i].outcome));
            break;
        case PYR_BLOCK_CHUNKS:
            sum += ((const struct pyr_chunk *)block->items)[i].gap_ns;
            break;
        case PYR_BLOCK_OBSERVATIONS:
            sum += strlen(
                pyr_metric_info(
                    (enum pyr_metric)((const struct pyr_observation *)block->items)[i].metric)
                    ->name);
            break;
        case PYR_BLOCK_SAMPLES:
            sum += ((const struct pyr_reading *)block->items)[i].time_ns;
            break;
        case PYR_BLOCK_MARKS:
            sum += strlen(((const struct pyr_mark *)block->items)[i].text);
            break;
        case PYR_BLOCK_STEPS:
            sum += ((const struct pyr_step *)block->items)[i].end_ns -
                   ((const struct pyr_step *)block->items)[i].start_ns;
            break;
        case PYR_BLOCK_HISTOGRAMS: {
            const struct pyr_histogram *head = block->items;
            const unsigned char *bytes = (const unsigned char *)(head + 1);
            sum += strlen(pyr_metric_info((enum pyr_metric)head->metric)->name);
            for (uint32_t k = 0; k < head->bytes; k++)
                sum += bytes[k];
            break;
        }
        case PYR_BLOCK_GOALS:
            sum += strlen(((const struct pyr_goal *)block->items)[i].label);
            break;
        default:
            break;
        }
    return sum;
}

static void read_it(const uint8_t *data, size_t size) {
    int fd = memfd_create("run", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct pyr_runfile *file;
    uint64_t sum = 0;
    if (pyr_runfile_open(path, &file, NULL)) {
        struct pyr_block block;
        sum += strlen(pyr_runfile_meta(file));
        while (pyr_runfile_next(file, &block))
            sum += touch(&block);
        if (pyr_runfile_partial(file))
            sum += strlen(pyr_runfile_partial(file));
        pyr_runfile_close(file);
    }
    __asm__ volatile("" : : "r"(sum)); /* so that the touching is not optimised away */
    close(fd);
}

static void put_right(uint8_t *data, size_t size) {
    uint32_t sequence = 0, header[4];
    if (size >= 8)
        memcpy(data, PYR_RUN_MAGIC, 8);
    for (size_t at = 8; at + sizeof header <= size;) {
        memcpy(header, data + at, sizeof header);
        size_t left = size - at - sizeof header;
        if (header[1] > left)
            header[1] = (uint32_t)left;
        header[2] = sequence++;
        uint32_t crc = pyr_crc32c(0, header, 12);
        header[3] = pyr_crc32c(crc, data + at + sizeof header, header[1]);
        memcpy(data + at, header, sizeof header);
        at += sizeof header + header[1];
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    read_it(data, size);
    uint8_t *copy = malloc(size + 1);
    if (!copy)
        abort();
    memcpy(copy, data, size);
    put_right(copy, size);
    read_it(copy, size);
    free(copy);
    return 0;
}
