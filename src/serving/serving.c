/* SPDX-License-Identifier: MIT */
#include "serving/serving.h"

#include "base/hash.h"
#include "base/mem.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* A prompt of this many tokens costs less than the fixed cost of one more step on every engine
 * measured, and fills the blocks of a batched matrix product; twice as many gains nothing. */
enum { DEFAULT_BATCH_TOKENS = 512 };

struct sequence {
    struct pyr_serving_request *request; /* NULL: free */
    uint32_t fed;                        /* tokens whose KV the engine holds */
    uint32_t known;   /* prompt and output tokens so far; fed < known until it ends */
    uint32_t planned; /* rows in this step */
    uint32_t row;     /* batch row of its last token, where planned reaches `known` */
    struct pyr_rng rng;
};

/* A list of requests, linked through them. */
struct request_list {
    struct pyr_serving_request *first, *last;
    uint32_t count;
};

struct pyr_serving {
    const struct pyr_engine *engine;
    const struct pyr_pieces *pieces;
    const struct pyr_clock *clock;
    struct pyr_lane *lane;
    struct pyr_context *context;
    struct pyr_serving_info info;
    uint32_t queue_limit, vocabulary;
    bool virtual_time;

    struct sequence *sequences; /* (info.sequences) */
    uint64_t *free_bits;        /* bit i: sequence i is free */
    int32_t *outputs;           /* (sequences, tokens_per_sequence): for what is preempted */
    uint32_t *order;            /* (sequences): those in use, oldest first */
    uint32_t order_count, free_count;
    bool order_has_holes; /* some in `order` have ended */
    bool kv_pressure;     /* no room was found; until a request ends */

    struct pyr_batch batch;           /* arrays of (info.batch_tokens) */
    struct pyr_candidate *candidates; /* (vocabulary), as the next two */
    float *adjusted;
    uint32_t *seen; /* zeros */
    struct request_list queue, finished;
    uint32_t limited; /* requests in our hands that have limits */
    struct pyr_serving_counters counters;
    struct pyr_err engine_error; /* of the decode under way */
};

/* --- lists ---------------------------------------------------------------------------------------
 */

static void list_append(struct request_list *list, struct pyr_serving_request *request) {
    request->next = NULL;
    request->previous = list->last;
    if (list->last)
        list->last->next = request;
    else
        list->first = request;
    list->last = request;
    list->count++;
}

static void list_remove(struct request_list *list, struct pyr_serving_request *request) {
    if (request->previous)
        request->previous->next = request->next;
    else
        list->first = request->next;
    if (request->next)
        request->next->previous = request->previous;
    else
        list->last = request->previous;
    request->next = request->previous = NULL;
    list->count--;
}

/* --- life ----------------------------------------------------------------------------------------
 */

static void take_memory(struct pyr_serving *serving) {
    const struct pyr_serving_info *info = &serving->info;
    serving->sequences = pyr_xcalloc(info->sequences, sizeof *serving->sequences);
    serving->free_bits = pyr_xcalloc((info->sequences + 63) / 64, sizeof *serving->free_bits);
    serving->order = pyr_xcalloc(info->sequences, sizeof *serving->order);
    serving->outputs =
        pyr_xcalloc((size_t)info->sequences * info->tokens_per_sequence, sizeof *serving->outputs);
    for (uint32_t i = 0; i < info->sequences; i++)
        serving->free_bits[i / 64] |= UINT64_C(1) << (i % 64);
    serving->free_count = info->sequences;
    serving->batch.token = pyr_xcalloc(info->batch_tokens, sizeof *serving->batch.token);
    serving->batch.pos = pyr_xcalloc(info->batch_tokens, sizeof *serving->batch.pos);
    serving->batch.seq = pyr_xcalloc(info->batch_tokens, sizeof *serving->batch.seq);
    serving->batch.want = pyr_xcalloc(info->batch_tokens, sizeof *serving->batch.want);
    serving->candidates = pyr_xcalloc(serving->vocabulary, sizeof *serving->candidates);
    serving->adjusted = pyr_xcalloc(serving->vocabulary, sizeof *serving->adjusted);
    serving->seen = pyr_xcalloc(serving->vocabulary, sizeof *serving->seen);
}

