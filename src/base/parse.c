/* SPDX-License-Identifier: MIT */
#include "base/parse.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool pyr_parse_u64(const char *text, uint64_t *value, struct pyr_err *err) {
    char *end;
    bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    errno = 0;
    unsigned long long parsed = strtoull(text, &end, hex ? 16 : 10);
    if (!isdigit((unsigned char)text[0]) || *end)
        return pyr_fail(err, PYR_E_USAGE, "'%s' is not a whole number", text);
    if (errno == ERANGE)
        return pyr_fail(err, PYR_E_USAGE, "'%s' is too large", text);
    *value = parsed;
    return true;
}

bool pyr_parse_double(const char *text, double *value, struct pyr_err *err) {
    char *end;
    double parsed = strtod(text, &end);
    if (end == text || *end || isspace((unsigned char)text[0]) || !isfinite(parsed))
        return pyr_fail(err, PYR_E_USAGE, "'%s' is not a number", text);
    *value = parsed;
    return true;
}

struct suffix {
    const char *name;
    double factor;
};

/* Splits "12.5ms" and scales by the suffix found in table (NULL name ends it). */
static bool parse_scaled(const char *text, const struct suffix *table, const char *what,
                         uint64_t *out, struct pyr_err *err) {
    char *end;
    double number = strtod(text, &end);
    if (end == text || !isdigit((unsigned char)text[0]))
        return pyr_fail(err, PYR_E_USAGE, "'%s' is not %s", text, what);
    for (; table->name; table++) {
        if (strcasecmp(table->name, end) != 0)
            continue;
        double scaled = number * table->factor;
        if (!(scaled < 0x1p63))
            return pyr_fail(err, PYR_E_USAGE, "'%s' is too large", text);
        *out = (uint64_t)llround(scaled);
        return true;
    }
    return pyr_fail(err, PYR_E_USAGE, "'%s' is not %s", text, what);
}

bool pyr_parse_duration_ns(const char *text, uint64_t *ns, struct pyr_err *err) {
    static const struct suffix units[] = {{"", 1e9},     {"s", 1e9},    {"ms", 1e6},
                                          {"us", 1e3},   {"ns", 1},     {"m", 60e9},
                                          {"min", 60e9}, {"h", 3600e9}, {NULL, 0}};
    return parse_scaled(text, units, "a duration such as 30s, 500ms or 5m", ns, err);
}

bool pyr_parse_bytes(const char *text, uint64_t *bytes, struct pyr_err *err) {
    static const struct suffix units[] = {{"", 1},         {"b", 1},        {"k", 0x1p10},
                                          {"kib", 0x1p10}, {"m", 0x1p20},   {"mib", 0x1p20},
                                          {"g", 0x1p30},   {"gib", 0x1p30}, {"kb", 1e3},
                                          {"mb", 1e6},     {"gb", 1e9},     {NULL, 0}};
    return parse_scaled(text, units, "a size such as 64MiB or 2GB", bytes, err);
}

enum { LIST_ITEMS_MAX = 4096 }; /* a longer sweep is a typing error ("1-1000000") */

static bool parse_range(const char *item, uint64_t *first, uint64_t *last, struct pyr_err *err) {
    char copy[64];
    size_t bytes = strlen(item) + 1;
    if (bytes > sizeof copy)
        return pyr_fail(err, PYR_E_USAGE, "'%s' is not a whole number", item);
    memcpy(copy, item, bytes);
    char *dots = strstr(copy, ".."), *dash = strchr(copy, '-');
    char *split = dots ? dots : dash;
    if (!split) {
        bool ok = pyr_parse_u64(copy, first, err);
        *last = *first;
        return ok;
    }
    *split = '\0';
    if (!pyr_parse_u64(copy, first, err) || !pyr_parse_u64(split + (dots ? 2 : 1), last, err))
        return false;
    return *first <= *last || pyr_fail(err, PYR_E_USAGE, "'%s' runs backwards", item);
}

bool pyr_parse_u64_list(struct pyr_arena *arena, const char *text, uint64_t **values, size_t *count,
                        struct pyr_err *err) {
    uint64_t *list = pyr_arena_array(arena, LIST_ITEMS_MAX, sizeof *list);
    size_t used = 0;
    char *copy = pyr_arena_strdup(arena, text), *rest = copy, *item;
    while ((item = strsep(&rest, ","))) {
        uint64_t first = 0, last = 0;
        if (!parse_range(item, &first, &last, err))
            return pyr_err_prefix(err, "list '%s'", text);
        if (last - first >= LIST_ITEMS_MAX - used)
            return pyr_fail(err, PYR_E_USAGE, "list '%s' has more than %d items", text,
                            LIST_ITEMS_MAX);
        for (uint64_t value = first; value <= last; value++)
            list[used++] = value;
    }
    *values = list;
    *count = used;
    return true;
}

/* Levenshtein distance with one row; words longer than the row are never near. */
static size_t edit_distance(const char *a, const char *b) {
    size_t row[64], n = strlen(b);
    if (n + 1 > sizeof row / sizeof *row)
        return SIZE_MAX;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t above = row[j];
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            if (above + 1 < best)
                best = above + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            diagonal = above;
            row[j] = best;
        }
    }
    return row[n];
}

const char *pyr_nearest(const char *word, const char *const *names, size_t count) {
    size_t limit = strlen(word) / 3 > 2 ? strlen(word) / 3 : 2;
    size_t best = limit + 1;
    const char *nearest = NULL;
    for (size_t i = 0; i < count; i++) {
        size_t distance = edit_distance(word, names[i]);
        if (distance < best) {
            best = distance;
            nearest = names[i];
        }
    }
    return nearest;
}
