/* SPDX-License-Identifier: MIT
 *
 * The run file (docs/formats/run.md): append-only, checksummed blocks. A file cut anywhere (kill
 * -9, a full disk) reads up to its last whole block, and says that it is partial.
 *
 *     file  = magic "PYRRUN2\n" , blocks
 *     block = u32 type, u32 payload bytes, u32 sequence number, u32 CRC-32C, payload
 *
 * The checksum covers the three words before it and the payload.
 *
 * The reader is for one thread and streams: memory does not grow with the file.
 */
#ifndef PYR_RECORD_RUNFILE_H
#define PYR_RECORD_RUNFILE_H

#include "base/err.h"
#include "record/metric.h"
#include "record/run.h"

#include <stddef.h>

enum pyr_block_type {
    PYR_BLOCK_META = 1, /* JSON text, first block of every file */
    PYR_BLOCK_METRICS,  /* names of the metrics by number: NUL-separated, in enum order */
    PYR_BLOCK_CASES,    /* struct pyr_case, an array; likewise below */
    PYR_BLOCK_REQUESTS,
    PYR_BLOCK_CHUNKS, /* of one lane: chunks of a request never change lanes */
    PYR_BLOCK_OBSERVATIONS,
    PYR_BLOCK_SAMPLES,
    PYR_BLOCK_MARKS,
    PYR_BLOCK_GOALS,
    PYR_BLOCK_END,       /* u64 counts of requests and chunks: the file is whole */
    PYR_BLOCK_STEPS,     /* struct pyr_step, an array */
    PYR_BLOCK_HISTOGRAMS /* one struct pyr_histogram and its bytes */
};

/* Its digit is the version. Of version 1, which is read too, requests end at prompt_hash. */
#define PYR_RUN_MAGIC "PYRRUN2\n"
#define PYR_RUN_NAME "run.pyr" /* of the file in a run's folder */
enum {
    PYR_RUN_VERSION_AT = 6,
    PYR_BLOCK_HEADER_BYTES = 16,
    PYR_BLOCK_BYTES_MAX = 4 << 20 /* of a payload: what a reader must be ready to hold */
};

struct pyr_runfile; /* opaque */

/* path: a run file, or a folder that holds run.pyr. Fails on what is no run file, on a newer
 * version and on an empty file; a damaged tail is not a failure (see pyr_runfile_partial). */
bool pyr_runfile_open(const char *path, struct pyr_runfile **file, struct pyr_err *err);
void pyr_runfile_close(struct pyr_runfile *file);
const char *pyr_runfile_meta(const struct pyr_runfile *file); /* JSON text, owned by the file */

struct pyr_block {
    enum pyr_block_type type;
    const void *items; /* array of the type's struct, valid until the next call */
    size_t count;      /* elements (bytes for META; 1 for a histogram, its bytes behind it) */
};

/* The next block, in file order and from META on; false at the end. The metric table and the end
 * block are kept from the caller, as are blocks of a type unknown here. All that it yields was
 * checked: texts end in NUL, outcomes and mark kinds are known ones, a step ends after it starts, a
 * histogram has as many bytes as it says (what they mean is the caller's to check). Metric numbers
 * in observations, samples and histograms are already those of this program; items with a metric
 * unknown here (goals too) are left out and counted. */
bool pyr_runfile_next(struct pyr_runfile *file, struct pyr_block *block);
void pyr_runfile_rewind(struct pyr_runfile *file);

/* After the end was reached: NULL when the file is whole, else why not ("no end block: the run was
 * killed", "block 12: checksum"). */
const char *pyr_runfile_partial(const struct pyr_runfile *file);
/* Items left out so far because this program does not know their metric or mark kind, and blocks
 * of unknown type: nonzero for the file of a newer version. */
uint64_t pyr_runfile_left_out(const struct pyr_runfile *file);

#endif
