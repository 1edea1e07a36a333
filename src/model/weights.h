/* SPDX-License-Identifier: MIT
 *
 * Random weights, straight into a tensor type. Element i of a tensor is a function of (key, i)
 * alone, so any split of the work over threads writes the same bytes.
 *
 * A weight is n * sd, where n is the sum of four uniform bytes, centred and scaled to standard
 * deviation 1 (Irwin-Hall with four terms: close to normal, no tails beyond 3.45).
 */
#ifndef PYR_MODEL_WEIGHTS_H
#define PYR_MODEL_WEIGHTS_H

#include <stddef.h>
#include <stdint.h>

enum { PYR_WEIGHTS_BLOCK = 32 }; /* count and first are multiples of it for Q8_0 and Q4_0 */

/* IEEE half precision, rounded to nearest even. */
uint16_t pyr_f16_from_f32(float value);
float pyr_f32_from_f16(uint16_t half);

/* Bytes that `count` elements take in PYR_TENSOR_F32, _F16, _Q8_0 or _Q4_0. */
size_t pyr_weights_bytes(uint32_t type, size_t count);

/* Writes elements [first, first + count) of the tensor `key` to `out`.
 * Q8_0: 32 elements share d = max|x| / 127. Q4_0: they share d = (x of largest magnitude) / -8 and
 * each is min(15, floor(x / d + 8.5)). Source: ggml's reference quantisation. */
void pyr_weights_fill(uint32_t type, uint64_t key, uint64_t first, size_t count, float sd,
                      void *out);

#endif
