/* SPDX-License-Identifier: MIT */
#include "load/workload.h"

#include "base/mem.h"
#include "load/blocks.h"
#include "load/pool.h"
#include "load/prompts.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum {
    POOL_BYTES_DEFAULT = 16 << 20,
    POOL_PROMPTS_DEFAULT = 1024, /* when nobody knows how many requests there will be */
    /* Text is fitted by asking the target, a round trip each over a network. */
    POOL_TEXTS_MAX = 256
};

/* Streams of the seed, so that what one draws does not move the others. */
enum { STREAM_CLASSES, STREAM_OUTPUT, STREAM_SHARED, STREAM_NUMBER, STREAM_WORDS };

const struct pyr_prompt_class pyr_prompt_classes[] = {
    {"short", {PYR_LENGTH_FIXED, 16, 0, 16, 16}, {PYR_LENGTH_FIXED, 32, 0, 32, 32}, 1},
    {"medium", {PYR_LENGTH_FIXED, 128, 0, 128, 128}, {PYR_LENGTH_FIXED, 64, 0, 64, 64}, 1},
    {"long", {PYR_LENGTH_FIXED, 512, 0, 512, 512}, {PYR_LENGTH_FIXED, 128, 0, 128, 128}, 1},
    {0},
};

struct pyr_workload {
    struct pyr_arena *arena;
    struct pyr_workload_options options; /* its lists belong to the caller until create is over */
    struct pyr_prompt_class *classes;
    struct pyr_vocabulary vocabulary;
    struct pyr_pool_prompt *pool; /* (pool_count) */
    size_t pool_count, pool_capacity;
    size_t pool_bytes;
    bool numbered;         /* the pool can be gone round with new numbers */
    uint64_t number_base;  /* of the first request */
    unsigned char *copies; /* ((max_in_flight + 1) * copy_bytes) for renumbered prompts, or NULL */
    size_t copies_bytes, copy_bytes;
    uint64_t drawn; /* requests so far */
    size_t next;    /* place in the pool */
    struct pyr_rng output_rng;
    /* Sessions: where each begins in the pool, and the next turn of each slot index (pool_count:
     * none yet). */
    uint32_t *session_at; /* (session_count) */
    size_t session_count, next_session;
    uint32_t *place;          /* (max_in_flight + 1) */
    struct pyr_blocks blocks; /* of a trace */
    struct pyr_workload_info info;
};

const struct pyr_prompt_class *pyr_prompt_class_find(const char *name) {
    for (size_t i = 0; pyr_prompt_classes[i].name; i++)
        if (strcmp(pyr_prompt_classes[i].name, name) == 0)
            return &pyr_prompt_classes[i];
    return NULL;
}

/* Four standard deviations: what a drawn length stays under but for 1 in 30,000 (normal), and is
 * cut at otherwise. */
static uint32_t longest(const struct pyr_length *length) {
    double most = length->max;
    if (length->kind != PYR_LENGTH_FIXED && length->kind != PYR_LENGTH_UNIFORM)
        most = fmin(most, ceil(length->mean + 4 * length->sd));
    return most > length->min ? (uint32_t)most : length->min;
}

uint32_t pyr_workload_longest(const struct pyr_prompt_class *classes, size_t count) {
    uint32_t most = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t total = longest(&classes[i].prompt_tokens) + longest(&classes[i].output_tokens);
        most = total > most ? total : most;
    }
    return most;
}

static uint64_t stream_seed(const struct pyr_workload *workload, uint64_t stream) {
    struct pyr_rng rng;
    pyr_rng_init_stream(&rng, workload->options.seed, stream);
    return pyr_rng_next(&rng);
}

