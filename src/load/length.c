/* SPDX-License-Identifier: MIT */
#include "load/length.h"

#include "base/parse.h"

#include <math.h>
#include <string.h>

static const struct {
    const char *name;
    enum pyr_length_kind kind;
    int least, most; /* numbers after the colon */
} kinds[] = {
    {"uniform", PYR_LENGTH_UNIFORM, 2, 2},
    {"normal", PYR_LENGTH_NORMAL, 2, 4},
    {"lognormal", PYR_LENGTH_LOGNORMAL, 2, 4},
    {"exponential", PYR_LENGTH_EXPONENTIAL, 1, 3},
};

static bool bad(const char *text, struct pyr_err *err) {
    return pyr_fail(err, PYR_E_USAGE,
                    "'%s' is not a number of tokens such as 128, 64-256, uniform:64,256, "
                    "normal:128,32, lognormal:128,96 or exponential:128 (1 to %d tokens)",
                    text, PYR_LENGTH_MAX);
}

static bool whole(double value, uint32_t *tokens) {
    if (!(value >= 1 && value <= PYR_LENGTH_MAX) || value != floor(value))
        return false;
    *tokens = (uint32_t)value;
    return true;
}

/* Splits "a,b,c" into at most four numbers; -1 when it is none. */
static int read_numbers(const char *text, char separator, double numbers[4]) {
    char copy[128];
    size_t length = strlen(text);
    if (length >= sizeof copy)
        return -1;
    memcpy(copy, text, length + 1);
    int count = 0;
    for (char *at = copy, *next; at; at = next) {
        next = strchr(at, separator);
        if (next)
            *next++ = '\0';
        if (count == 4 || !pyr_parse_double(at, &numbers[count++], NULL))
            return -1;
    }
    return count;
}

static bool set_range(struct pyr_length *length, double lo, double hi) {
    return whole(lo, &length->min) && whole(hi, &length->max) && length->min <= length->max;
}

static bool parse_named(const char *text, const char *colon, struct pyr_length *length) {
    size_t name_bytes = (size_t)(colon - text);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strlen(kinds[i].name) != name_bytes || memcmp(kinds[i].name, text, name_bytes) != 0)
            continue;
        double n[4];
        int count = read_numbers(colon + 1, ',', n);
        if (count < kinds[i].least || count > kinds[i].most)
            return false;
        *length = (struct pyr_length){.kind = kinds[i].kind, .min = 1, .max = PYR_LENGTH_MAX};
        if (length->kind == PYR_LENGTH_UNIFORM)
            return set_range(length, n[0], n[1]);
        int used = length->kind == PYR_LENGTH_EXPONENTIAL ? 1 : 2;
        length->mean = n[0];
        length->sd = used == 2 ? n[1] : n[0];
        if (count > used && !whole(n[used], &length->min))
            return false;
        if (count > used + 1 && !whole(n[used + 1], &length->max))
            return false;
        return n[0] >= 1 && n[0] <= PYR_LENGTH_MAX && length->sd >= 0 &&
               length->sd <= PYR_LENGTH_MAX && length->min <= length->max;
    }
    return false;
}

bool pyr_length_parse(const char *text, struct pyr_length *length, struct pyr_err *err) {
    const char *colon = strchr(text, ':');
    if (colon)
        return parse_named(text, colon, length) || bad(text, err);
    double n[4];
    int count = read_numbers(text, '-', n);
    uint32_t tokens;
    if (count == 1 && whole(n[0], &tokens)) {
        *length = pyr_length_fixed(tokens);
        return true;
    }
    *length = (struct pyr_length){.kind = PYR_LENGTH_UNIFORM};
    return (count == 2 && set_range(length, n[0], n[1])) || bad(text, err);
}

uint32_t pyr_length_draw(const struct pyr_length *length, struct pyr_rng *rng) {
    double value = 0;
    switch (length->kind) {
    case PYR_LENGTH_FIXED:
        return length->min;
    case PYR_LENGTH_UNIFORM:
        return length->min + (uint32_t)pyr_rng_below(rng, length->max - length->min + 1);
    case PYR_LENGTH_NORMAL:
        value = length->mean + length->sd * pyr_rng_normal(rng);
        break;
    case PYR_LENGTH_LOGNORMAL:
        value = length->mean * pyr_rng_lognormal(rng, length->sd / length->mean);
        break;
    case PYR_LENGTH_EXPONENTIAL:
        value = length->mean * pyr_rng_exponential(rng);
        break;
    }
    if (!(value > length->min))
        return length->min;
    return value < length->max ? (uint32_t)lround(value) : length->max;
}
