/* SPDX-License-Identifier: MIT
 *
 * Target null ("null:direct"): answers each request at the next poll with the number of tokens it
 * asked for, all at that instant. It costs a clock read and a record a token, so that what is left
 * is load and the recorder.
 */
#include "base/hash.h"
#include "base/mem.h"
#include "target/kinds.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct null_handle {
    struct pyr_target_handle base;
    struct pyr_clock clock;
    struct pyr_lane *lane;
    struct pyr_slot **waiting; /* (capacity), a ring: first in, first out */
    uint32_t capacity, first, count;
    struct pyr_target *target;
};

static const char word[] = " null"; /* the text of every token */
enum { WORD_BYTES = sizeof word - 1 };

static bool null_open(const struct pyr_target_config *config, struct pyr_target **target,
                      struct pyr_err *err) {
    if (config->option_count > 0)
        return pyr_fail(err, PYR_E_USAGE, "%s: the target null:direct has no options",
                        config->options[0].key);
    *target = pyr_xcalloc(1, sizeof **target);
    (*target)->ops = &pyr_target_null;
    return true;
}

static void null_close(struct pyr_target *target) {
    pyr_free(target);
}

static void null_describe(struct pyr_target *target, struct pyr_target_info *info) {
    (void)target;
    *info = (struct pyr_target_info){
        .counts_tokens = true, .tokenises = true, .streams = true, .vocabulary_size = 256};
    snprintf(info->kind, sizeof info->kind, "null");
    snprintf(info->name, sizeof info->name, "null:direct");
    snprintf(info->engine, sizeof info->engine, "null");
    snprintf(info->description, sizeof info->description, "answers at once; measures the harness");
    info->pid = getpid();
}

/* A token is a byte. */
static int null_tokenize(struct pyr_target *target, const char *text, size_t bytes, bool special,
                         int32_t *tokens, int capacity) {
    (void)target;
    (void)special;
    if (bytes > (size_t)capacity)
        return -(int)bytes;
    for (size_t i = 0; i < bytes; i++)
        tokens[i] = (unsigned char)text[i];
    return (int)bytes;
}

static int64_t null_count_tokens(struct pyr_target *target, const char *text, size_t bytes) {
    (void)target;
    (void)text;
    return (int64_t)bytes;
}

static int null_piece(struct pyr_target *target, int32_t token, char *bytes, int capacity) {
    (void)target;
    if (capacity < 1)
        return -1;
    bytes[0] = (char)token;
    return 1;
}

static bool null_attach(struct pyr_target *target, const struct pyr_attach *attach,
                        struct pyr_target_handle **handle_out, struct pyr_err *err) {
    (void)err;
    struct null_handle *handle = pyr_xcalloc(1, sizeof *handle);
    handle->base.ops = &pyr_target_null;
    handle->target = target;
    handle->clock = *attach->clock;
    handle->lane = attach->lane;
    handle->capacity = attach->max_in_flight;
    handle->waiting = pyr_xcalloc(handle->capacity, sizeof *handle->waiting);
    *handle_out = &handle->base;
    return true;
}

static struct null_handle *handle_of(struct pyr_target_handle *handle) {
    return (struct null_handle *)handle;
}

static void null_detach(struct pyr_target_handle *base) {
    struct null_handle *handle = handle_of(base);
    assert(handle->count == 0);
    pyr_free(handle->waiting);
    pyr_free(handle);
}

static void null_submit(struct pyr_target_handle *base, struct pyr_slot *slot) {
    struct null_handle *handle = handle_of(base);
    assert(handle->count < handle->capacity);
    slot->record.sent_ns = pyr_now_ns(&handle->clock);
    slot->record.outcome = PYR_OUTCOME_OK;
    slot->error_text = NULL;
    slot->text = NULL;
    slot->text_bytes = 0;
    handle->waiting[(handle->first + handle->count++) % handle->capacity] = slot;
}

static void answer(struct null_handle *handle, struct pyr_slot *slot) {
    struct pyr_request *record = &slot->record;
    record->admitted_ns = record->sent_ns;
    record->prompt_tokens = slot->prompt.token_count;
    record->asked_tokens = slot->output_tokens;
    record->flags |= PYR_REQUEST_STREAMED;
    record->text_hash = PYR_FNV1A64_INIT;
    uint64_t previous = record->sent_ns;
    for (uint32_t i = 0; i < slot->output_tokens; i++) {
        uint64_t now_ns = pyr_now_ns(&handle->clock);
        if (i == 0)
            record->prefilled_ns = record->first_byte_ns = record->first_content_ns =
                record->first_output_ns = now_ns;
        if (handle->lane)
            pyr_lane_content(handle->lane, record->ordinal, previous, now_ns, 0, 0, WORD_BYTES, 1,
                             false);
        record->text_hash = pyr_fnv1a64(record->text_hash, word, WORD_BYTES);
        previous = now_ns;
    }
    record->last_content_ns = record->closed_ns = previous;
    record->output_tokens = record->chunks = slot->output_tokens;
    record->output_bytes = (uint64_t)slot->output_tokens * WORD_BYTES;
}

static size_t null_poll(struct pyr_target_handle *base, struct pyr_slot **done, size_t capacity) {
    struct null_handle *handle = handle_of(base);
    size_t count = 0;
    while (count < capacity && handle->count > 0) {
        struct pyr_slot *slot = handle->waiting[handle->first];
        handle->first = (handle->first + 1) % handle->capacity;
        handle->count--;
        if (slot->record.outcome == PYR_OUTCOME_OK)
            answer(handle, slot);
        done[count++] = slot;
    }
    return count;
}

static struct pyr_wait null_wait_handle(struct pyr_target_handle *base) {
    return (struct pyr_wait){.fd = -1, .next_ns = handle_of(base)->count > 0 ? 0 : PYR_NEVER};
}

static void null_cancel(struct pyr_target_handle *base, struct pyr_slot *slot,
                        enum pyr_outcome outcome) {
    struct null_handle *handle = handle_of(base);
    slot->record.outcome = (uint8_t)outcome;
    slot->record.closed_ns = pyr_now_ns(&handle->clock);
}

static bool null_reset(struct pyr_target_handle *handle, struct pyr_err *err) {
    (void)handle;
    (void)err;
    return true;
}

const struct pyr_target_ops pyr_target_null = {
    .name = "null",
    .summary = "answers at once: the cost of load and recorder alone",
    .open = null_open,
    .describe = null_describe,
    .count_tokens = null_count_tokens,
    .tokenize = null_tokenize,
    .piece = null_piece,
    .attach = null_attach,
    .detach = null_detach,
    .submit = null_submit,
    .poll = null_poll,
    .wait_handle = null_wait_handle,
    .cancel = null_cancel,
    .reset = null_reset,
    .close = null_close,
};