/* Fixed lengths and ranges are promises and must fit; drawn ones are cut at the limit. */
static bool fit_classes(struct pyr_workload *workload, struct pyr_err *err) {
    uint32_t limit = workload->options.tokens_limit;
    for (size_t i = 0; limit > 0 && i < workload->options.class_count; i++) {
        struct pyr_prompt_class *class = &workload->classes[i];
        struct pyr_length *prompt = &class->prompt_tokens, *output = &class->output_tokens;
        bool promised = prompt->kind <= PYR_LENGTH_UNIFORM && output->kind <= PYR_LENGTH_UNIFORM;
        if ((uint64_t)prompt->min + output->min > limit ||
            (promised && (uint64_t)prompt->max + output->max > limit))
            return pyr_fail(err, PYR_E_INPUT,
                            "class %s: a prompt of %u and an output of %u tokens do not fit the "
                            "target's %u tokens a sequence; ask for fewer",
                            class->name, promised ? prompt->max : prompt->min,
                            promised ? output->max : output->min, limit);
        if (prompt->max > limit - output->min)
            prompt->max = limit - output->min;
    }
    return true;
}

static uint32_t draw_class(const struct pyr_workload *workload, struct pyr_rng *rng) {
    size_t count = workload->options.class_count;
    if (count == 1)
        return 0;
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += workload->classes[i].weight;
    double at = pyr_rng_unit(rng) * sum;
    for (size_t i = 0; i + 1 < count; i++) {
        if (at < workload->classes[i].weight)
            return (uint32_t)i;
        at -= workload->classes[i].weight;
    }
    return (uint32_t)count - 1;
}

static void note_prompt(struct pyr_workload *workload, const struct pyr_pool_prompt *entry) {
    struct pyr_workload_info *info = &workload->info;
    uint32_t tokens = entry->prompt.token_count;
    uint32_t output = entry->output_tokens
                          ? entry->output_tokens
                          : longest(&workload->classes[entry->prompt_class].output_tokens);
    if (tokens > info->longest_prompt_tokens)
        info->longest_prompt_tokens = tokens;
    if (tokens + output > info->longest_total_tokens)
        info->longest_total_tokens = tokens + output;
    info->estimated |= entry->estimated;
    workload->pool_bytes += sizeof *entry + pyr_pool_copy_bytes(entry);
}

static struct pyr_pool_prompt *add_prompt(struct pyr_workload *workload) {
    if (workload->pool_count == workload->pool_capacity) {
        workload->pool_capacity = workload->pool_capacity ? workload->pool_capacity * 2 : 64;
        workload->pool =
            pyr_xrealloc(workload->pool, workload->pool_capacity * sizeof *workload->pool);
    }
    struct pyr_pool_prompt *entry = &workload->pool[workload->pool_count++];
    *entry = (struct pyr_pool_prompt){0};
    return entry;
}

static void make_pool(struct pyr_workload *workload) {
    const struct pyr_workload_options *options = &workload->options;
    const struct pyr_vocabulary *vocabulary = &workload->vocabulary;
    size_t wanted = options->requests ? options->requests : POOL_PROMPTS_DEFAULT;
    size_t budget = options->pool_bytes ? options->pool_bytes : POOL_BYTES_DEFAULT;
    if (!vocabulary->tokens && wanted > POOL_TEXTS_MAX)
        wanted = POOL_TEXTS_MAX;
    if (options->repeat_prompts)
        wanted = 1;
    workload->numbered = !options->repeat_prompts;
    workload->number_base = stream_seed(workload, STREAM_NUMBER);
    uint64_t shared_seed = stream_seed(workload, STREAM_SHARED);
    uint64_t words_seed = stream_seed(workload, STREAM_WORDS);
    struct pyr_rng rng;
    pyr_rng_init_stream(&rng, options->seed, STREAM_CLASSES);
    while (workload->pool_count < wanted && (workload->pool_count == 0 || budget > 0)) {
        struct pyr_pool_prompt *entry = add_prompt(workload);
        entry->prompt_class = draw_class(workload, &rng);
        uint32_t tokens =
            pyr_length_draw(&workload->classes[entry->prompt_class].prompt_tokens, &rng);
        const struct pyr_pool_recipe recipe = {
            .tokens = tokens,
            .shared = (uint32_t)(options->shared_prefix * tokens),
            .shared_seed = shared_seed,
            .words_seed = pyr_mix64(words_seed + workload->pool_count),
            .number = workload->number_base + workload->pool_count - 1,
            .numbered = workload->numbered,
        };
        pyr_pool_make(vocabulary, workload->arena, &recipe, entry);
        if (entry->prompt.token_count > tokens && tokens <= vocabulary->tokens_of_nothing) {
            workload->info.asked_too_short = tokens;
            workload->info.shortest = entry->prompt.token_count;
        }
        note_prompt(workload, entry);
        size_t taken = pyr_pool_prompt_bytes(vocabulary, tokens);
        budget -= taken < budget ? taken : budget;
    }
}