bool pyr_serving_create(const struct pyr_engine *engine, struct pyr_model *model,
                        const struct pyr_pieces *pieces, const struct pyr_serving_config *config,
                        struct pyr_serving **serving_out, struct pyr_err *err) {
    struct pyr_model_info model_info;
    engine->describe(model, &model_info);
    struct pyr_context_config wanted = {
        .sequences = config->sequences,
        .tokens_per_sequence = config->tokens_per_sequence,
        .batch_tokens =
            config->policy.batch_tokens ? config->policy.batch_tokens : DEFAULT_BATCH_TOKENS,
        .threads = config->threads,
        .seed = config->seed,
        .interrupt = config->interrupt,
    };
    if (model_info.max_sequences && wanted.sequences > model_info.max_sequences)
        wanted.sequences = model_info.max_sequences;
    if (wanted.batch_tokens < wanted.sequences)
        wanted.batch_tokens = wanted.sequences;
    struct pyr_context_info plan;
    if (!engine->context_plan(model, &wanted, &plan, err))
        return false;
    if (plan.sequences == 0 || plan.tokens_per_sequence == 0 || plan.batch_tokens < plan.sequences)
        return pyr_fail(err, PYR_E_ENGINE,
                        "%s: offers %u sequences of %u tokens and batches of %u; at least one "
                        "sequence and one batch row for each are needed",
                        model_info.description, plan.sequences, plan.tokens_per_sequence,
                        plan.batch_tokens);
    struct pyr_serving *serving = pyr_xcalloc(1, sizeof *serving);
    if (!engine->context_create(model, &wanted, &serving->context, err)) {
        pyr_free(serving);
        return false;
    }
    serving->engine = engine;
    serving->pieces = pieces;
    serving->clock = config->clock;
    serving->lane = config->lane;
    serving->queue_limit = config->queue_limit;
    serving->vocabulary = model_info.vocabulary_size;
    serving->virtual_time = pyr_clock_is_virtual(config->clock);
    serving->info = (struct pyr_serving_info){
        .sequences = plan.sequences,
        /* Engines round up; what was asked for is the limit, so that all engines refuse alike. */
        .tokens_per_sequence = plan.tokens_per_sequence < wanted.tokens_per_sequence
                                   ? plan.tokens_per_sequence
                                   : wanted.tokens_per_sequence,
        .batch_tokens = plan.batch_tokens,
        .prefill_tokens =
            config->policy.prefill_tokens ? config->policy.prefill_tokens : plan.batch_tokens,
        .threads = plan.threads,
        .kv_bytes = plan.kv_bytes,
        .compute_bytes = plan.compute_bytes,
    };
    take_memory(serving);
    *serving_out = serving;
    return true;
}

void pyr_serving_destroy(struct pyr_serving *serving) {
    if (!serving)
        return;
    serving->engine->context_destroy(serving->context);
    pyr_free(serving->seen);
    pyr_free(serving->adjusted);
    pyr_free(serving->candidates);
    pyr_free(serving->batch.want);
    pyr_free(serving->batch.seq);
    pyr_free(serving->batch.pos);
    pyr_free(serving->batch.token);
    pyr_free(serving->outputs);
    pyr_free(serving->order);
    pyr_free(serving->free_bits);
    pyr_free(serving->sequences);
    pyr_free(serving);
}

void pyr_serving_describe(const struct pyr_serving *serving, struct pyr_serving_info *info) {
    *info = serving->info;
}

void pyr_serving_counters(const struct pyr_serving *serving,
                          struct pyr_serving_counters *counters) {
    *counters = serving->counters;
}

void pyr_serving_reset(struct pyr_serving *serving) {
    assert(serving->order_count == 0 && serving->queue.count == 0);
    serving->counters = (struct pyr_serving_counters){0};
}

