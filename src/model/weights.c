/* SPDX-License-Identifier: MIT */
#include "model/weights.h"

#include "base/rng.h"
#include "model/gguf_type.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum {
    SUM_MAX = 510, /* of four bytes minus their mean */
    CHUNK = 256    /* elements made at a time: they stay in the first-level cache */
};

/* Standard deviation of the sum of four bytes: sqrt(4 (256^2 - 1) / 12). */
#define SUM_SD 147.80054f

uint16_t pyr_f16_from_f32(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    uint32_t magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000)
        return sign | 0x7e00;
    if (magnitude >= 0x477ff000) /* 65520 and more round to infinity */
        return sign | 0x7c00;
    if (magnitude < 0x38800000) { /* below 2^-14: adding 0.5 lets the FPU round to 2^-24 steps */
        float shifted;
        memcpy(&shifted, &magnitude, sizeof shifted);
        shifted += 0.5f;
        memcpy(&bits, &shifted, sizeof bits);
        return sign | (uint16_t)(bits - 0x3f000000);
    }
    uint32_t rounded = magnitude + 0xfff + (magnitude >> 13 & 1);
    return sign | (uint16_t)((rounded - (112u << 23)) >> 13);
}

float pyr_f32_from_f16(uint16_t half) {
    unsigned exponent = half >> 10 & 31, fraction = half & 1023;
    float value = exponent == 31 ? (fraction ? NAN : INFINITY)
                  : exponent     ? ldexpf((float)(fraction + 1024), (int)exponent - 25)
                                 : ldexpf((float)fraction, -24);
    return half & 0x8000 ? -value : value;
}

size_t pyr_weights_bytes(uint32_t type, size_t count) {
    const struct pyr_tensor_type *format = pyr_tensor_type(type);
    assert(format && count % format->block == 0);
    return count / format->block * format->bytes;
}

/* Sums of four bytes less their mean, two from each 64 random bits. */
static void draw(uint64_t key, uint64_t first, size_t count, int16_t *sums) {
    const uint64_t even = UINT64_C(0x00ff00ff00ff00ff), ones = UINT64_C(0x0001000100010001);
    for (size_t i = 0; i < count; i += 2) {
        uint64_t bits = pyr_mix64(key + (first + i) / 2 * UINT64_C(0x9e3779b97f4a7c15));
        sums[i] = (int16_t)((int)((bits & even) * ones >> 48) - SUM_MAX);
        sums[i + 1] = (int16_t)((int)((bits >> 8 & even) * ones >> 48) - SUM_MAX);
    }
}

static void put_f16(uint8_t *out, float value) {
    uint16_t half = pyr_f16_from_f32(value);
    memcpy(out, &half, sizeof half);
}

static void pack_q8_0(const int16_t *sums, float scale, uint8_t *out) {
    int largest = 0;
    for (int i = 0; i < PYR_WEIGHTS_BLOCK; i++) {
        int magnitude = sums[i] < 0 ? -sums[i] : sums[i];
        largest = magnitude > largest ? magnitude : largest;
    }
    put_f16(out, (float)largest * scale / 127);
    float inverse = largest ? 127 / (float)largest : 0;
    int8_t *q = (int8_t *)out + 2;
    for (int i = 0; i < PYR_WEIGHTS_BLOCK; i++) {
        float x = (float)sums[i] * inverse;
        q[i] = (int8_t)(x + (x < 0 ? -0.5f : 0.5f));
    }
}

static void pack_q4_0(const int16_t *sums, float scale, uint8_t *out) {
    int largest = 0, peak = 0;
    for (int i = 0; i < PYR_WEIGHTS_BLOCK; i++) {
        int magnitude = sums[i] < 0 ? -sums[i] : sums[i];
        peak = magnitude > largest ? sums[i] : peak;
        largest = magnitude > largest ? magnitude : largest;
    }
    put_f16(out, (float)peak * scale / -8);
    float inverse = peak ? -8 / (float)peak : 0;
    uint8_t q[PYR_WEIGHTS_BLOCK];
    for (int i = 0; i < PYR_WEIGHTS_BLOCK; i++) {
        int level = (int)((float)sums[i] * inverse + 8.5f);
        q[i] = (uint8_t)(level > 15 ? 15 : level);
    }
    for (int i = 0; i < PYR_WEIGHTS_BLOCK / 2; i++)
        out[2 + i] = (uint8_t)(q[i] | q[i + PYR_WEIGHTS_BLOCK / 2] << 4);
}

static void pack(uint32_t type, const int16_t *sums, size_t count, float scale, uint8_t *out) {
    switch (type) {
    case PYR_TENSOR_F32:
        for (size_t i = 0; i < count; i++) {
            float value = (float)sums[i] * scale;
            memcpy(out + i * sizeof value, &value, sizeof value);
        }
        return;
    case PYR_TENSOR_F16:
        for (size_t i = 0; i < count; i++)
            put_f16(out + 2 * i, (float)sums[i] * scale);
        return;
    case PYR_TENSOR_Q8_0:
        for (size_t i = 0; i < count; i += PYR_WEIGHTS_BLOCK, out += 34)
            pack_q8_0(sums + i, scale, out);
        return;
    default:
        assert(type == PYR_TENSOR_Q4_0);
        for (size_t i = 0; i < count; i += PYR_WEIGHTS_BLOCK, out += 18)
            pack_q4_0(sums + i, scale, out);
    }
}

void pyr_weights_fill(uint32_t type, uint64_t key, uint64_t first, size_t count, float sd,
                      void *out) {
    assert(first % 2 == 0 && count % 2 == 0);
    int16_t sums[CHUNK];
    uint8_t *next = out;
    while (count > 0) {
        size_t part = count < CHUNK ? count : CHUNK;
        draw(key, first, part, sums);
        pack(type, sums, part, sd / SUM_SD, next);
        next += pyr_weights_bytes(type, part);
        first += part;
        count -= part;
    }
}