/* Finds the sessions and gives back how many prompts of them can be needed: those of as many
 * requests, and of one session a user that is not over then. */
static size_t plan_sessions(struct pyr_workload *workload, const struct pyr_file_prompt *prompts,
                            size_t count) {
    const struct pyr_workload_options *options = &workload->options;
    uint32_t *at = pyr_arena_array(workload->arena, count, sizeof *at);
    size_t beyond = 0, used = 0;
    for (; used < count; used++) {
        if (prompts[used].turn > 0)
            continue;
        if (options->requests && used >= options->requests && beyond++ >= options->max_in_flight)
            break;
        at[workload->session_count++] = (uint32_t)used;
    }
    workload->session_at = at;
    workload->place = pyr_arena_array(workload->arena, options->max_in_flight + (size_t)1,
                                      sizeof *workload->place);
    return used;
}

static bool take_texts(struct pyr_workload *workload, struct pyr_err *err) {
    const struct pyr_workload_options *options = &workload->options;
    struct pyr_file_prompt *prompts = NULL;
    size_t count = options->text_count;
    if (options->prompts_path) {
        enum pyr_prompts_use use = options->sessions ? PYR_PROMPTS_SESSIONS : PYR_PROMPTS_SINGLE;
        workload->info.left_out.strict = options->strict;
        if (!pyr_prompts_read(workload->arena, options->prompts_path, use, &prompts, &count,
                              &workload->info.left_out, err))
            return false;
        if (options->sessions)
            count = plan_sessions(workload, prompts, count);
    } else {
        prompts = pyr_arena_array(workload->arena, count, sizeof *prompts);
        for (size_t i = 0; i < count; i++) {
            prompts[i].text = pyr_arena_strdup(workload->arena, options->texts[i]);
            prompts[i].text_bytes = strlen(prompts[i].text);
        }
    }
    struct pyr_rng rng;
    pyr_rng_init_stream(&rng, options->seed, STREAM_CLASSES);
    for (size_t i = 0; i < count; i++) {
        struct pyr_pool_prompt *entry = add_prompt(workload);
        if (!pyr_pool_take_text(&workload->vocabulary, workload->arena, prompts[i].text,
                                prompts[i].text_bytes, prompts[i].messages_json, entry, err))
            return pyr_err_prefix(err, "prompt %zu", i + 1);
        entry->prompt_class = draw_class(workload, &rng);
        entry->output_tokens = prompts[i].output_tokens;
        entry->turn = prompts[i].turn;
        if (options->output_from_file && !entry->output_tokens && prompts[i].answer)
            entry->output_tokens = pyr_vocabulary_count_answer(
                &workload->vocabulary, prompts[i].answer, prompts[i].answer_bytes);
        note_prompt(workload, entry);
    }
    return true;
}