/* --- ends ----------------------------------------------------------------------------------------
 */

static void forget_kv(struct pyr_serving *serving, uint32_t id) {
    struct sequence *sequence = &serving->sequences[id];
    if (sequence->fed > 0)
        serving->engine->sequence_remove(serving->context, (int32_t)id, 0, UINT32_MAX);
    sequence->fed = 0;
}

static void finish(struct pyr_serving *serving, struct pyr_serving_request *request,
                   enum pyr_outcome outcome, const char *why, uint64_t at_ns) {
    if (request->state == PYR_SERVING_QUEUED)
        list_remove(&serving->queue, request);
    if (request->state == PYR_SERVING_PREFILLING || request->state == PYR_SERVING_DECODING) {
        uint32_t id = (uint32_t)request->sequence;
        forget_kv(serving, id);
        serving->sequences[id].request = NULL;
        serving->sequences[id].planned = 0;
        serving->free_bits[id / 64] |= UINT64_C(1) << (id % 64);
        serving->free_count++;
        serving->order_has_holes = true;
    }
    if (request->has_limits)
        serving->limited--;
    serving->kv_pressure = false;
    struct pyr_request *record = request->record;
    record->outcome = (uint8_t)outcome;
    record->closed_ns = at_ns;
    if (outcome == PYR_OUTCOME_OK && record->output_tokens < request->output_tokens)
        record->flags |= PYR_REQUEST_SHORT;
    snprintf(request->error_text, sizeof request->error_text, "%s", why);
    request->state = PYR_SERVING_FINISHED;
    list_append(&serving->finished, request);
}

/* Closes the gaps that ended requests left in the order of admission. */
static void close_holes(struct pyr_serving *serving) {
    if (!serving->order_has_holes)
        return;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < serving->order_count; i++) {
        if (serving->sequences[serving->order[i]].request)
            serving->order[kept++] = serving->order[i];
    }
    serving->order_count = kept;
    serving->order_has_holes = false;
}

struct pyr_serving_request *pyr_serving_take(struct pyr_serving *serving) {
    struct pyr_serving_request *request = serving->finished.first;
    if (request) {
        list_remove(&serving->finished, request);
        request->state = PYR_SERVING_IDLE;
    }
    return request;
}

void pyr_serving_cancel(struct pyr_serving *serving, struct pyr_serving_request *request,
                        enum pyr_outcome outcome, uint64_t now_ns) {
    if (request->state == PYR_SERVING_IDLE || request->state == PYR_SERVING_FINISHED)
        return;
    finish(serving, request, outcome, outcome == PYR_OUTCOME_CANCELLED ? "" : "ended by the load",
           now_ns);
    close_holes(serving); /* the sequence may be reused before the next step looks */
}

/* --- submit --------------------------------------------------------------------------------------
 */

/* The instant `span` after `from`, PYR_NEVER when there is none. */
static uint64_t after(uint64_t from, uint64_t span) {
    return span >= PYR_NEVER - from ? PYR_NEVER : from + span;
}

static void start_record(struct pyr_serving_request *request) {
    struct pyr_request *record = request->record;
    record->admitted_ns = record->prefilled_ns = 0;
    record->first_byte_ns = record->first_content_ns = record->first_output_ns = 0;
    record->last_content_ns = record->closed_ns = 0;
    record->prompt_tokens = request->prompt_tokens;
    record->asked_tokens = request->output_tokens;
    record->output_tokens = record->chunks = 0;
    record->output_bytes = record->text_hash = 0;
    record->flags |= PYR_REQUEST_STREAMED;
    request->text_bytes = 0;
    request->error_text[0] = '\0';
    request->next = request->previous = NULL;
}

