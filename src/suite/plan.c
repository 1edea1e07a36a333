/* SPDX-License-Identifier: MIT */
#include "suite/plan.h"

#include "base/clock.h"
#include "stats/goals_text.h"
#include "suite/concurrent.h"
#include "suite/planner.h"
#include "target/http_options.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { VARIANTS_MAX = 64, CASES_MAX = 4096 };

/* --- classes ------------------------------------------------------------------------------- */

static bool own_class(struct pyr_planner *p, struct pyr_err *err) {
    const struct pyr_bench_options *o = p->options;
    struct pyr_prompt_class *one = pyr_arena_alloc(p->arena, sizeof *one);
    const struct pyr_preset_class *preset = &p->preset->classes[0];
    one->prompt_tokens = pyr_length_fixed(preset->prompt_tokens);
    one->output_tokens = pyr_length_fixed(preset->output_tokens);
    if (o->prompt_tokens && !pyr_length_parse(o->prompt_tokens, &one->prompt_tokens, err))
        return pyr_err_prefix(err, "--prompt-tokens");
    if (o->output_tokens && !pyr_length_parse(o->output_tokens, &one->output_tokens, err))
        return pyr_err_prefix(err, "--output-tokens");
    one->name = o->sessions        ? "sessions"
                : o->prompts_path  ? "file"
                : o->prompt_tokens ? pyr_arena_printf(p->arena, "p%.20s", o->prompt_tokens)
                                   : preset->name;
    p->plan->classes = one;
    p->plan->class_count = 1;
    return true;
}

/* A trace is one class; its lengths stand for the range that the file holds. */
static void trace_class(struct pyr_planner *p, const struct pyr_trace *trace) {
    struct pyr_prompt_class *one = pyr_arena_alloc(p->arena, sizeof *one);
    double count = (double)trace->count;
    one->name = "trace";
    one->prompt_tokens =
        (struct pyr_length){PYR_LENGTH_UNIFORM, (double)trace->prompt_tokens / count, 0,
                            trace->shortest_prompt, trace->longest_prompt};
    one->output_tokens = (struct pyr_length){
        PYR_LENGTH_UNIFORM, (double)trace->output_tokens / count, 0, 1, trace->longest_output};
    p->plan->classes = one;
    p->plan->class_count = 1;
}

/* Reads the trace, which says when requests come and how long they are: nothing else may. */
static bool plan_trace(struct pyr_planner *p, struct pyr_err *err) {
    const struct pyr_bench_options *o = p->options;
    if (o->sessions && (o->rate > 0 || o->trace || o->prompts_path))
        return pyr_fail(err, PYR_E_USAGE,
                        "--sessions: a user's next turn waits for the last answer; leave --rate, "
                        "--trace and --prompts out");
    if (!o->trace)
        return true;
    if (o->rate > 0 || o->arrival || o->prompts_path || o->prompt_tokens || o->output_tokens)
        return pyr_fail(err, PYR_E_USAGE,
                        "--trace says when requests come and how long they are; leave --rate, "
                        "--arrival, --prompts, --prompt-tokens and --output-tokens out");
    struct pyr_trace *trace = pyr_arena_alloc(p->arena, sizeof *trace);
    struct pyr_left_out *left = &p->plan->left_out;
    left->strict = o->strict;
    if (!pyr_trace_read(p->arena, o->trace, o->trace_speed != 0 ? o->trace_speed : 1, trace, left,
                        err))
        return pyr_err_prefix(err, "--trace");
    p->plan->trace = trace;
    return true;
}

/* The preset's classes, unless the user said how long prompts are. */
static bool plan_classes(struct pyr_planner *p, struct pyr_err *err) {
    const struct pyr_bench_options *o = p->options;
    if (p->plan->trace) {
        trace_class(p, p->plan->trace);
        return true;
    }
    if (o->prompt_tokens || o->prompts_path || o->sessions)
        return own_class(p, err);
    size_t count = p->preset->class_count;
    struct pyr_prompt_class *classes = pyr_arena_array(p->arena, count, sizeof *classes);
    for (size_t i = 0; i < count; i++) {
        const struct pyr_preset_class *preset = &p->preset->classes[i];
        classes[i].name = preset->name;
        classes[i].prompt_tokens = pyr_length_fixed(preset->prompt_tokens);
        classes[i].output_tokens = pyr_length_fixed(preset->output_tokens);
        if (o->output_tokens && !pyr_length_parse(o->output_tokens, &classes[i].output_tokens, err))
            return pyr_err_prefix(err, "--output-tokens");
    }
    p->plan->classes = classes;
    p->plan->class_count = count;
    return true;
}

