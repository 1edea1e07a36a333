/* SPDX-License-Identifier: MIT */
#include "stats/goals_text.h"

#include "base/buf.h"
#include "base/parse.h"
#include "stats/uses.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *metric;
} short_names[] = {
    {"ttft", "ttft_sched"},        {"latency", "latency_sched"},         {"error", "error_rate"},
    {"rps", "request_throughput"}, {"tok_s", "output_token_throughput"},
};

const struct pyr_slo_preset pyr_slo_presets[] = {
    {"mlperf-llama2-70b", "ttft_p99=2000ms,tpot_p99=200ms"},
    {"mlperf-llama2-70b-interactive", "ttft_p99=450ms,tpot_p99=40ms"},
    {"mlperf-llama3.1-8b", "ttft_p99=2000ms,tpot_p99=100ms"},
    {"mlperf-llama3.1-8b-interactive", "ttft_p99=500ms,tpot_p99=30ms"},
    {"mlperf-llama3.1-405b", "ttft_p99=6000ms,tpot_p99=175ms"},
    {"mlperf-llama3.1-405b-interactive", "ttft_p99=4500ms,tpot_p99=80ms"},
    {"mlperf-deepseek-r1", "ttft_p99=2000ms,tpot_p99=80ms"},
    {"mlperf-deepseek-r1-interactive", "ttft_p99=1500ms,tpot_p99=15ms"},
    {"mlperf-gpt-oss-120b", "ttft_p99=3000ms,tpot_p99=80ms"},
    {"mlperf-gpt-oss-120b-interactive", "ttft_p99=2000ms,tpot_p99=15ms"},
    {NULL, NULL}};

static const char *const statistics[] = {"mean", "p50", "p75", "p90", "p95", "p99", "p99_9"};

/* Splits "ttft_p99" into metric and statistic; the longest statistic that ends the key wins. */
static enum pyr_metric split_key(const char *key, const char **statistic) {
    char name[64];
    snprintf(name, sizeof name, "%s", key);
    *statistic = NULL;
    for (size_t i = 0; i < sizeof statistics / sizeof *statistics; i++) {
        size_t key_length = strlen(name), length = strlen(statistics[i]);
        if (key_length > length + 1 && name[key_length - length - 1] == '_' &&
            strcmp(name + key_length - length, statistics[i]) == 0) {
            name[key_length - length - 1] = '\0';
            *statistic = statistics[i];
            break;
        }
    }
    for (size_t i = 0; i < sizeof short_names / sizeof *short_names; i++)
        if (strcmp(short_names[i].name, name) == 0)
            return pyr_metric_find(short_names[i].metric);
    return pyr_metric_find(name);
}

static bool parse_ratio(const char *text, double *value, struct pyr_err *err) {
    char number[64];
    size_t length = strlen(text);
    bool percent = length > 0 && text[length - 1] == '%';
    snprintf(number, sizeof number, "%.*s", (int)(length - percent), text);
    if (!pyr_parse_double(number, value, err))
        return false;
    if (percent)
        *value /= 100;
    if (*value < 0 || *value > 1)
        return pyr_fail(err, PYR_E_USAGE,
                        "'%s' is not between 0 and 1; write 5%% or 0.05 for one in twenty", text);
    return true;
}

static bool parse_limit(const char *text, enum pyr_unit unit, double *limit, struct pyr_err *err) {
    uint64_t whole;
    switch (unit) {
    case PYR_UNIT_NS:
        if (!pyr_parse_duration_ns(text, &whole, err))
            return false;
        *limit = (double)whole;
        return true;
    case PYR_UNIT_BYTES:
        if (!pyr_parse_bytes(text, &whole, err))
            return false;
        *limit = (double)whole;
        return true;
    case PYR_UNIT_RATIO:
        return parse_ratio(text, limit, err);
    case PYR_UNIT_COUNT:
    case PYR_UNIT_PER_S:
    case PYR_UNIT_TOKENS:
    case PYR_UNIT_TOKENS_PER_S:
    case PYR_UNIT_BYTES_PER_S:
    case PYR_UNIT_JOULES:
    case PYR_UNIT_WATTS:
    case PYR_UNIT_CELSIUS:
        break;
    }
    if (!pyr_parse_double(text, limit, err))
        return false;
    return *limit >= 0 || pyr_fail(err, PYR_E_USAGE, "'%s' is below zero", text);
}