/* Why no engine could serve its prompt, or NULL. One bad token would fail the batch of all. */
static const char *bad_prompt(const struct pyr_serving *serving,
                              const struct pyr_serving_request *request) {
    for (uint32_t i = 0; i < request->prompt_tokens; i++) {
        if (request->prompt[i] < 0 || (uint32_t)request->prompt[i] >= serving->vocabulary)
            return "the prompt holds a token outside the vocabulary; tokenise it with this model";
    }
    if (request->prompt_tokens == 0)
        return "the prompt has no tokens; give it some text";
    return request->output_tokens == 0 ? "no output tokens asked for; ask for at least one" : NULL;
}

void pyr_serving_submit(struct pyr_serving *serving, struct pyr_serving_request *request,
                        uint64_t now_ns) {
    assert(request->state == PYR_SERVING_IDLE);
    start_record(request);
    uint64_t sent = request->record->sent_ns;
    uint64_t end_after =
        request->cancel_after_ns < request->total_ns ? request->cancel_after_ns : request->total_ns;
    request->first_due_ns = after(sent, request->first_token_ns);
    request->due_ns = after(sent, end_after);
    request->has_limits = request->first_due_ns != PYR_NEVER || request->due_ns != PYR_NEVER ||
                          request->between_tokens_ns != PYR_NEVER;
    serving->limited += request->has_limits;

    /* The last output token is never fed back, so it needs no place. */
    uint64_t fed_back = request->output_tokens > 0 ? request->output_tokens - 1 : 0;
    uint64_t places = request->prompt_tokens + fed_back;
    if (places > serving->info.tokens_per_sequence) {
        char text[PYR_SERVING_ERROR_BYTES];
        snprintf(text, sizeof text,
                 "%u prompt and %u output tokens do not fit a sequence of %u; ask for less or "
                 "make the context longer",
                 request->prompt_tokens, request->output_tokens, serving->info.tokens_per_sequence);
        finish(serving, request, PYR_OUTCOME_TOO_LONG, text, now_ns);
        return;
    }
    const char *why = bad_prompt(serving, request);
    if (why) {
        finish(serving, request, PYR_OUTCOME_ENGINE, why, now_ns);
        return;
    }
    /* Those at the head of the queue that find a free sequence at the next step do not wait. */
    uint32_t queued = serving->queue.count;
    if (serving->queue_limit && queued >= (uint64_t)serving->queue_limit + serving->free_count) {
        finish(serving, request, PYR_OUTCOME_REJECTED, "the queue is full", now_ns);
        return;
    }
    request->state = PYR_SERVING_QUEUED;
    list_append(&serving->queue, request);
}

/* --- limits --------------------------------------------------------------------------------------
 */

static void check_limits(struct pyr_serving *serving, struct pyr_serving_request *request,
                         uint64_t now_ns) {
    const struct pyr_request *record = request->record;
    if (!request->has_limits)
        return;
    if (now_ns >= request->due_ns) {
        bool asked = request->cancel_after_ns <= request->total_ns;
        finish(serving, request, asked ? PYR_OUTCOME_CANCELLED : PYR_OUTCOME_TIMEOUT_TOTAL,
               asked ? "" : "not done within the time limit", now_ns);
    } else if (record->first_content_ns == 0) {
        if (now_ns >= request->first_due_ns)
            finish(serving, request, PYR_OUTCOME_TIMEOUT_FIRST,
                   "no first token within its time limit", now_ns);
    } else if (now_ns >= after(record->last_content_ns, request->between_tokens_ns)) {
        finish(serving, request, PYR_OUTCOME_TIMEOUT_BETWEEN, "no next token within its time limit",
               now_ns);
    }
}

static void end_overdue(struct pyr_serving *serving, uint64_t now_ns) {
    if (serving->limited == 0)
        return;
    for (uint32_t i = 0; i < serving->order_count; i++)
        check_limits(serving, serving->sequences[serving->order[i]].request, now_ns);
    struct pyr_serving_request *next;
    for (struct pyr_serving_request *request = serving->queue.first; request; request = next) {
        next = request->next;
        check_limits(serving, request, now_ns);
    }
    close_holes(serving);
}

/* --- the rows of a step --------------------------------------------------------------------------
 */

