/* SPDX-License-Identifier: MIT */
#include "target/loaded.h"

#include "base/arena.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/rng.h"
#include "model/model_find.h"
#include "serving/policy.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { DEFAULT_CONTEXT_TOKENS = 2048 }; /* where neither the load nor the model sets a limit */

/* The engine of a TARGET, and in `path` what it is to load. */
static const struct pyr_engine *choose_engine(const char *spec, char path[PATH_MAX],
                                              struct pyr_err *err) {
    const char *rest;
    const struct pyr_engine *engine = pyr_engine_for_target(spec, &rest);
    if (engine && !engine->extension) {
        snprintf(path, PATH_MAX, "%s", rest);
        return engine;
    }
    if (!pyr_model_find(spec, path, err))
        return NULL;
    engine = pyr_engine_for_target(path, &rest);
    if (!engine)
        pyr_fail(err, PYR_E_UNSUPPORTED,
                 "%s: no engine of this program reads such a file; give a .gguf file", path);
    return engine;
}

static bool parse_rows(const struct pyr_option *option, uint32_t *rows, struct pyr_err *err) {
    uint64_t value;
    if (!pyr_parse_u64(option->value, &value, err))
        return pyr_err_prefix(err, "%s", option->key);
    if (value == 0 || value > 65536)
        return pyr_fail(err, PYR_E_USAGE, "%s=%s: out of range; give 1 to 65536", option->key,
                        option->value);
    *rows = (uint32_t)value;
    return true;
}

#define POLICY_OPTION "policy."

/* Sorts the options into our own, the policy's and the engine's. */
static bool sort_options(const struct pyr_target_config *config, struct pyr_arena *arena,
                         struct pyr_model_config *model, struct pyr_loaded *loaded,
                         struct pyr_err *err) {
    struct pyr_option *options = pyr_arena_array(arena, config->option_count, sizeof *options);
    struct pyr_option *kinds = pyr_arena_array(arena, config->option_count, sizeof *kinds);
    struct pyr_serving_policy *policy = &loaded->policy;
    size_t kind_count = 0;
    policy->kind = pyr_policies[0];
    for (size_t i = 0; i < config->option_count; i++) {
        const struct pyr_option *option = &config->options[i];
        if (strcmp(option->key, "engine_dir") == 0)
            model->engine_dir = option->value;
        else if (strcmp(option->key, "plugin_dir") == 0)
            model->plugin_dir = option->value;
        else if (strcmp(option->key, "batch_tokens") == 0) {
            if (!parse_rows(option, &policy->batch_tokens, err))
                return false;
        } else if (strcmp(option->key, "prefill_tokens") == 0) {
            if (!parse_rows(option, &policy->prefill_tokens, err))
                return false;
        } else if (strcmp(option->key, "policy") == 0) {
            policy->kind = pyr_policy_find(option->value, err);
            if (!policy->kind)
                return false;
        } else if (strncmp(option->key, POLICY_OPTION, strlen(POLICY_OPTION)) == 0)
            kinds[kind_count++] = (struct pyr_option){.key = option->key + strlen(POLICY_OPTION),
                                                      .value = option->value};
        else
            options[model->option_count++] =
                (struct pyr_option){.key = option->key, .value = option->value};
    }
    model->options = options;
    bool ok = pyr_policy_state(policy->kind, kinds, kind_count, &loaded->policy_state, err);
    policy->state = loaded->policy_state;
    return ok;
}

static bool load(const struct pyr_target_config *config, struct pyr_arena *arena,
                 struct pyr_loaded *loaded, struct pyr_err *err) {
    char *path = pyr_arena_alloc(arena, PATH_MAX);
    struct pyr_model_config model = {.path = path};
    loaded->engine = choose_engine(config->spec, path, err);
    if (!loaded->engine || !sort_options(config, arena, &model, loaded, err))
        return false;
    uint64_t start_ns = pyr_clock_real_ns();
    if (!loaded->engine->load(&model, &loaded->model, err))
        return false;
    loaded->load_ns = pyr_clock_real_ns() - start_ns;
    loaded->engine->describe(loaded->model, &loaded->info);
    if (pyr_pieces_create(loaded->engine, loaded->model, &loaded->pieces, err))
        return true;
    loaded->engine->unload(loaded->model);
    return false;
}

bool pyr_loaded_open(const struct pyr_target_config *config, struct pyr_loaded *loaded,
                     struct pyr_err *err) {
    *loaded = (struct pyr_loaded){0};
    struct pyr_arena *arena = pyr_arena_create();
    bool ok = load(config, arena, loaded, err);
    pyr_arena_destroy(arena);
    if (!ok)
        pyr_free(loaded->policy_state);
    return ok;
}

/* A step of several tokens and one of a single: what an engine does with each differs. */
enum { ATTEMPT_TOKENS = 2, ATTEMPT_CONTEXT = 64, ATTEMPT_ROOM = 64 };

