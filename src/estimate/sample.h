/* SPDX-License-Identifier: MIT
 *
 * A sample: the values of one metric in the order in which their requests were sent, and the same
 * values sorted. Both arrays are 64-bit keys whose order is that of the values: a time is its own
 * key, a double goes through pyr_key_of_double. The arrays belong to the caller.
 */
#ifndef PYR_ESTIMATE_SAMPLE_H
#define PYR_ESTIMATE_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct pyr_correlation;

struct pyr_sample {
    const uint64_t *in_order;
    const uint64_t *sorted;
    size_t n;
    bool is_double; /* keys of doubles; else whole numbers (ns, bytes, counts) */
    /* What the requests in flight say of the run (estimate/correlation.h); NULL: nothing known, and
     * the values alone decide. */
    const struct pyr_correlation *correlation;
};

/* The bits of a double, mapped so that keys order as the doubles do. NaN has no place. */
static inline uint64_t pyr_key_of_double(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

static inline double pyr_double_of_key(uint64_t key) {
    uint64_t bits = key >> 63 ? key ^ UINT64_C(1) << 63 : ~key;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline double pyr_sample_value(const struct pyr_sample *sample, uint64_t key) {
    return sample->is_double ? pyr_double_of_key(key) : (double)key;
}

/* Sorts n keys in place, rising. `scratch` is lent memory for n keys. Linear time: a radix sort
 * that skips the bytes in which all keys agree. */
void pyr_sort_keys(uint64_t *keys, uint64_t *scratch, size_t n);

/* Sorts n doubles (no NaN) in place, rising; takes scratch memory from the heap. */
void pyr_sort_doubles(double *values, size_t n);

/* The middle of n sorted doubles, the mean of the two middle ones when n is even; n > 0. */
double pyr_median_of_sorted(const double *sorted, size_t n);

#endif