static bool admit_next(struct pyr_serving *serving) {
    struct pyr_serving_request *request = serving->queue.first;
    if (!request || serving->free_count == 0)
        return false;
    uint32_t word = 0;
    while (serving->free_bits[word] == 0)
        word++;
    /* The lowest free one: engines are at their best when the sequences of a batch are dense. */
    uint32_t id = word * 64 + (uint32_t)__builtin_ctzll(serving->free_bits[word]);
    serving->free_bits[word] &= serving->free_bits[word] - 1;
    serving->free_count--;
    list_remove(&serving->queue, request);
    request->state = PYR_SERVING_PREFILLING;
    request->sequence = (int32_t)id;
    struct sequence *sequence = &serving->sequences[id];
    *sequence = (struct sequence){.request = request, .known = request->prompt_tokens};
    pyr_rng_init(&sequence->rng, request->sampling.seed);
    serving->order[serving->order_count++] = id;
    return true;
}

/* Decides how many rows each sequence gets. Returns their number. */
static uint32_t plan_rows(struct pyr_serving *serving) {
    uint32_t decoding = 0;
    for (uint32_t i = 0; i < serving->order_count; i++) {
        struct sequence *sequence = &serving->sequences[serving->order[i]];
        sequence->planned = sequence->request->state == PYR_SERVING_DECODING;
        decoding += sequence->planned;
    }
    uint32_t room = serving->info.batch_tokens - decoding;
    if (decoding > 0 && room > serving->info.prefill_tokens)
        room = serving->info.prefill_tokens;
    uint32_t rows = decoding;
    for (uint32_t i = 0; room > 0; i++) {
        bool may_grow = !serving->kv_pressure || i == 0;
        if (!may_grow || (i == serving->order_count && !admit_next(serving)))
            break;
        struct sequence *sequence = &serving->sequences[serving->order[i]];
        if (sequence->planned > 0)
            continue;
        uint32_t left = sequence->known - sequence->fed;
        sequence->planned = left < room ? left : room;
        room -= sequence->planned;
        rows += sequence->planned;
    }
    return rows;
}

static int32_t token_at(const struct pyr_serving *serving, uint32_t id, uint32_t position) {
    const struct pyr_serving_request *request = serving->sequences[id].request;
    if (position < request->prompt_tokens)
        return request->prompt[position];
    return serving->outputs[(size_t)id * serving->info.tokens_per_sequence + position -
                            request->prompt_tokens];
}

static void fill_batch(struct pyr_serving *serving) {
    struct pyr_batch *batch = &serving->batch;
    batch->count = 0;
    for (uint32_t id = 0; id < serving->info.sequences; id++) {
        struct sequence *sequence = &serving->sequences[id];
        for (uint32_t i = 0; i < sequence->planned; i++) {
            uint32_t row = batch->count++, position = sequence->fed + i;
            batch->token[row] = token_at(serving, id, position);
            batch->pos[row] = (int32_t)position;
            batch->seq[row] = (int32_t)id;
            batch->want[row] = position + 1 == sequence->known;
            sequence->row = row;
        }
    }
}

/* --- when there is no room -----------------------------------------------------------------------
 */

/* Makes the next attempt smaller. See serving.h. */
static void make_room(struct pyr_serving *serving, uint64_t now_ns) {
    serving->counters.full++;
    if (!serving->kv_pressure) {
        serving->kv_pressure = true;
        return;
    }
    for (uint32_t i = serving->order_count; i-- > 1;) {
        struct sequence *sequence = &serving->sequences[serving->order[i]];
        if (sequence->fed > 0) {
            forget_kv(serving, serving->order[i]);
            sequence->request->state = PYR_SERVING_PREFILLING;
            serving->counters.preempted++;
            return;
        }
    }
    finish(serving, serving->sequences[serving->order[0]].request, PYR_OUTCOME_ENGINE,
           "the engine's KV memory is too small for this request alone", now_ns);
    close_holes(serving);
}

/* --- tokens --------------------------------------------------------------------------------------
 */

