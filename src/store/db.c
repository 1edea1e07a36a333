/* SPDX-License-Identifier: MIT */
#include "store/db.h"

#include <math.h>
#include <string.h>

struct pyr_db_value pyr_db_real(double real) {
    return (struct pyr_db_value){.type = isnan(real) ? PYR_DB_NULL : PYR_DB_REAL, .real = real};
}

struct pyr_db_value pyr_db_text(const char *text) {
    return text ? (struct pyr_db_value){.type = PYR_DB_TEXT, .bytes = text, .size = strlen(text)}
                : (struct pyr_db_value){.type = PYR_DB_NULL};
}

struct pyr_db_value pyr_db_bytes(const void *bytes, size_t size) {
    return (struct pyr_db_value){.type = PYR_DB_BYTES, .bytes = bytes, .size = size};
}

double pyr_db_as_real(const struct pyr_db_value *value) {
    return value->type == PYR_DB_REAL      ? value->real
           : value->type == PYR_DB_INTEGER ? (double)value->integer
                                           : (double)NAN;
}

int64_t pyr_db_as_integer(const struct pyr_db_value *value) {
    return value->type == PYR_DB_INTEGER ? value->integer : 0;
}

const char *pyr_db_as_text(struct pyr_arena *arena, const struct pyr_db_value *value) {
    return value->type == PYR_DB_TEXT ? pyr_arena_strndup(arena, value->bytes, value->size) : NULL;
}