/* Room for renumbered prompts, one for each slot, where the pool may be gone round. */
static bool map_copies(struct pyr_workload *workload, struct pyr_err *err) {
    const struct pyr_workload_options *options = &workload->options;
    if (!workload->numbered || (options->requests && options->requests <= workload->pool_count))
        return true;
    for (size_t i = 0; i < workload->pool_count; i++) {
        size_t bytes = pyr_pool_copy_bytes(&workload->pool[i]);
        workload->copy_bytes = bytes > workload->copy_bytes ? bytes : workload->copy_bytes;
    }
    workload->copy_bytes = (workload->copy_bytes + 63) & ~(size_t)63;
    workload->copies_bytes = workload->copy_bytes * (options->max_in_flight + (size_t)1);
    workload->copies = pyr_map_bytes(workload->copies_bytes, "prompts in flight", err);
    return workload->copies != NULL;
}

/* Room for a prompt of each slot. Slots that are never in flight take none of it. */
static bool prepare_trace(struct pyr_workload *workload, struct pyr_err *err) {
    const struct pyr_trace *trace = workload->options.trace;
    struct pyr_workload_info *info = &workload->info;
    pyr_blocks_init(&workload->blocks, &workload->vocabulary, workload->arena,
                    stream_seed(workload, STREAM_SHARED));
    workload->copy_bytes = pyr_blocks_bytes(&workload->blocks, trace->longest_prompt);
    workload->copy_bytes = (workload->copy_bytes + 63) & ~(size_t)63;
    workload->copies_bytes = workload->copy_bytes * (workload->options.max_in_flight + (size_t)1);
    info->estimated = !workload->vocabulary.tokens;
    info->longest_prompt_tokens = trace->longest_prompt;
    info->longest_total_tokens = trace->longest_total;
    workload->copies = pyr_map_bytes_lazily(workload->copies_bytes, "prompts in flight", err);
    return workload->copies != NULL;
}

bool pyr_workload_create(const struct pyr_workload_options *options, struct pyr_target *target,
                         struct pyr_workload **out, struct pyr_err *err) {
    assert(options->class_count >= 1 && options->max_in_flight >= 1);
    assert(options->shared_prefix >= 0 && options->shared_prefix <= 1);
    struct pyr_workload *workload = pyr_xcalloc(1, sizeof *workload);
    workload->arena = pyr_arena_create();
    workload->options = *options;
    workload->classes =
        pyr_arena_array(workload->arena, options->class_count, sizeof *workload->classes);
    for (size_t i = 0; i < options->class_count; i++) {
        workload->classes[i] = options->classes[i];
        if (!(workload->classes[i].weight > 0))
            workload->classes[i].weight = 1;
    }
    bool own = options->prompts_path || options->text_count > 0;
    bool ok = pyr_vocabulary_init(&workload->vocabulary, workload->arena, target, err);
    if (ok && options->trace)
        ok = prepare_trace(workload, err);
    else if (ok && own)
        ok = take_texts(workload, err);
    else if (ok && (ok = fit_classes(workload, err)))
        make_pool(workload);
    if (!ok || (!options->trace && !map_copies(workload, err))) {
        pyr_workload_destroy(workload);
        return false;
    }
    workload->info.token_prompts = workload->vocabulary.tokens;
    pyr_workload_rewind(workload);
    *out = workload;
    return true;
}

void pyr_workload_destroy(struct pyr_workload *workload) {
    if (!workload)
        return;
    pyr_unmap_bytes(workload->copies, workload->copies_bytes);
    pyr_arena_destroy(workload->arena);
    pyr_free(workload->pool);
    pyr_free(workload);
}

void pyr_workload_rewind(struct pyr_workload *workload) {
    workload->drawn = 0;
    workload->next = 0;
    workload->info.repeated = workload->info.renumbered = 0;
    workload->next_session = 0;
    for (size_t i = 0; workload->place && i <= workload->options.max_in_flight; i++)
        workload->place[i] = (uint32_t)workload->pool_count;
    pyr_rng_init_stream(&workload->output_rng, workload->options.seed, STREAM_OUTPUT);
}