static void keep_text(struct pyr_serving_request *request, const char *bytes, uint32_t count) {
    size_t room = request->text_capacity - request->text_bytes;
    size_t kept = count < room ? count : room;
    if (!request->text)
        return;
    memcpy(request->text + request->text_bytes, bytes, kept);
    request->text_bytes += kept;
}

static void give_token(struct pyr_serving *serving, struct sequence *sequence, int32_t token,
                       uint64_t at_ns) {
    struct pyr_serving_request *request = sequence->request;
    struct pyr_request *record = request->record;
    const struct pyr_pieces *pieces = serving->pieces;
    if (pieces->is_end[token]) {
        finish(serving, request, PYR_OUTCOME_OK, "", at_ns);
        return;
    }
    const char *bytes = pieces->bytes + pieces->offset[token];
    uint32_t count = pieces->offset[token + 1] - pieces->offset[token];
    uint64_t previous = record->last_content_ns;
    if (record->output_tokens == 0) {
        record->first_byte_ns = record->first_content_ns = record->first_output_ns = at_ns;
        record->text_hash = PYR_FNV1A64_INIT;
        previous = record->sent_ns;
    }
    if (serving->lane)
        pyr_lane_content(serving->lane, record->ordinal, previous, at_ns, 0, 0, count, 1, false);
    record->last_content_ns = at_ns;
    record->text_hash = pyr_fnv1a64(record->text_hash, bytes, count);
    record->output_bytes += count;
    record->chunks++;
    keep_text(request, bytes, count);
    if (request->tokens)
        request->tokens[record->output_tokens] = token;
    serving->outputs[(size_t)request->sequence * serving->info.tokens_per_sequence +
                     record->output_tokens++] = token;
    sequence->known++;
    if (record->output_tokens == request->output_tokens)
        finish(serving, request, PYR_OUTCOME_OK, "", at_ns);
}

static int32_t pick(struct pyr_serving *serving, struct sequence *sequence, const float *logits,
                    const bool *banned) {
    const struct pyr_sampling *sampling = &sequence->request->sampling;
    return sampling->temperature > 0 ? pyr_sample(logits, serving->vocabulary, banned, sampling,
                                                  &sequence->rng, serving->candidates)
                                     : pyr_argmax_allowed(logits, serving->vocabulary, banned);
}

/* To look at one token costs microseconds, at all of them milliseconds: most first choices fit.
 * -1: no token may come next. */
static int32_t hold_to_grammar(struct pyr_serving *serving, struct sequence *sequence,
                               int32_t token, const bool *banned) {
    const struct pyr_engine *engine = serving->engine;
    struct pyr_grammar *grammar = sequence->request->grammar;
    engine->grammar_mask(grammar, serving->adjusted, token);
    if (isinf(serving->adjusted[token])) {
        engine->grammar_mask(grammar, serving->adjusted, -1);
        token = pick(serving, sequence, serving->adjusted, banned);
    }
    if (token < 0 || isinf(serving->adjusted[token]))
        return -1;
    engine->grammar_accept(grammar, token);
    return token;
}

static int32_t choose(struct pyr_serving *serving, struct sequence *sequence, const float *row) {
    const struct pyr_serving_request *request = sequence->request;
    const struct pyr_sampling *sampling = &request->sampling;
    uint32_t given = request->record->output_tokens;
    bool may_end = !request->exact_output && given >= request->least_tokens;
    const bool *banned = may_end ? NULL : serving->pieces->is_end;
    const float *logits = row;
    if (request->grammar || pyr_adjusts(sampling)) {
        const int32_t *output =
            serving->outputs + (size_t)request->sequence * serving->info.tokens_per_sequence;
        pyr_adjust(row, serving->vocabulary, sampling,
                   (struct pyr_tokens){request->prompt, request->prompt_tokens},
                   (struct pyr_tokens){output, given}, serving->seen, serving->adjusted);
        logits = serving->adjusted;
    }
    int32_t token = pick(serving, sequence, logits, banned);
    if (request->grammar && token >= 0)
        token = hold_to_grammar(serving, sequence, token, banned);
    if (request->chances && token >= 0)
        pyr_chances(row, serving->vocabulary, token,
                    request->chances + (size_t)given * request->chance_count,
                    request->chance_count);
    return token;
}

