/* SPDX-License-Identifier: MIT */
#include "base/options.h"

#include "base/parse.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { ROWS_MAX = 64, ITEM_BYTES_MAX = 256 };

bool pyr_option_spells(const struct pyr_option_row *row, const char *word, size_t length) {
    if (!row->name)
        return false;
    if (strlen(row->name) == length && strncmp(row->name, word, length) == 0)
        return true;
    for (size_t i = 0; i < PYR_OPTION_ALIASES_MAX && row->aliases[i]; i++)
        if (strlen(row->aliases[i]) == length && strncmp(row->aliases[i], word, length) == 0)
            return true;
    return length == 2 && row->letter && word[0] == '-' && word[1] == row->letter;
}

const struct pyr_option_row *pyr_option_by_key(const struct pyr_option_table *table,
                                               const char *key) {
    for (size_t i = 0; i < table->count; i++)
        if (table->rows[i].key && strcmp(table->rows[i].key, key) == 0)
            return &table->rows[i];
    return NULL;
}

/* --- one value ---------------------------------------------------------------------------------
 */

static bool parse_flag(const char *text, bool *value, struct pyr_err *err) {
    static const char *const words[][2] = {
        {"on", "off"}, {"true", "false"}, {"yes", "no"}, {"1", "0"}};
    *value = true;
    for (size_t i = 0; text && i < sizeof words / sizeof *words; i++)
        for (int off = 0; off < 2; off++)
            if (strcasecmp(text, words[i][off]) == 0) {
                *value = !off;
                return true;
            }
    return !text || pyr_fail(err, PYR_E_USAGE, "'%s' is neither on nor off", text);
}

static bool parse_share(const char *text, double *share, struct pyr_err *err) {
    char *end;
    double value = strtod(text, &end);
    bool percent = end != text && strcmp(end, "%") == 0;
    if (end == text || (*end && !percent) || !(value >= 0) || value > (percent ? 100 : 1))
        return pyr_fail(err, PYR_E_USAGE, "'%s' is no share; give 0 to 1, or 0%% to 100%%", text);
    *share = percent ? value / 100 : value;
    return true;
}

static bool parse_choice(const struct pyr_option_row *row, const char *text, int *value,
                         struct pyr_err *err) {
    char all[256] = "";
    for (int i = 0; row->choices[i]; i++) {
        if (strcasecmp(row->choices[i], text) == 0) {
            *value = i;
            return true;
        }
        size_t used = strlen(all);
        snprintf(all + used, sizeof all - used, "%s%s", i ? ", " : "", row->choices[i]);
    }
    return pyr_fail(err, PYR_E_USAGE, "'%s' is none of %s", text, all);
}

/* Large whole numbers are written out; %g would round what the user typed. */
static bool in_range(const struct pyr_option_row *row, double value, struct pyr_err *err) {
    bool bounded = row->most > 0;
    if (value >= row->least && (!bounded || value <= row->most))
        return true;
    if (!row->name)
        return pyr_fail(err, PYR_E_USAGE, "%g is outside %g to %g", value, row->least, row->most);
    if (value < row->least)
        return pyr_fail(err, PYR_E_USAGE, "%.10g is too small; give at least %.10g", value,
                        row->least);
    return pyr_fail(err, PYR_E_USAGE, "%.10g is too large; give at most %.10g", value, row->most);
}

static bool parse_real(const struct pyr_option_row *row, const char *text, double *value,
                       struct pyr_err *err) {
    if (!pyr_parse_double(text, value, err))
        return false;
    if (row->name && *value < 0)
        return pyr_fail(err, PYR_E_USAGE, "'%s' is below 0", text);
    return in_range(row, *value, err);
}

static bool parse_whole(const struct pyr_option_row *row, const char *text, uint64_t *value,
                        struct pyr_err *err) {
    return pyr_parse_u64(text, value, err) && in_range(row, (double)*value, err);
}

static bool parse_list(const struct pyr_option_row *row, const char *text, void *into,
                       struct pyr_arena *arena, struct pyr_err *err) {
    uint64_t *list;
    size_t count;
    if (!pyr_parse_u64_list(arena, text, &list, &count, err))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!in_range(row, (double)list[i], err))
            return false;
    *(const uint64_t **)(void *)((char *)into + row->offset) = list;
    *(size_t *)(void *)((char *)into + row->count_offset) = count;
    return true;
}

void pyr_option_add_pair(const struct pyr_option_row *row, void *into, struct pyr_arena *arena,
                         struct pyr_option pair) {
    assert(row->kind == PYR_OPTION_PAIRS);
    const struct pyr_option **list = (void *)((char *)into + row->offset);
    size_t *count = (void *)((char *)into + row->count_offset);
    struct pyr_option *grown = pyr_arena_array(arena, *count + 1, sizeof *grown);
    if (*count)
        memcpy(grown, *list, *count * sizeof *grown);
    grown[(*count)++] = pair;
    *list = grown;
}

