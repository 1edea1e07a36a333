/* SPDX-License-Identifier: MIT */
#include "serving/serving.h"

#include "base/hash.h"
#include "base/mem.h"
#include "serving/choose.h"
#include "serving/policy.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* A prompt of this many tokens costs less than the fixed cost of one more step on every engine
 * measured, and fills the blocks of a batched matrix product; twice as many gains nothing. */
enum { DEFAULT_BATCH_TOKENS = 512 };

struct pyr_serving {
    const struct pyr_engine *engine;
    const struct pyr_pieces *pieces;
    const struct pyr_clock *clock;
    struct pyr_lane *lane;
    struct pyr_context *context;
    struct pyr_serving_info info;
    uint32_t queue_limit, vocabulary;
    bool virtual_time;

    const struct pyr_policy *policy;
    void *policy_state;
    struct pyr_policy_step step;    /* the one to fill; running, order, full hold between steps */
    struct pyr_sequence *sequences; /* (info.sequences) */
    uint64_t *free_bits;            /* bit i: sequence i is free */
    int32_t *outputs;               /* (sequences, tokens_per_sequence): for what is preempted */
    uint32_t *order;                /* (sequences): those in use, oldest first */
    uint32_t free_count;
    bool order_has_holes; /* some in `order` have ended */

    struct pyr_batch batch; /* arrays of (info.batch_tokens) */
    struct pyr_chooser chooser;
    struct pyr_request_list queue, finished;
    uint32_t limited; /* requests in our hands that have limits */
    struct pyr_serving_counters counters;
    struct pyr_err engine_error; /* of the decode under way */
};

/* --- lists ---------------------------------------------------------------------------------------
 */

static void list_append(struct pyr_request_list *list, struct pyr_serving_request *request) {
    request->next = NULL;
    request->previous = list->last;
    if (list->last)
        list->last->next = request;
    else
        list->first = request;
    list->last = request;
    list->count++;
}

static void list_remove(struct pyr_request_list *list, struct pyr_serving_request *request) {
    assert(list->count > 0 &&
           (request->previous ? request->previous->next == request : list->first == request));
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
    assert((list->count == 0) == (list->first == NULL));
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
    pyr_chooser_init(&serving->chooser, serving->engine, serving->pieces, serving->vocabulary);
}

static void take_policy(struct pyr_serving *serving, const struct pyr_serving_policy *wanted) {
    serving->policy = wanted->kind ? wanted->kind : pyr_policies[0];
    size_t bytes = serving->policy->state_bytes;
    const void *from = wanted->state ? wanted->state : serving->policy->defaults;
    serving->policy_state = bytes ? pyr_xcalloc(1, bytes) : NULL;
    if (bytes && from)
        memcpy(serving->policy_state, from, bytes);
    serving->info.policy = serving->policy->name;
    serving->step = (struct pyr_policy_step){
        .batch_tokens = serving->info.batch_tokens,
        .prefill_tokens = serving->info.prefill_tokens,
        .order = serving->order,
        .sequences = serving->sequences,
        .queue = &serving->queue,
        .serving = serving,
    };
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
    take_policy(serving, &config->policy);
    *serving_out = serving;
    return true;
}

void pyr_serving_destroy(struct pyr_serving *serving) {
    if (!serving)
        return;
    serving->engine->context_destroy(serving->context);
    pyr_free(serving->policy_state);
    pyr_chooser_deinit(&serving->chooser);
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
    assert(serving->step.running == 0 && serving->queue.count == 0 && serving->limited == 0);
    serving->counters = (struct pyr_serving_counters){0};
}

/* --- ends ----------------------------------------------------------------------------------------
 */

static void forget_kv(struct pyr_serving *serving, uint32_t id) {
    struct pyr_sequence *sequence = &serving->sequences[id];
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
        assert(serving->sequences[id].request == request &&
               serving->free_count < serving->info.sequences);
        forget_kv(serving, id);
        serving->sequences[id].request = NULL;
        serving->sequences[id].planned = 0;
        serving->free_bits[id / 64] |= UINT64_C(1) << (id % 64);
        serving->free_count++;
        serving->order_has_holes = true;
    }
    assert(request->state != PYR_SERVING_FINISHED &&
           (!request->has_limits || serving->limited > 0));
    if (request->has_limits)
        serving->limited--;
    serving->step.full = false;
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
    for (uint32_t i = 0; i < serving->step.running; i++) {
        if (serving->sequences[serving->order[i]].request)
            serving->order[kept++] = serving->order[i];
    }
    serving->step.running = kept;
    serving->order_has_holes = false;
    assert(kept + serving->free_count == serving->info.sequences);
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
    assert(request->state == PYR_SERVING_IDLE && request->record);
    assert(request->text || request->text_capacity == 0);
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
    for (uint32_t i = 0; i < serving->step.running; i++)
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