/* --- variants --------------------------------------------------------------------------------- */

/* How many values a comma list has. */
static size_t list_count(const char *value) {
    size_t count = 1;
    for (; *value; value++)
        count += *value == ',';
    return count;
}

/* How many values of an option are swept. */
static size_t choices_of(const struct pyr_option *option) {
    const struct pyr_option_row *row = pyr_option_by_key(&pyr_http_option_table, option->key);
    return row && row->whole ? 1 : list_count(option->value);
}

static const char *list_item(struct pyr_arena *arena, const char *value, size_t index) {
    for (; index > 0; index--)
        value = strchr(value, ',') + 1;
    return pyr_arena_strndup(arena, value, strcspn(value, ","));
}

/* Variant number `index` in the mixed radix of (threads, option, option, ...). */
static void make_variant(struct pyr_planner *p, size_t index, const uint64_t *threads,
                         size_t threads_count, struct pyr_variant *variant) {
    const struct pyr_bench_options *o = p->options;
    struct pyr_option *options =
        pyr_arena_array(p->arena, o->target_option_count + 1, sizeof *options);
    char label[256] = "";
    size_t used = 0;
    variant->threads = (uint32_t)threads[index % threads_count];
    index /= threads_count;
    if (threads_count > 1)
        used += (size_t)snprintf(label, sizeof label, "threads=%u", variant->threads);
    for (size_t i = 0; i < o->target_option_count; i++) {
        size_t choices = choices_of(&o->target_options[i]);
        options[i] = o->target_options[i];
        if (choices > 1)
            options[i].value = list_item(p->arena, options[i].value, index % choices);
        index /= choices;
        if (choices > 1 && used < sizeof label)
            used += (size_t)snprintf(label + used, sizeof label - used, "%s%s=%s", used ? "/" : "",
                                     options[i].key, options[i].value);
    }
    variant->options = options;
    variant->option_count = o->target_option_count;
    if (o->engine_dir)
        options[variant->option_count++] = (struct pyr_option){"engine_dir", o->engine_dir};
    variant->label = pyr_arena_strdup(p->arena, label);
}

static bool plan_variants(struct pyr_planner *p, uint32_t compute_threads, struct pyr_err *err) {
    const struct pyr_bench_options *o = p->options;
    const uint64_t fallback = compute_threads;
    const uint64_t *threads = o->threads_count ? o->threads : &fallback;
    size_t threads_count = o->threads_count ? o->threads_count : 1, count = threads_count;
    for (size_t i = 0; i < threads_count; i++)
        if (threads[i] < 1 || threads[i] > 1024)
            return pyr_fail(err, PYR_E_USAGE, "--threads: %llu is not between 1 and 1024",
                            (unsigned long long)threads[i]);
    for (size_t i = 0; i < o->target_option_count; i++)
        count *= choices_of(&o->target_options[i]);
    if (count > VARIANTS_MAX)
        return pyr_fail(err, PYR_E_USAGE,
                        "--threads and --engine-option ask for %zu combinations; at most %d", count,
                        VARIANTS_MAX);
    struct pyr_variant *variants = pyr_arena_array(p->arena, count, sizeof *variants);
    for (size_t i = 0; i < count; i++)
        make_variant(p, i, threads, threads_count, &variants[i]);
    p->plan->variants = variants;
    p->plan->variant_count = count;
    return true;
}

/* --- cases ---------------------------------------------------------------------------------- */

static uint64_t either(uint64_t said, uint64_t preset) {
    return said ? said : preset;
}

static void grow(struct pyr_planner *p) {
    struct pyr_plan *plan = p->plan;
    size_t capacity = p->capacity ? p->capacity * 2 : 32;
    struct pyr_plan_case *grown = pyr_arena_array(p->arena, capacity, sizeof *grown);
    if (plan->case_count)
        memcpy(grown, plan->cases, plan->case_count * sizeof *grown);
    plan->cases = grown;
    p->capacity = capacity;
}

