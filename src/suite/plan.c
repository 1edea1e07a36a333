/* SPDX-License-Identifier: MIT */
#include "suite/plan.h"

#include "base/clock.h"
#include "stats/goals_text.h"
#include "suite/presets.h"

#include <stdio.h>
#include <string.h>

/* Six repetitions are the least for a two-sided interval of a median. */
enum { LOADS = 6, VARIANTS_MAX = 64, CASES_MAX = 4096 };

struct planner {
    const struct pyr_bench_options *options;
    const struct pyr_preset *preset;
    struct pyr_arena *arena;
    struct pyr_plan *plan;
    size_t capacity;
};

/* --- classes ------------------------------------------------------------------------------- */

static bool own_class(struct planner *p, struct pyr_err *err) {
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
static void trace_class(struct planner *p, const struct pyr_trace *trace) {
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
static bool plan_trace(struct planner *p, struct pyr_err *err) {
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
    if (!pyr_trace_read(p->arena, o->trace, o->trace_speed != 0 ? o->trace_speed : 1, trace, err))
        return pyr_err_prefix(err, "--trace");
    p->plan->trace = trace;
    return true;
}

/* The preset's classes, unless the user said how long prompts are. */
static bool plan_classes(struct planner *p, struct pyr_err *err) {
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

/* Options of a server whose values are text, in which a comma is a comma. */
static bool is_text(const char *key) {
    static const char *const keys[] = {"header",  "body",      "launch",  "api_key_file",
                                       "ca_file", "cert_file", "key_file"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strcmp(keys[i], key) == 0)
            return true;
    return false;
}

/* How many values a comma list has. */
static size_t list_count(const char *value) {
    size_t count = 1;
    for (; *value; value++)
        count += *value == ',';
    return count;
}

/* How many values of an option are swept. */
static size_t choices_of(const struct pyr_target_option *option) {
    return is_text(option->key) ? 1 : list_count(option->value);
}

static const char *list_item(struct pyr_arena *arena, const char *value, size_t index) {
    for (; index > 0; index--)
        value = strchr(value, ',') + 1;
    return pyr_arena_strndup(arena, value, strcspn(value, ","));
}

/* Variant number `index` in the mixed radix of (threads, option, option, ...). */
static void make_variant(struct planner *p, size_t index, const uint64_t *threads,
                         size_t threads_count, struct pyr_variant *variant) {
    const struct pyr_bench_options *o = p->options;
    struct pyr_target_option *options =
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
        options[variant->option_count++] = (struct pyr_target_option){"engine_dir", o->engine_dir};
    variant->label = pyr_arena_strdup(p->arena, label);
}

static bool plan_variants(struct planner *p, uint32_t compute_threads, struct pyr_err *err) {
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

static struct pyr_plan_case *add_case(struct planner *p, const char *suite, uint32_t variant) {
    struct pyr_plan *plan = p->plan;
    if (plan->case_count == CASES_MAX)
        return NULL;
    if (plan->case_count == p->capacity) {
        size_t capacity = p->capacity ? p->capacity * 2 : 32;
        struct pyr_plan_case *grown = pyr_arena_array(p->arena, capacity, sizeof *grown);
        if (plan->case_count)
            memcpy(grown, plan->cases, plan->case_count * sizeof *grown);
        plan->cases = grown;
        p->capacity = capacity;
    }
    const struct pyr_bench_options *o = p->options;
    struct pyr_plan_case *one = &plan->cases[plan->case_count];
    memset(one, 0, sizeof *one);
    one->record.index = (uint32_t)plan->case_count++;
    one->variant = variant;
    snprintf(one->record.suite, sizeof one->record.suite, "%s", suite);
    one->requests = either(o->requests, p->preset->requests);
    one->level_time_ns = either(o->level_time_ns, p->preset->level_time_ns);
    one->warmup_requests = o->warmup_set ? o->warmup_requests : p->preset->warmup_requests;
    one->warmup_ns = o->warmup_ns;
    return one;
}

static void describe_case(struct planner *p, struct pyr_plan_case *one, const char *load) {
    const struct pyr_variant *variant = &p->plan->variants[one->variant];
    struct pyr_case *record = &one->record;
    snprintf(record->id, sizeof record->id, "%s%s%s%s", record->prompt_class, load,
             variant->label[0] ? "/" : "", variant->label);
    snprintf(record->params, sizeof record->params,
             "prompt_class=%s;prompt_tokens=%.0f;output_tokens=%.0f;threads=%u%s%s",
             record->prompt_class, one->prompt_class->prompt_tokens.mean,
             one->prompt_class->output_tokens.mean, variant->threads, variant->label[0] ? ";" : "",
             variant->label);
    /* Labels join with '/', parameters with ';'. */
    for (char *c = strstr(record->params, variant->label); variant->label[0] && c && *c; c++)
        if (*c == '/')
            *c = ';';
}

static bool too_many(struct pyr_err *err) {
    return pyr_fail(err, PYR_E_USAGE, "more than %d cases; name fewer levels, threads or options",
                    CASES_MAX);
}

/* One in flight, each class by itself: what one user sees on an idle target. */
static bool plan_inference(struct planner *p, uint32_t variant, bool startup, struct pyr_err *err) {
    if (startup) {
        struct pyr_plan_case *one = add_case(p, "inference", variant);
        if (!one)
            return too_many(err);
        one->kind = PYR_CASE_STARTUP;
        const char *label = p->plan->variants[variant].label;
        snprintf(one->record.id, sizeof one->record.id, "startup%s%s", label[0] ? "/" : "", label);
        snprintf(one->record.params, sizeof one->record.params, "threads=%u",
                 p->plan->variants[variant].threads);
    }
    for (size_t c = 0; c < p->plan->class_count; c++) {
        struct pyr_plan_case *one = add_case(p, "inference", variant);
        if (!one)
            return too_many(err);
        one->kind = PYR_CASE_LOAD;
        one->prompt_class = &p->plan->classes[c];
        one->record.concurrency = 1;
        snprintf(one->record.arrival, sizeof one->record.arrival, "closed");
        snprintf(one->record.prompt_class, sizeof one->record.prompt_class, "%s",
                 one->prompt_class->name);
        describe_case(p, one, "");
    }
    return true;
}

/* A trace is played to its end, unless the user said how much of it. */
static void play_trace(struct planner *p, struct pyr_plan_case *one, uint64_t level, char *load,
                       size_t load_size) {
    const struct pyr_bench_options *o = p->options;
    const struct pyr_trace *trace = p->plan->trace;
    if (!o->requests || one->requests > trace->count)
        one->requests = trace->count;
    if (!o->warmup_set)
        one->warmup_requests = 0;
    /* The end by its own schedule comes first: a mean gap after the last request. */
    uint64_t lasts_ns =
        trace->due_ns[trace->count - 1] + 60 * PYR_NS_PER_S + (uint64_t)(1e9 / trace->rate);
    if (!o->level_time_ns)
        one->level_time_ns = lasts_ns;
    if (!o->duration_ns)
        p->plan->duration_ns += lasts_ns;
    one->record.rate = trace->rate;
    int used = snprintf(load, load_size, "/x%g", o->trace_speed != 0 ? o->trace_speed : 1);
    if (level)
        snprintf(load + used, load_size - (size_t)used, "/c%llu", (unsigned long long)level);
}

static bool add_level(struct planner *p, uint32_t variant, const struct pyr_prompt_class *class,
                      uint64_t level, struct pyr_err *err) {
    const struct pyr_bench_options *o = p->options;
    struct pyr_plan_case *one = add_case(p, "concurrent", variant);
    if (!one)
        return too_many(err);
    one->kind = PYR_CASE_LOAD;
    one->prompt_class = class;
    snprintf(one->record.prompt_class, sizeof one->record.prompt_class, "%s", class->name);
    char load[64];
    if (p->plan->arrival) {
        one->record.open_loop = 1;
        one->record.rate = o->clients ? o->rate * (double)o->clients : o->rate;
        one->record.concurrency = (uint32_t)level;
        snprintf(one->record.arrival, sizeof one->record.arrival, "%s", p->plan->arrival->name);
        snprintf(load, sizeof load, "/r%g", one->record.rate);
        if (p->plan->trace)
            play_trace(p, one, level, load, sizeof load);
    } else {
        one->record.concurrency = (uint32_t)level;
        snprintf(one->record.arrival, sizeof one->record.arrival, "closed");
        snprintf(load, sizeof load, "/c%llu", (unsigned long long)level);
        /* A level needs each of its users several times over, or it is all start and end. */
        if (!o->requests && one->requests < level * 4)
            one->requests = level * 4;
        if (!o->warmup_set && one->warmup_requests < level)
            one->warmup_requests = level;
    }
    describe_case(p, one, load);
    return true;
}

/* Several in flight. A preset with a strict time limit keeps to its middle class. */
static bool plan_concurrent(struct planner *p, uint32_t variant, struct pyr_err *err) {
    const struct pyr_bench_options *o = p->options;
    const uint64_t *levels = o->concurrency_count ? o->concurrency : p->preset->levels;
    size_t count = o->concurrency_count ? o->concurrency_count : p->preset->level_count;
    static const uint64_t no_cap[] = {0};
    if (p->plan->arrival && !o->concurrency_count) {
        levels = no_cap;
        count = 1;
    }
    bool one_class = strcmp(p->preset->name, "quick") == 0;
    size_t first = one_class ? p->plan->class_count / 2 : 0;
    size_t last = one_class ? first + 1 : p->plan->class_count;
    for (size_t c = first; c < last; c++) {
        for (size_t i = 0; i < count; i++) {
            if (!p->plan->arrival && (levels[i] < 1 || levels[i] > 100000))
                return pyr_fail(err, PYR_E_USAGE, "--concurrency: %llu is not between 1 and 100000",
                                (unsigned long long)levels[i]);
            if (!add_level(p, variant, &p->plan->classes[c], levels[i], err))
                return false;
        }
    }
    return true;
}

static bool wants(const char *suites, const char *name) {
    size_t length = strlen(name);
    for (const char *at = suites; (at = strstr(at, name)); at += length)
        if ((at == suites || at[-1] == ',') && (at[length] == ',' || at[length] == '\0'))
            return true;
    return false;
}

static bool plan_cases(struct planner *p, const char *suites, bool startup, struct pyr_err *err) {
    for (uint32_t v = 0; v < p->plan->variant_count; v++) {
        if (wants(suites, "inference") && !plan_inference(p, v, startup, err))
            return false;
        if (wants(suites, "concurrent") && !plan_concurrent(p, v, err))
            return false;
    }
    const char *why = p->plan->skipped_count ? p->plan->skipped[0] : "no suite in it";
    return p->plan->case_count > 0 ||
           pyr_fail(err, PYR_E_USAGE, "--suite %s: nothing there that this version can run (%s)",
                    suites, why);
}

/* Suites that were asked for and are not there are listed; one that nobody knows is refused. */
static bool note_skipped(struct planner *p, const char *suites, struct pyr_err *err) {
    const char **skipped = pyr_arena_array(p->arena, list_count(suites), sizeof *skipped);
    for (size_t i = 0; i < list_count(suites); i++) {
        const char *name = list_item(p->arena, suites, i);
        bool known;
        const char *why = pyr_suite_missing(name, &known);
        if (!known)
            return pyr_suite_fail(name, err);
        if (why)
            skipped[p->plan->skipped_count++] =
                pyr_arena_printf(p->arena, "suite %s skipped: %s", name, why);
    }
    p->plan->skipped = skipped;
    return true;
}

static bool plan_arrival(struct planner *p, struct pyr_err *err) {
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

static bool plan_goals(struct planner *p, struct pyr_err *err) {
    const struct pyr_bench_options *o = p->options;
    const char *text = o->slo ? o->slo : p->preset->goals;
    if (!text || !*text)
        return true;
    struct pyr_goal *goals;
    if (!pyr_goals_parse(p->arena, text, o->slo != NULL, &goals, &p->plan->goal_count, err))
        return pyr_err_prefix(err, "--slo");
    p->plan->goals = goals;
    return true;
}

bool pyr_plan_make(const struct pyr_bench_options *options, uint32_t compute_threads, bool startup,
                   struct pyr_arena *arena, struct pyr_plan *plan, struct pyr_err *err) {
    memset(plan, 0, sizeof *plan);
    const char *name = options->preset ? options->preset : "quick";
    const struct pyr_preset *preset =
        options->preset_data ? options->preset_data : pyr_preset_find(name);
    if (!preset)
        return pyr_preset_fail(name, err);
    struct planner p = {.options = options, .preset = preset, .arena = arena, .plan = plan};
    const char *suites = !options->suite                      ? preset->suites
                         : strcmp(options->suite, "all") == 0 ? "inference,concurrent"
                                                              : options->suite;
    if (options->trace && options->suite && !wants(suites, "concurrent"))
        return pyr_fail(err, PYR_E_USAGE, "--suite %s: a trace is played by the suite concurrent",
                        suites);
    if (options->trace)
        suites = "concurrent";
    plan->preset = preset->name;
    plan->duration_ns = either(options->duration_ns, preset->duration_ns);
    plan->cold_loads = plan->warm_loads = LOADS;
    return note_skipped(&p, suites, err) && plan_trace(&p, err) && plan_classes(&p, err) &&
           plan_variants(&p, compute_threads, err) && plan_arrival(&p, err) &&
           plan_goals(&p, err) && plan_cases(&p, suites, startup, err);
}