bool pyr_policy_admit(struct pyr_policy_step *step, struct pyr_serving_request *request) {
    struct pyr_serving *serving = step->serving;
    assert(request->state == PYR_SERVING_QUEUED);
    if (serving->free_count == 0 || step->full)
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
    struct pyr_sequence *sequence = &serving->sequences[id];
    assert(!sequence->request && sequence->planned == 0);
    *sequence = (struct pyr_sequence){.request = request, .known = request->prompt_tokens};
    pyr_rng_init(&sequence->rng, request->sampling.seed);
    serving->order[step->running++] = id;
    assert(step->running + serving->free_count == serving->info.sequences);
    return true;
}

/* Lets the policy decide how many rows each sequence gets. Returns their number. */
static uint32_t plan_rows(struct pyr_serving *serving, uint64_t now_ns) {
    serving->step.now_ns = now_ns;
    serving->step.rows = 0;
    if (serving->step.running == 0 && serving->queue.count == 0)
        return 0;
    serving->policy->plan(serving->policy_state, &serving->step);
    assert(serving->step.rows > 0 && serving->step.rows <= serving->info.batch_tokens);
    return serving->step.rows;
}

/* What it said so far, for when it is preempted and for penalties. */
static int32_t *outputs_of(const struct pyr_serving *serving, const struct pyr_sequence *sequence) {
    size_t id = (size_t)sequence->request->sequence;
    return serving->outputs + id * serving->info.tokens_per_sequence;
}

static int32_t token_at(const struct pyr_serving *serving, uint32_t id, uint32_t position) {
    const struct pyr_serving_request *request = serving->sequences[id].request;
    if (position < request->prompt_tokens)
        return request->prompt[position];
    return outputs_of(serving, &serving->sequences[id])[position - request->prompt_tokens];
}

static void fill_sequence(struct pyr_serving *serving, uint32_t id) {
    struct pyr_sequence *sequence = &serving->sequences[id];
    struct pyr_batch *batch = &serving->batch;
    for (uint32_t i = 0; i < sequence->planned; i++) {
        uint32_t row = batch->count++, position = sequence->fed + i;
        batch->token[row] = token_at(serving, id, position);
        batch->pos[row] = (int32_t)position;
        batch->seq[row] = (int32_t)id;
        batch->want[row] = position + 1 == sequence->known;
        sequence->row = row;
    }
}

/* In order of sequence id; only those in use are looked at. */
static void fill_batch(struct pyr_serving *serving) {
    struct pyr_batch *batch = &serving->batch;
    uint32_t count = serving->info.sequences;
    batch->count = 0;
    for (uint32_t first = 0; first < count; first += 64) {
        uint64_t those = count - first < 64 ? (UINT64_C(1) << (count - first)) - 1 : UINT64_MAX;
        uint64_t used = ~serving->free_bits[first / 64] & those;
        for (; used; used &= used - 1)
            fill_sequence(serving, first + (uint32_t)__builtin_ctzll(used));
    }
    assert(batch->count == serving->step.rows);
}

/* --- when there is no room -----------------------------------------------------------------------
 */