static uint32_t draw_output(struct pyr_workload *workload, const struct pyr_pool_prompt *entry) {
    if (entry->output_tokens)
        return entry->output_tokens;
    const struct pyr_length *length = &workload->classes[entry->prompt_class].output_tokens;
    uint32_t tokens = pyr_length_draw(length, &workload->output_rng);
    uint32_t limit = workload->options.tokens_limit;
    if (limit == 0 || length->kind <= PYR_LENGTH_UNIFORM || entry->prompt.token_count >= limit)
        return tokens;
    uint32_t room = limit - entry->prompt.token_count;
    return tokens < room ? tokens : room;
}

static void next_of_trace(struct pyr_workload *workload, uint32_t slot_index,
                          struct pyr_slot *slot) {
    const struct pyr_trace *trace = workload->options.trace;
    const struct pyr_trace_entry *entry = &trace->entries[workload->next];
    const struct pyr_blocks_recipe recipe = {.tokens = entry->prompt_tokens,
                                             .ids = trace->blocks + entry->first_block,
                                             .id_count = entry->block_count,
                                             .own = (uint32_t)workload->next};
    assert(slot_index <= workload->options.max_in_flight);
    pyr_blocks_write(&workload->blocks, &recipe,
                     workload->copies + slot_index * workload->copy_bytes, &slot->prompt);
    slot->output_tokens = slot->record.asked_tokens = entry->output_tokens;
    slot->record.prompt_class = 0;
    slot->record.prompt_tokens = entry->prompt_tokens;
    slot->record.prompt_hash = slot->prompt.hash;
    if (workload->info.estimated)
        slot->record.flags |= PYR_REQUEST_ESTIMATED;
    workload->info.repeated += workload->drawn >= trace->count;
    workload->drawn++;
    if (++workload->next == trace->count)
        workload->next = 0;
}

/* The slot's next turn, else the first of a session that nobody has begun. */
static size_t next_turn(struct pyr_workload *workload, uint32_t slot_index, bool *again) {
    assert(slot_index <= workload->options.max_in_flight);
    size_t at = workload->place[slot_index];
    if (at >= workload->pool_count || workload->pool[at].turn == 0)
        at = workload->session_at[workload->next_session++ % workload->session_count];
    workload->place[slot_index] = (uint32_t)at + 1;
    *again = workload->next_session > workload->session_count;
    return at;
}

void pyr_workload_next(struct pyr_workload *workload, uint32_t slot_index, struct pyr_slot *slot) {
    if (workload->options.trace) {
        next_of_trace(workload, slot_index, slot);
        return;
    }
    bool again = workload->drawn >= workload->pool_count;
    size_t at = workload->place ? next_turn(workload, slot_index, &again) : workload->next;
    const struct pyr_pool_prompt *entry = &workload->pool[at];
    if (again && workload->copies && entry->numerals > 0) {
        assert(slot_index <= workload->options.max_in_flight);
        pyr_pool_renumber(&workload->vocabulary, entry, workload->number_base + workload->drawn,
                          workload->copies + slot_index * workload->copy_bytes, &slot->prompt);
        workload->info.renumbered++;
    } else {
        slot->prompt = entry->prompt;
        workload->info.repeated += again;
    }
    slot->output_tokens = draw_output(workload, entry);
    slot->record.prompt_class = (uint16_t)entry->prompt_class;
    slot->record.prompt_tokens = entry->prompt.token_count;
    slot->record.prompt_hash = slot->prompt.hash;
    slot->record.asked_tokens = slot->output_tokens;
    slot->record.session = (uint16_t)(entry->turn < UINT16_MAX ? entry->turn : UINT16_MAX);
    if (entry->estimated)
        slot->record.flags |= PYR_REQUEST_ESTIMATED;
    workload->drawn++;
    if (++workload->next == workload->pool_count)
        workload->next = 0;
}

void pyr_workload_describe(const struct pyr_workload *workload, struct pyr_workload_info *info) {
    *info = workload->info;
    info->pool_prompts =
        workload->options.trace ? workload->options.trace->count : workload->pool_count;
    info->pool_bytes = workload->pool_bytes + workload->copies_bytes;
}