struct pyr_plan_case *pyr_planner_add(struct pyr_planner *p, uint32_t variant,
                                      struct pyr_err *err) {
    struct pyr_plan *plan = p->plan;
    const struct pyr_bench_options *o = p->options;
    if (plan->case_count == CASES_MAX) {
        pyr_fail(err, PYR_E_USAGE, "more than %d cases; name fewer levels, threads or options",
                 CASES_MAX);
        return NULL;
    }
    if (plan->case_count == p->capacity)
        grow(p);
    const struct pyr_suite *suite = p->suite;
    struct pyr_plan_case *one = &plan->cases[plan->case_count];
    memset(one, 0, sizeof *one);
    one->suite = suite;
    one->record.index = (uint32_t)plan->case_count++;
    one->variant = variant;
    snprintf(one->record.suite, sizeof one->record.suite, "%s",
             suite->part_of ? suite->part_of : suite->name);
    one->requests = either(o->requests, p->preset->requests);
    one->level_time_ns = either(o->level_time_ns, p->preset->level_time_ns);
    one->warmup_requests = o->warmup_set ? o->warmup_requests : p->preset->warmup_requests;
    one->warmup_ns = o->warmup_ns;
    return one;
}

void pyr_planner_name(struct pyr_planner *p, struct pyr_plan_case *one, const char *name,
                      const char *format, ...) {
    const char *label = p->plan->variants[one->variant].label;
    struct pyr_case *record = &one->record;
    snprintf(record->id, sizeof record->id, "%s%s%s", name, label[0] ? "/" : "", label);
    va_list args;
    va_start(args, format);
    vsnprintf(record->params, sizeof record->params, format, args);
    va_end(args);
    size_t used = strlen(record->params);
    snprintf(record->params + used, sizeof record->params - used, "%s%s", label[0] ? ";" : "",
             label);
    /* Labels join with '/', parameters with ';'. */
    for (char *c = record->params + used; *c; c++)
        if (*c == '/')
            *c = ';';
}

void pyr_planner_describe(struct pyr_planner *p, struct pyr_plan_case *one,
                          const struct pyr_prompt_class *prompt_class, const char *load) {
    char name[sizeof one->record.id];
    one->prompt_class = prompt_class;
    snprintf(one->record.prompt_class, sizeof one->record.prompt_class, "%s", prompt_class->name);
    snprintf(name, sizeof name, "%s%s", one->record.prompt_class, load);
    pyr_planner_name(p, one, name,
                     "prompt_class=%s;prompt_tokens=%.0f;output_tokens=%.0f;threads=%u",
                     one->record.prompt_class, prompt_class->prompt_tokens.mean,
                     prompt_class->output_tokens.mean, p->plan->variants[one->variant].threads);
}

struct pyr_plan_case *pyr_planner_add_closed(struct pyr_planner *p, uint32_t variant,
                                             const struct pyr_prompt_class *prompt_class,
                                             uint64_t users, const char *load,
                                             struct pyr_err *err) {
    struct pyr_plan_case *one = pyr_planner_add(p, variant, err);
    if (!one)
        return NULL;
    one->record.concurrency = (uint32_t)users;
    snprintf(one->record.arrival, sizeof one->record.arrival, "closed");
    pyr_planner_describe(p, one, prompt_class, load);
    return one;
}

static bool plan_cases(struct pyr_planner *p, const char *suites, struct pyr_err *err) {
    for (uint32_t v = 0; v < p->plan->variant_count; v++)
        for (size_t i = 0; pyr_suites[i]; i++) {
            p->suite = pyr_suites[i];
            if (!pyr_suite_wanted(p->suite, suites) ||
                (p->suite->needs == PYR_NEEDS_NOTHING && v > 0))
                continue;
            if (!p->suite->plan(p, v, err))
                return false;
        }
    const char *why = p->plan->skipped_count ? p->plan->skipped[0] : "no suite in it";
    return p->plan->case_count > 0 ||
           pyr_fail(err, PYR_E_USAGE, "--suite %s: nothing there that this version can run (%s)",
                    suites, why);
}

/* Suites that were asked for and are not there are listed; one that nobody knows is refused. */
static bool note_skipped(struct pyr_planner *p, const char *suites, struct pyr_err *err) {
    const char **skipped = pyr_arena_array(p->arena, list_count(suites), sizeof *skipped);
    for (size_t i = 0; i < list_count(suites); i++) {
        const char *name = list_item(p->arena, suites, i);
        const struct pyr_suite *suite = pyr_suite_find(name);
        if (!suite)
            return pyr_suite_fail(name, err);
        if (suite->missing)
            skipped[p->plan->skipped_count++] =
                pyr_arena_printf(p->arena, "suite %s skipped: %s", name, suite->missing);
    }
    p->plan->skipped = skipped;
    return true;
}

