/* SPDX-License-Identifier: MIT */
#include "model/options.h"

#include "base/parse.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { SPECS_MAX = 64, ITEM_BYTES_MAX = 256 };

static const struct pyr_option_spec *find(const struct pyr_option_table *table, const char *key,
                                          struct pyr_err *err) {
    const char *keys[SPECS_MAX];
    char all[PYR_ERR_TEXT_BYTES / 2] = "";
    assert(table->count <= SPECS_MAX);
    for (size_t i = 0, used = 0; i < table->count; i++) {
        if (strcmp(table->specs[i].key, key) == 0)
            return &table->specs[i];
        keys[i] = table->specs[i].key;
        int wrote = snprintf(all + used, sizeof all - used, "%s%s", i ? ", " : "", keys[i]);
        used += (size_t)wrote < sizeof all - used ? (size_t)wrote : 0;
    }
    const char *near = pyr_nearest(key, keys, table->count);
    pyr_fail(err, PYR_E_USAGE, "%s: unknown option '%s'%s%s; options: %s", table->what, key,
             near ? "; did you mean " : "", near ? near : "", all);
    return NULL;
}

static bool parse_bool(const char *text, bool *value, struct pyr_err *err) {
    static const char *const words[][2] = {
        {"on", "off"}, {"true", "false"}, {"yes", "no"}, {"1", "0"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        for (int off = 0; off < 2; off++) {
            if (strcasecmp(text, words[i][off]) == 0) {
                *value = !off;
                return true;
            }
        }
    }
    return pyr_fail(err, PYR_E_USAGE, "'%s' is neither on nor off", text);
}

static bool check_range(const struct pyr_option_spec *spec, double value, struct pyr_err *err) {
    return (value >= spec->min && value <= spec->max) ||
           pyr_fail(err, PYR_E_USAGE, "%g is outside %g to %g", value, spec->min, spec->max);
}

static bool parse_choice(const struct pyr_option_spec *spec, const char *text, int *value,
                         struct pyr_err *err) {
    char all[256] = "";
    for (int i = 0; spec->choices[i]; i++) {
        if (strcasecmp(spec->choices[i], text) == 0) {
            *value = i;
            return true;
        }
        size_t used = strlen(all);
        snprintf(all + used, sizeof all - used, "%s%s", i ? ", " : "", spec->choices[i]);
    }
    return pyr_fail(err, PYR_E_USAGE, "'%s' is none of %s", text, all);
}

static bool set(const struct pyr_option_spec *spec, const char *text, void *target,
                struct pyr_err *err) {
    char *field = (char *)target + spec->offset;
    double *real = (double *)(void *)field;
    uint64_t *whole = (uint64_t *)(void *)field;
    switch (spec->kind) {
    case PYR_OPTION_BOOL:
        return parse_bool(text, (bool *)field, err);
    case PYR_OPTION_WHOLE:
        return pyr_parse_u64(text, whole, err) && check_range(spec, (double)*whole, err);
    case PYR_OPTION_REAL:
        return pyr_parse_double(text, real, err) && check_range(spec, *real, err);
    case PYR_OPTION_CHOICE:
        return parse_choice(spec, text, (int *)(void *)field, err);
    case PYR_OPTION_TEXT:
        *(const char **)(void *)field = text;
        return true;
    }
    assert(false);
    return false;
}

static bool apply_one(const struct pyr_option_table *table, const char *key, const char *value,
                      void *target, struct pyr_err *err) {
    const struct pyr_option_spec *spec = find(table, key, err);
    if (!spec)
        return false;
    return set(spec, value, target, err) || pyr_err_prefix(err, "%s: option %s", table->what, key);
}

bool pyr_options_apply(const struct pyr_option_table *table, const struct pyr_option *options,
                       size_t count, void *target, struct pyr_err *err) {
    for (size_t i = 0; i < count; i++)
        if (!apply_one(table, options[i].key, options[i].value, target, err))
            return false;
    return true;
}

bool pyr_options_apply_text(const struct pyr_option_table *table, const char *text, void *target,
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
        if (!apply_one(table, item, equals + 1, target, err))
            return false;
        text += length + (text[length] == ',');
    }
    return true;
}
