/* SPDX-License-Identifier: MIT
 *
 * A histogram of times (or any uint64) that merges exactly: bucket k holds 2^((k-1)/256) < v <=
 * 2^(k/256), which is schema 8 of Prometheus native histograms (base 2^(2^-8), growth 0.271 %) in
 * the unit that was recorded. (An export in another unit than the recorded one is not lossless.)
 *
 * Error: a value read back differs from the recorded one by at most PYR_HIST_RELATIVE_ERROR
 * (0.1355 %), the distance from the geometric middle of a bucket to its ends; values below 369 are
 * exact, because their buckets hold one whole number at most. count, sum, min and max are exact.
 *
 * Range: 0 has its own bucket, 1 .. 2^63 the others. Greater values are counted as overflow, shown
 * by every reader and never clamped: a rank that falls there has no value. Fixed memory, known
 * beforehand; recording allocates nothing. Not thread-safe: one writer each, then merge.
 *
 * Source of the layout: prometheus/docs, specs/native_histograms.
 */
#ifndef PYR_ESTIMATE_HIST_H
#define PYR_ESTIMATE_HIST_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PYR_HIST_SLOTS = 63 * 256 + 1 };
#define PYR_HIST_RELATIVE_ERROR 0.001354719857
/* Counts stay whole in a double. */
#define PYR_HIST_COUNT_MAX (UINT64_C(1) << 53)

struct pyr_hist {
    uint64_t count; /* all values, zeros and overflow included */
    uint64_t zero;
    uint64_t overflow; /* values above 2^63 */
    uint64_t min, max; /* exact; 0 while count is 0 */
    unsigned __int128 sum;
    uint64_t slots[PYR_HIST_SLOTS]; /* slot k is the bucket with the upper boundary 2^(k/256) */
};

/* One octave: the greatest 64-bit mantissa of each bucket, and the first bucket of each of 512
 * cells (hist_table.c). */
extern const uint64_t pyr_hist_octave[257];
extern const uint16_t pyr_hist_first[512];

/* The slot of a value in 1 .. 2^63: exactly the least k with v <= 2^(k/256). */
static inline unsigned pyr_hist_slot(uint64_t value) {
    unsigned shift = (unsigned)__builtin_clzll(value);
    uint64_t mantissa = value << shift;
    unsigned j = pyr_hist_first[(mantissa >> 54) & 511];
    j += mantissa > pyr_hist_octave[j];
    return (63 - shift) * 256 + j;
}

static inline void pyr_hist_record_n(struct pyr_hist *hist, uint64_t value, uint64_t times) {
    if (times == 0)
        return;
    if (hist->count == 0 || value < hist->min)
        hist->min = value;
    if (value > hist->max)
        hist->max = value;
    hist->count += times;
    hist->sum += (unsigned __int128)value * times;
    if (value - 1 <= (UINT64_C(1) << 63) - 1)
        hist->slots[pyr_hist_slot(value)] += times;
    else if (value == 0)
        hist->zero += times;
    else
        hist->overflow += times;
}

static inline void pyr_hist_record(struct pyr_hist *hist, uint64_t value) {
    pyr_hist_record_n(hist, value, 1);
}

struct pyr_hist *pyr_hist_create(void);       /* empty */
void pyr_hist_destroy(struct pyr_hist *hist); /* NULL is allowed */
void pyr_hist_reset(struct pyr_hist *hist);

/* Adds `from` to `into`: the result is the histogram of both recordings. Fails, with `into`
 * unchanged, when the count would pass PYR_HIST_COUNT_MAX. */
bool pyr_hist_merge(struct pyr_hist *into, const struct pyr_hist *from, struct pyr_err *err);

/* The whole numbers that a slot holds, lo .. hi; lo > hi for the slots of small values that hold
 * none. */
void pyr_hist_slot_range(unsigned slot, uint64_t *lo, uint64_t *hi);

/* A value read back. `value` is the geometric middle of its bucket, kept inside the whole numbers
 * of the bucket and inside min .. max; it is NaN for a rank in the overflow. lo and hi enclose the
 * recorded value for certain. */
struct pyr_hist_value {
    double value;
    uint64_t lo, hi;
};

/* The value of a rank in 1 .. count. */
struct pyr_hist_value pyr_hist_at_rank(const struct pyr_hist *hist, uint64_t rank);

/* How many values lie in the slots 0 .. slot, zeros included: what a cumulative bucket with the
 * boundary 2^(slot/256) holds. */
uint64_t pyr_hist_count_upto(const struct pyr_hist *hist, unsigned slot);

/* How many values are greater than `limit`, to the bucket: values in the bucket of `limit` itself
 * count as not greater. */
uint64_t pyr_hist_count_above(const struct pyr_hist *hist, uint64_t limit);

double
pyr_hist_mean(const struct pyr_hist *hist); /* exact but for the last rounding; NaN when empty */
/* From the middles of the buckets (error below 0.3 % of the mean); NaN below two values or with
 * overflow. */
double pyr_hist_sd(const struct pyr_hist *hist);

/* Appends the bytes of docs/formats/histogram.md; reading them back gives the same histogram. */
void pyr_hist_write(const struct pyr_hist *hist, struct pyr_buf *buf);
/* Reads them into `hist`, whatever was there. All bytes must be used, every number in its shortest
 * form and the parts must agree with each other; else it fails and `hist` is empty. */
bool pyr_hist_read(struct pyr_hist *hist, const void *bytes, size_t size, struct pyr_err *err);

#endif