/* What follows from a decode that went well. Returns the last stamp. */
static uint64_t after_decode(struct pyr_serving *serving, uint64_t start_ns, uint64_t end_ns) {
    uint64_t at_ns = end_ns;
    uint32_t running = 0;
    for (uint32_t i = 0; i < serving->order_count; i++) {
        struct sequence *sequence = &serving->sequences[serving->order[i]];
        if (sequence->planned == 0)
            continue;
        running++;
        struct pyr_serving_request *request = sequence->request;
        if (request->record->admitted_ns == 0)
            request->record->admitted_ns = start_ns;
        if (request->state == PYR_SERVING_DECODING)
            serving->counters.decode_rows += sequence->planned;
        else
            serving->counters.prompt_rows += sequence->planned;
        sequence->fed += sequence->planned;
        if (sequence->fed < sequence->known)
            continue;
        if (request->record->prefilled_ns == 0)
            request->record->prefilled_ns = end_ns;
        request->state = PYR_SERVING_DECODING;
        const float *row = serving->engine->logits(serving->context, sequence->row);
        int32_t token = row ? choose(serving, sequence, row) : -1;
        at_ns = serving->virtual_time ? end_ns : pyr_now_ns(serving->clock);
        check_limits(serving, request, at_ns);
        if (request->state == PYR_SERVING_FINISHED)
            continue;
        if (token >= 0)
            give_token(serving, sequence, token, at_ns);
        else
            finish(serving, request, PYR_OUTCOME_ENGINE,
                   !row               ? "the engine gave no output"
                   : request->grammar ? "no token can follow that keeps to the format"
                                      : "the engine's output holds no number",
                   at_ns);
    }
    if (running > serving->counters.most_running)
        serving->counters.most_running = running;
    return at_ns;
}

static void fail_batch(struct pyr_serving *serving, uint64_t at_ns) {
    for (uint32_t i = 0; i < serving->order_count; i++) {
        struct sequence *sequence = &serving->sequences[serving->order[i]];
        if (sequence->planned == 0)
            continue;
        if (sequence->fed == 0) /* its state is undefined: remove what may be there */
            serving->engine->sequence_remove(serving->context, (int32_t)serving->order[i], 0,
                                             UINT32_MAX);
        if (sequence->request->record->admitted_ns == 0)
            sequence->request->record->admitted_ns = at_ns;
        finish(serving, sequence->request, PYR_OUTCOME_ENGINE, serving->engine_error.text, at_ns);
    }
}

/* --- the step ------------------------------------------------------------------------------------
 */

bool pyr_serving_has_work(const struct pyr_serving *serving) {
    return serving->order_count > 0 || serving->queue.count > 0;
}

uint32_t pyr_serving_step(struct pyr_serving *serving, uint64_t now_ns, uint64_t *done_ns) {
    *done_ns = now_ns;
    end_overdue(serving, now_ns);
    for (;;) {
        if (plan_rows(serving) == 0)
            return 0;
        fill_batch(serving);
        uint64_t end_ns = now_ns;
        enum pyr_decode_status status = serving->engine->decode(
            serving->context, &serving->batch, now_ns, &end_ns, &serving->engine_error);
        if (status == PYR_DECODE_FULL) {
            make_room(serving, now_ns);
            continue;
        }
        if (!serving->virtual_time)
            end_ns = pyr_now_ns(serving->clock);
        *done_ns = end_ns;
        serving->counters.steps++;
        serving->counters.step_ns += end_ns - now_ns;
        if (status == PYR_DECODE_OK)
            *done_ns = after_decode(serving, now_ns, end_ns);
        else
            fail_batch(serving, end_ns);
        close_holes(serving);
        return serving->batch.count;
    }
}