/* "a=1,2,b=x": a part without '=' is one more value of the key before it. */
static bool parse_pairs(const struct pyr_option_row *row, const char *text, void *into,
                        struct pyr_arena *arena, struct pyr_err *err) {
    const char *at = text;
    while (*at) {
        size_t part = strcspn(at, ",");
        const char *equals = memchr(at, '=', part);
        if (!equals || equals == at)
            return pyr_fail(err, PYR_E_USAGE, "'%s' is not KEY=VALUE", at);
        const char *end = at + part;
        while (*end == ',') { /* as far as the next part that has a key of its own */
            size_t next = strcspn(end + 1, ",");
            if (memchr(end + 1, '=', next))
                break;
            end += 1 + next;
        }
        const struct pyr_option pair = {
            .key = pyr_arena_strndup(arena, at, (size_t)(equals - at)),
            .value = pyr_arena_strndup(arena, equals + 1, (size_t)(end - equals - 1))};
        pyr_option_add_pair(row, into, arena, pair);
        at = *end ? end + 1 : end;
    }
    return *text || pyr_fail(err, PYR_E_USAGE, "'' is not KEY=VALUE");
}

bool pyr_option_set(const struct pyr_option_row *row, const char *text, void *into,
                    struct pyr_arena *arena, struct pyr_err *err) {
    void *field = (char *)into + row->offset;
    double real = 0;
    switch (row->kind) {
    case PYR_OPTION_FLAG:
        return parse_flag(text, field, err);
    case PYR_OPTION_TEXT:
        *(const char **)field = text;
        return true;
    case PYR_OPTION_WHOLE:
        return parse_whole(row, text, field, err);
    case PYR_OPTION_REAL:
        return parse_real(row, text, field, err);
    case PYR_OPTION_FLOAT:
        if (!parse_real(row, text, &real, err))
            return false;
        *(float *)field = (float)real;
        return true;
    case PYR_OPTION_SHARE:
        return parse_share(text, field, err);
    case PYR_OPTION_DURATION:
        return pyr_parse_duration_ns(text, field, err);
    case PYR_OPTION_CHOICE:
        return parse_choice(row, text, field, err);
    case PYR_OPTION_LIST:
        return parse_list(row, text, into, arena, err);
    case PYR_OPTION_PAIRS:
        return parse_pairs(row, text, into, arena, err);
    case PYR_OPTION_OWN:
        return row->read(text, into, arena, err);
    }
    assert(false);
    return false;
}

void pyr_options_default(const struct pyr_option_table *table, void *into) {
    for (size_t i = 0; i < table->count; i++) {
        const struct pyr_option_row *row = &table->rows[i];
        bool fine = !row->standard || pyr_option_set(row, row->standard, into, NULL, NULL);
        assert(fine);
        (void)fine;
    }
}

/* --- KEY=VALUE ----------------------------------------------------------------------------------
 */

static bool fail_unknown(const struct pyr_option_table *table, const char *key,
                         struct pyr_err *err) {
    const char *keys[ROWS_MAX];
    char all[PYR_ERR_TEXT_BYTES / 2] = "";
    size_t count = 0, used = 0;
    for (size_t i = 0; i < table->count && count < ROWS_MAX; i++) {
        const char *one = table->rows[i].key;
        if (!one || pyr_option_by_key(table, one) != &table->rows[i])
            continue;
        int wrote = snprintf(all + used, sizeof all - used, "%s%s", count ? ", " : "", one);
        used += (size_t)wrote < sizeof all - used ? (size_t)wrote : 0;
        keys[count++] = one;
    }
    const char *near = pyr_nearest(key, keys, count);
    return pyr_fail(err, PYR_E_USAGE, "%s: unknown option '%s'%s%s%s options: %s", table->what, key,
                    near ? "; did you mean " : "", near ? near : "", near ? "?" : ";", all);
}

static bool apply_one(const struct pyr_option_table *table, const char *key, const char *value,
                      void *into, struct pyr_arena *arena, struct pyr_err *err) {
    const struct pyr_option_row *row = pyr_option_by_key(table, key);
    if (!row)
        return fail_unknown(table, key, err);
    if (pyr_option_set(row, value, into, arena, err))
        return true;
    return row->kind == PYR_OPTION_OWN ? false
                                       : pyr_err_prefix(err, "%s: option %s", table->what, key);
}

bool pyr_options_apply(const struct pyr_option_table *table, const struct pyr_option *options,
                       size_t count, void *into, struct pyr_arena *arena, struct pyr_err *err) {
    for (size_t i = 0; i < count; i++)
        if (!apply_one(table, options[i].key, options[i].value, into, arena, err))
            return false;
    return true;
}

bool pyr_options_apply_text(const struct pyr_option_table *table, const char *text, void *into,
                            struct pyr_err *err) {
    while (*text) {
        char item[ITEM_BYTES_MAX];
        size_t length = strcspn(text, ",");
        if (length >= sizeof item)
            return pyr_fail(err, PYR_E_USAGE, "%s: an option is too long", table->what);
        memcpy(item, text, length);
        item[length] = '\0';
        char *equals = strchr(item, '=');
        if (!equals || equals == item)
            return pyr_fail(err, PYR_E_USAGE, "%s: '%s' is not key=value", table->what, item);
        *equals = '\0';
        if (!apply_one(table, item, equals + 1, into, NULL, err))
            return false;
        text += length + (text[length] == ',');
    }
    return true;
}