static bool parse_goal(const char *text, bool user, struct pyr_goal *goal, struct pyr_err *err) {
    const char *equals = strchr(text, '=');
    if (!equals || equals == text || !equals[1] || (size_t)(equals - text) >= 64)
        return pyr_fail(err, PYR_E_USAGE,
                        "goal '%s': write it as ttft_p99=500ms, or name a preset of --help", text);
    char key[64];
    snprintf(key, sizeof key, "%.*s", (int)(equals - text), text);
    const char *statistic;
    enum pyr_metric metric = split_key(key, &statistic);
    if (metric == PYR_METRIC_COUNT) {
        const char *names[PYR_METRIC_COUNT];
        for (int i = 0; i < PYR_METRIC_COUNT; i++)
            names[i] = pyr_metric_info((enum pyr_metric)i)->name;
        const char *near = pyr_nearest(key, names, PYR_METRIC_COUNT);
        return pyr_fail(err, PYR_E_USAGE,
                        "goal '%s': no metric '%s'%s%s (docs/metrics.md lists them)", text, key,
                        near ? "; did you mean " : "", near ? near : "");
    }
    const struct pyr_metric_info *info = pyr_metric_info(metric);
    if (info->kind == PYR_KIND_SCALAR && statistic)
        return pyr_fail(err, PYR_E_USAGE, "goal '%s': %s is one value, without a statistic", text,
                        info->name);
    memset(goal, 0, sizeof *goal);
    snprintf(goal->metric, sizeof goal->metric, "%s", info->name);
    snprintf(goal->statistic, sizeof goal->statistic, "%s",
             info->kind == PYR_KIND_SCALAR ? "value"
             : statistic                   ? statistic
                                           : "p99");
    snprintf(goal->label, sizeof goal->label, "%s", text);
    goal->at_least = info->better == PYR_BETTER_HIGHER;
    goal->user = user;
    goal->per_request = pyr_metric_is(metric, PYR_USE_PER_REQUEST);
    return parse_limit(equals + 1, info->unit, &goal->limit, err) ||
           pyr_err_prefix(err, "goal '%s'", text);
}

static bool fail_preset(const char *name, struct pyr_err *err) {
    struct pyr_buf names = {0};
    for (const struct pyr_slo_preset *preset = pyr_slo_presets; preset->name; preset++)
        pyr_buf_printf(&names, "%s%s", names.length ? ", " : "", preset->name);
    pyr_fail(err, PYR_E_USAGE, "goal '%s': there is no such preset; use one of %s", name,
             pyr_buf_text(&names));
    pyr_buf_deinit(&names);
    return false;
}

/* The list with the goals of each preset in the place of its name; NULL: there is none of a name.
 */
static const char *spell_out(struct pyr_arena *arena, const char *text, struct pyr_err *err) {
    struct pyr_buf list = {0};
    char *rest = pyr_arena_strdup(arena, text), *item;
    while ((item = strsep(&rest, ","))) {
        const struct pyr_slo_preset *preset = pyr_slo_presets;
        while (preset->name && strcmp(preset->name, item) != 0)
            preset++;
        if (!preset->name && !strchr(item, '=') && strncmp(item, "mlperf", 6) == 0) {
            pyr_buf_deinit(&list);
            fail_preset(item, err);
            return NULL;
        }
        pyr_buf_printf(&list, "%s%s", list.length ? "," : "", preset->name ? preset->goals : item);
    }
    text = pyr_arena_strdup(arena, pyr_buf_text(&list));
    pyr_buf_deinit(&list);
    return text;
}

bool pyr_goals_parse(struct pyr_arena *arena, const char *text, bool user, struct pyr_goal **goals,
                     size_t *count, struct pyr_err *err) {
    size_t items = 1;
    text = spell_out(arena, text, err);
    if (!text)
        return false;
    for (const char *c = text; *c; c++)
        items += *c == ',';
    *goals = pyr_arena_array(arena, items, sizeof **goals);
    *count = 0;
    char *rest = pyr_arena_strdup(arena, text), *item;
    while ((item = strsep(&rest, ",")))
        if (!parse_goal(item, user, &(*goals)[(*count)++], err))
            return false;
    return true;
}