/* Makes the next attempt smaller. See serving.h. */
static void make_room(struct pyr_serving *serving, uint64_t now_ns) {
    serving->counters.full++;
    for (uint32_t i = 0; i < serving->step.running; i++)
        serving->sequences[serving->order[i]].planned = 0;
    if (!serving->step.full) {
        serving->step.full = true;
        return;
    }
    for (uint32_t i = serving->step.running; i-- > 1;) {
        struct pyr_sequence *sequence = &serving->sequences[serving->order[i]];
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

static void give_token(struct pyr_serving *serving, struct pyr_sequence *sequence, int32_t token,
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
    assert(record->output_tokens < request->output_tokens && at_ns >= record->admitted_ns);
    record->last_content_ns = at_ns;
    record->text_hash = pyr_fnv1a64(record->text_hash, bytes, count);
    record->output_bytes += count;
    record->chunks++;
    keep_text(request, bytes, count);
    if (request->tokens)
        request->tokens[record->output_tokens] = token;
    outputs_of(serving, sequence)[record->output_tokens++] = token;
    sequence->known++;
    if (record->output_tokens == request->output_tokens)
        finish(serving, request, PYR_OUTCOME_OK, "", at_ns);
}

/* Counts a sequence's rows into the step and leaves none planned for the next. */
static uint32_t take_rows(struct pyr_sequence *sequence, struct pyr_step *step) {
    uint32_t rows = sequence->planned;
    sequence->planned = 0;
    step->sequences += rows > 0;
    if (sequence->request->state == PYR_SERVING_DECODING)
        step->decode_rows += rows;
    else
        step->prompt_rows += rows;
    return rows;
}

/* What follows from a decode that went well and was over at end_ns; step->end_ns becomes the last
 * stamp. */
static void after_decode(struct pyr_serving *serving, struct pyr_step *step, uint64_t end_ns) {
    for (uint32_t i = 0; i < serving->step.running; i++) {
        struct pyr_sequence *sequence = &serving->sequences[serving->order[i]];
        uint32_t rows = take_rows(sequence, step);
        if (rows == 0)
            continue;
        struct pyr_serving_request *request = sequence->request;
        if (request->record->admitted_ns == 0)
            request->record->admitted_ns = step->start_ns;
        sequence->fed += rows;
        assert(sequence->fed <= sequence->known);
        if (sequence->fed < sequence->known)
            continue;
        if (request->record->prefilled_ns == 0)
            request->record->prefilled_ns = end_ns;
        request->state = PYR_SERVING_DECODING;
        const float *row = serving->engine->logits(serving->context, sequence->row);
        int32_t token = row ? pyr_choose(&serving->chooser, request, outputs_of(serving, sequence),
                                         &sequence->rng, row)
                            : -1;
        uint64_t at_ns = serving->virtual_time ? end_ns : pyr_now_ns(serving->clock);
        step->end_ns = at_ns;
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
    serving->counters.prompt_rows += step->prompt_rows;
    serving->counters.decode_rows += step->decode_rows;
    if (step->sequences > serving->counters.most_running)
        serving->counters.most_running = step->sequences;
}

static void fail_batch(struct pyr_serving *serving, struct pyr_step *step, uint64_t at_ns) {
    step->flags |= PYR_STEP_FAILED;
    for (uint32_t i = 0; i < serving->step.running; i++) {
        struct pyr_sequence *sequence = &serving->sequences[serving->order[i]];
        if (take_rows(sequence, step) == 0)
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
    return serving->step.running > 0 || serving->queue.count > 0;
}

static void keep_step(struct pyr_serving *serving, struct pyr_step *step, uint64_t decoded_ns) {
    assert(step->start_ns <= decoded_ns && decoded_ns <= step->end_ns);
    assert(step->prompt_rows + step->decode_rows == serving->batch.count);
    step->choosing_code = pyr_bound_code(step->end_ns - decoded_ns);
    if (serving->lane)
        pyr_lane_step(serving->lane, step);
}

uint32_t pyr_serving_step(struct pyr_serving *serving, uint64_t now_ns, uint64_t *done_ns) {
    struct pyr_step step = {.start_ns = now_ns};
    uint64_t preempted = serving->counters.preempted;
    *done_ns = now_ns;
    end_overdue(serving, now_ns);
    for (;;) {
        if (plan_rows(serving, now_ns) == 0)
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
        step.end_ns = end_ns;
        preempted = serving->counters.preempted - preempted;
        step.preempted = preempted < UINT16_MAX ? (uint16_t)preempted : UINT16_MAX;
        serving->counters.steps++;
        serving->counters.step_ns += end_ns - now_ns;
        if (status == PYR_DECODE_OK)
            after_decode(serving, &step, end_ns);
        else
            fail_batch(serving, &step, end_ns);
        *done_ns = step.end_ns;
        keep_step(serving, &step, end_ns);
        close_holes(serving);
        return serving->batch.count;
    }
}
