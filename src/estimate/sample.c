/* SPDX-License-Identifier: MIT */
#include "estimate/sample.h"

#include "base/mem.h"

#include <assert.h>

enum { DIGITS = 8, VALUES = 256, SMALL = 64 };

static void insertion_sort(uint64_t *keys, size_t n) {
    for (size_t i = 1; i < n; i++) {
        uint64_t key = keys[i];
        size_t j = i;
        for (; j > 0 && keys[j - 1] > key; j--)
            keys[j] = keys[j - 1];
        keys[j] = key;
    }
}

void pyr_sort_keys(uint64_t *keys, uint64_t *scratch, size_t n) {
    if (n <= SMALL) {
        insertion_sort(keys, n);
        return;
    }
    size_t counts[DIGITS][VALUES] = {{0}};
    for (size_t i = 0; i < n; i++)
        for (unsigned d = 0; d < DIGITS; d++)
            counts[d][keys[i] >> (8 * d) & 255]++;
    uint64_t *from = keys, *to = scratch;
    for (unsigned d = 0; d < DIGITS; d++) {
        size_t *count = counts[d], start = 0;
        if (count[from[0] >> (8 * d) & 255] == n)
            continue;
        for (unsigned v = 0; v < VALUES; v++) {
            size_t here = count[v];
            count[v] = start;
            start += here;
        }
        for (size_t i = 0; i < n; i++)
            to[count[from[i] >> (8 * d) & 255]++] = from[i];
        uint64_t *swap = from;
        from = to;
        to = swap;
    }
    if (from != keys)
        memcpy(keys, from, n * sizeof *keys);
}

void pyr_sort_doubles(double *values, size_t n) {
    uint64_t *keys = pyr_xcalloc(2 * n, sizeof *keys);
    for (size_t i = 0; i < n; i++)
        keys[i] = pyr_key_of_double(values[i]);
    pyr_sort_keys(keys, keys + n, n);
    for (size_t i = 0; i < n; i++)
        values[i] = pyr_double_of_key(keys[i]);
    pyr_free(keys);
}

double pyr_median_of_sorted(const double *sorted, size_t n) {
    assert(n > 0);
    return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}