static bool plan_arrival(struct pyr_planner *p, struct pyr_err *err) {
    const struct pyr_bench_options *o = p->options;
    if (p->plan->trace) {
        p->plan->arrival = &pyr_arrival_trace;
        return true;
    }
    if (o->rate <= 0) {
        if (o->arrival)
            return pyr_fail(err, PYR_E_USAGE,
                            "--arrival %s needs --rate: without one the loop is closed",
                            o->arrival);
        return true;
    }
    const char *name = o->arrival ? o->arrival : "poisson";
    p->plan->arrival = pyr_arrival_kind_find(name);
    return p->plan->arrival ||
           pyr_fail(err, PYR_E_USAGE, "--arrival %s: use constant, poisson, gamma or burst", name);
}

/* Suites whose goals are their own are held against no others, unless the user named some. */
static bool own_goals(struct pyr_planner *p, struct pyr_err *err) {
    struct pyr_plan *plan = p->plan;
    for (size_t i = 0; i < plan->case_count; i++) {
        const struct pyr_suite *suite = plan->cases[i].suite;
        bool known = false;
        if (!suite->goals)
            continue;
        plan->cases[i].record.flags |= PYR_CASE_OWN_GOALS;
        for (size_t j = 0; j < i; j++)
            known |= plan->cases[j].suite == suite;
        if (known)
            continue;
        struct pyr_goal *own, *all;
        size_t count;
        if (!pyr_goals_parse(p->arena, suite->goals, false, &own, &count, err))
            return pyr_err_prefix(err, "suite %s", suite->name);
        all = pyr_arena_array(p->arena, plan->goal_count + count, sizeof *all);
        if (plan->goal_count)
            memcpy(all, plan->goals, plan->goal_count * sizeof *all);
        memcpy(all + plan->goal_count, own, count * sizeof *all);
        for (size_t k = plan->goal_count; k < plan->goal_count + count; k++)
            snprintf(all[k].suite, sizeof all[k].suite, "%s", suite->name);
        plan->goals = all;
        plan->goal_count += count;
    }
    return true;
}

static bool plan_goals(struct pyr_planner *p, struct pyr_err *err) {
    const struct pyr_bench_options *o = p->options;
    const char *text = o->slo ? o->slo : p->preset->goals;
    struct pyr_goal *goals;
    if (text && *text) {
        if (!pyr_goals_parse(p->arena, text, o->slo != NULL, &goals, &p->plan->goal_count, err))
            return pyr_err_prefix(err, "--slo");
        p->plan->goals = goals;
    }
    return o->slo || own_goals(p, err);
}

const struct pyr_preset *pyr_plan_preset(const struct pyr_bench_options *options,
                                         struct pyr_err *err) {
    const char *name = options->preset ? options->preset : "quick";
    const struct pyr_preset *preset =
        options->preset_data ? options->preset_data : pyr_preset_find(name);
    if (!preset)
        pyr_preset_fail(name, err);
    return preset;
}

/* Who names a load, and neither a suite nor a preset, gets that load and nothing before it. */
static bool names_a_load(const struct pyr_bench_options *o) {
    return !o->suite && !o->preset && (o->concurrency_count || o->rate > 0 || o->sessions);
}

/* A trace is what is measured, whatever the preset's suites are. */
static bool list_suites(const struct pyr_bench_options *o, const struct pyr_preset *preset,
                        char *list, size_t size, struct pyr_err *err) {
    pyr_suite_list(o->suite, preset, list, size);
    if (names_a_load(o))
        snprintf(list, size, "%s", pyr_suite_concurrent.name);
    if (!o->trace)
        return true;
    if (o->suite && !pyr_suite_wanted(&pyr_suite_concurrent, list))
        return pyr_fail(err, PYR_E_USAGE, "--suite %s: a trace is played by the suite concurrent",
                        list);
    snprintf(list, size, "%s", pyr_suite_concurrent.name);
    return true;
}

bool pyr_plan_make(const struct pyr_bench_options *options, uint32_t compute_threads,
                   bool target_is_file, struct pyr_arena *arena, struct pyr_plan *plan,
                   struct pyr_err *err) {
    memset(plan, 0, sizeof *plan);
    const struct pyr_preset *preset = pyr_plan_preset(options, err);
    struct pyr_planner p = {.options = options,
                            .preset = preset,
                            .arena = arena,
                            .plan = plan,
                            .target_is_file = target_is_file};
    char suites[256];
    if (!preset || !list_suites(options, preset, suites, sizeof suites, err))
        return false;
    plan->preset = preset->name;
    plan->duration_ns = either(options->duration_ns, preset->duration_ns);
    plan->needs_target = pyr_suites_need_target(suites);
    return note_skipped(&p, suites, err) && plan_trace(&p, err) && plan_classes(&p, err) &&
           plan_variants(&p, compute_threads, err) && plan_arrival(&p, err) &&
           plan_cases(&p, suites, err) && plan_goals(&p, err);
}