static bool attempt_steps(const struct pyr_loaded *loaded, struct pyr_context *context,
                          const int32_t *tokens, uint32_t count, struct pyr_err *err) {
    int32_t positions[ATTEMPT_TOKENS + 1], sequences[ATTEMPT_TOKENS + 1] = {0}, next;
    uint8_t want[ATTEMPT_TOKENS + 1] = {0};
    for (uint32_t i = 0; i <= count; i++)
        positions[i] = (int32_t)i;
    want[count - 1] = 1;
    next = tokens[count - 1];
    const struct pyr_batch first = {count, (int32_t *)tokens, positions, sequences, want};
    const struct pyr_batch second = {1, &next, &positions[count], sequences, &want[count - 1]};
    uint64_t done_ns;
    return loaded->engine->decode(context, &first, 0, &done_ns, err) == PYR_DECODE_OK &&
           loaded->engine->decode(context, &second, 0, &done_ns, err) == PYR_DECODE_OK;
}

bool pyr_loaded_attempt(const struct pyr_loaded *loaded, const struct pyr_target_config *config,
                        struct pyr_err *err) {
    static const char text[] = "Once upon a time, 1 + 1 = 2.\n";
    static const struct pyr_message hello = {"user", "hello"};
    const struct pyr_engine *engine = loaded->engine;
    int32_t tokens[ATTEMPT_ROOM];
    if (engine->chat)
        engine->chat(loaded->model, &hello, 1, tokens, ATTEMPT_ROOM);
    char bytes[256]; /* each once, most of them no UTF-8: prompts are foreign text */
    for (int i = 0; i < 256; i++)
        bytes[i] = (char)(i ? i : 'a');
    engine->tokenize(loaded->model, bytes, sizeof bytes, false, tokens, ATTEMPT_ROOM);
    int count = engine->tokenize(loaded->model, text, strlen(text), true, tokens, ATTEMPT_ROOM);
    if (count <= 0)
        return pyr_fail(err, PYR_E_INPUT, "%s: its tokenizer makes no tokens of a plain text",
                        config->spec);
    const struct pyr_context_config wanted = {.sequences = 1,
                                              .tokens_per_sequence = ATTEMPT_CONTEXT,
                                              .batch_tokens = ATTEMPT_TOKENS,
                                              .threads = 1};
    struct pyr_context *context;
    if (!engine->context_create(loaded->model, &wanted, &context, err))
        return false;
    uint32_t used = count < ATTEMPT_TOKENS ? (uint32_t)count : ATTEMPT_TOKENS;
    bool ok = attempt_steps(loaded, context, tokens, used, err);
    engine->context_destroy(context);
    return ok;
}

bool pyr_loaded_is_file(const char *spec) {
    const char *rest;
    const struct pyr_engine *engine = pyr_engine_for_target(spec, &rest);
    return !engine || engine->extension;
}

void pyr_loaded_close(struct pyr_loaded *loaded) {
    pyr_pieces_destroy(loaded->pieces);
    loaded->engine->unload(loaded->model);
    pyr_free(loaded->policy_state);
}

void pyr_loaded_serving_config(const struct pyr_loaded *loaded,
                               const struct pyr_target_config *config, uint32_t in_flight,
                               struct pyr_serving_config *serving) {
    uint32_t tokens = config->tokens_per_sequence;
    if (tokens == 0)
        tokens = loaded->info.trained_context;
    *serving = (struct pyr_serving_config){
        .sequences = config->sequences ? config->sequences : in_flight,
        .tokens_per_sequence = tokens ? tokens : DEFAULT_CONTEXT_TOKENS,
        .threads = config->threads ? config->threads : 1,
        .queue_limit = config->queue_limit,
        .seed = config->seed,
        .policy = loaded->policy,
    };
}

uint64_t pyr_loaded_next_seed(struct pyr_loaded *loaded, uint64_t seed) {
    uint64_t before = loaded->contexts++;
    return before ? pyr_mix64(seed + before) : seed;
}

static const char *last_part(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

void pyr_loaded_describe(const struct pyr_loaded *loaded, const char *spec,
                         struct pyr_target_info *info) {
    const struct pyr_model_info *model = &loaded->info;
    bool is_file = loaded->engine->extension != NULL;
    snprintf(info->name, sizeof info->name, "%s", is_file ? last_part(spec) : spec);
    snprintf(info->engine, sizeof info->engine, "%s %s", model->engine, model->engine_version);
    snprintf(info->description, sizeof info->description, "%s", model->description);
    info->simulated = model->simulated;
    info->virtual_time = model->virtual_time;
    info->counts_tokens = info->tokenises = info->streams = true;
    info->max_handles = 1;
    info->vocabulary_size = model->vocabulary_size;
    info->parameter_count = model->parameter_count;
    info->weight_bytes = model->weight_bytes;
    info->bytes_per_token = model->bytes_per_token;
    info->load_ns = loaded->load_ns;
}

void pyr_loaded_describe_serving(const struct pyr_serving_info *serving, uint32_t in_flight,
                                 struct pyr_target_info *info) {
    info->sequences = serving->sequences;
    info->tokens_per_sequence = serving->tokens_per_sequence;
    info->threads = serving->threads;
    info->kv_bytes = serving->kv_bytes;
    if (in_flight > serving->sequences)
        snprintf(info->notes, sizeof info->notes,
                 "%u requests at once are served by %u sequences of the engine: the others wait "
                 "in its queue, and the wait is reported as queue time",
                 in_flight, serving->sequences);
}
