/* SPDX-License-Identifier: MIT */
#include "support/fake_target.h"

#include "base/hash.h"
#include "base/mem.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

struct job {
    struct pyr_slot *slot;
    uint64_t submitted_ns, start_ns, finish_ns; /* start 0: not begun */
    enum pyr_outcome cancelled;                 /* OK: not */
};

struct fake_handle {
    struct pyr_target_handle base;
    struct pyr_fake_target *target;
    struct pyr_attach attach;
    struct job *jobs; /* (max_in_flight), in order of submission */
    uint32_t count;
};

static void describe(struct pyr_target *base, struct pyr_target_info *info) {
    struct pyr_fake_target *target = (struct pyr_fake_target *)base;
    memset(info, 0, sizeof *info);
    info->tokenises = !target->law.text_only;
    info->counts_tokens = target->law.text_only && !target->law.cannot_count;
    info->weighs_prompts = target->law.weighs;
    info->virtual_time = target->virtual_now_ns != NULL;
}

static int64_t count_tokens(struct pyr_target *base, const char *text, size_t bytes) {
    struct pyr_fake_target *target = (struct pyr_fake_target *)base;
    int64_t words = 1 + target->law.framing; /* a begin token */
    size_t letters = 0;
    for (size_t i = 0; i < bytes; i++) {
        letters = isspace((unsigned char)text[i]) ? 0 : letters + 1;
        words += letters == 1 || (letters == 5 && target->law.long_words);
    }
    return target->law.cannot_count && !target->law.weighs ? -1 : words;
}

/* Words of up to four letters are one token (their hash), longer ones one a letter; 1 begins. */
static int tokenize(struct pyr_target *base, const char *text, size_t bytes, bool special,
                    int32_t *tokens, int capacity) {
    (void)base;
    int count = 0;
    if (special && count++ < capacity)
        tokens[0] = 1;
    for (size_t i = 0; i < bytes;) {
        size_t from = i + (text[i] == ' '), to = from;
        while (to < bytes && text[to] != ' ')
            to++;
        size_t step = to - from <= 4 ? to - from : 1;
        for (size_t at = from; at < to; at += step, count++)
            if (count < capacity)
                tokens[count] =
                    2 + (int32_t)(pyr_fnv1a64(PYR_FNV1A64_INIT, text + at, step) & 0xfffffff);
        i = to;
    }
    return count <= capacity ? count : -count;
}

static bool attach(struct pyr_target *base, const struct pyr_attach *attach_to,
                   struct pyr_target_handle **out, struct pyr_err *err) {
    (void)err;
    struct fake_handle *handle = pyr_xcalloc(1, sizeof *handle);
    handle->base.ops = base->ops;
    handle->target = (struct pyr_fake_target *)base;
    handle->attach = *attach_to;
    handle->jobs = pyr_xcalloc(attach_to->max_in_flight, sizeof *handle->jobs);
    handle->target->attached = true;
    *out = &handle->base;
    return true;
}

static void detach(struct pyr_target_handle *base) {
    struct fake_handle *handle = (struct fake_handle *)base;
    assert(handle->count == 0);
    handle->target->attached = false;
    pyr_free(handle->jobs);
    pyr_free(handle);
}

/* So many tokens after start_ns, but for the freeze. */
static uint64_t finish_of(const struct pyr_fake_law *law, uint32_t tokens, uint64_t start_ns) {
    uint64_t finish_ns = start_ns + law->service_ns + tokens * law->token_ns;
    if (law->freeze_end_ns > law->freeze_start_ns && start_ns < law->freeze_end_ns &&
        finish_ns > law->freeze_start_ns) {
        uint64_t from = start_ns > law->freeze_start_ns ? start_ns : law->freeze_start_ns;
        finish_ns += law->freeze_end_ns - from;
    }
    return finish_ns;
}

/* Begins what can begin; a server that came free begins the next request at that instant. */
static void begin_jobs(struct fake_handle *handle, uint64_t free_ns) {
    const struct pyr_fake_law *law = &handle->target->law;
    uint32_t running = 0;
    for (uint32_t i = 0; i < handle->count; i++)
        running += handle->jobs[i].start_ns != 0;
    for (uint32_t i = 0; i < handle->count; i++) {
        struct job *job = &handle->jobs[i];
        if (job->start_ns || (law->servers && running >= law->servers))
            continue;
        job->start_ns = job->submitted_ns > free_ns ? job->submitted_ns : free_ns;
        job->finish_ns =
            law->hang ? PYR_NEVER : finish_of(law, job->slot->output_tokens, job->start_ns);
        running++;
    }
}

static void submit(struct pyr_target_handle *base, struct pyr_slot *slot) {
    struct fake_handle *handle = (struct fake_handle *)base;
    struct pyr_fake_target *target = handle->target;
    assert(handle->count < handle->attach.max_in_flight);
    uint64_t now_ns = pyr_now_ns(handle->attach.clock);
    slot->record.sent_ns = now_ns;
    if (target->submitted < 64)
        target->first_prompts[target->submitted] = slot->prompt.hash;
    target->submitted++;
    handle->jobs[handle->count++] = (struct job){.slot = slot, .submitted_ns = now_ns};
    if (++target->in_flight > target->most_in_flight)
        target->most_in_flight = target->in_flight;
    if (target->law.reject_every && target->submitted % target->law.reject_every == 0)
        handle->jobs[handle->count - 1].cancelled = PYR_OUTCOME_REJECTED;
}

static void stamp_answer(struct fake_handle *handle, const struct job *job) {
    struct pyr_slot *slot = job->slot;
    struct pyr_request *record = &slot->record;
    uint32_t tokens = slot->output_tokens - handle->target->law.short_by;
    uint64_t last_ns = record->sent_ns;
    for (uint32_t i = 1; i <= tokens; i++) {
        uint64_t at_ns = job->start_ns + (job->finish_ns - job->start_ns) * i / tokens;
        pyr_lane_content(handle->attach.lane, record->ordinal, last_ns, at_ns, 0, 0, 4, 1, false);
        last_ns = at_ns;
        if (i == 1)
            record->first_content_ns = record->first_output_ns = record->first_byte_ns = at_ns;
    }
    record->admitted_ns = job->start_ns;
    record->last_content_ns = record->closed_ns = job->finish_ns;
    record->output_tokens = record->chunks = tokens;
    if (tokens < slot->output_tokens)
        record->flags |= PYR_REQUEST_SHORT;
    record->flags |= PYR_REQUEST_STREAMED;
    record->outcome = PYR_OUTCOME_OK;
}

/* The instant at which a job ends by itself, by a limit or by its cancellation; its outcome. */
static uint64_t end_of(const struct job *job, enum pyr_outcome *outcome) {
    const struct pyr_slot *slot = job->slot;
    *outcome = job->cancelled;
    if (job->cancelled != PYR_OUTCOME_OK)
        return 0;
    uint64_t end_ns = job->start_ns ? job->finish_ns : PYR_NEVER;
    if (slot->limits.total_ns != PYR_NEVER && job->submitted_ns + slot->limits.total_ns < end_ns) {
        end_ns = job->submitted_ns + slot->limits.total_ns;
        *outcome = PYR_OUTCOME_TIMEOUT_TOTAL;
    }
    if (slot->cancel_after_ns != PYR_NEVER && job->submitted_ns + slot->cancel_after_ns < end_ns) {
        end_ns = job->submitted_ns + slot->cancel_after_ns;
        *outcome = PYR_OUTCOME_CANCELLED;
    }
    return end_ns;
}

static size_t poll(struct pyr_target_handle *base, struct pyr_slot **done, size_t capacity) {
    struct fake_handle *handle = (struct fake_handle *)base;
    uint64_t now_ns = pyr_now_ns(handle->attach.clock);
    size_t count = 0;
    begin_jobs(handle, 0);
    for (uint32_t i = 0; i < handle->count && count < capacity && !handle->target->law.keep;) {
        struct job *job = &handle->jobs[i];
        enum pyr_outcome outcome;
        uint64_t end_ns = end_of(job, &outcome);
        if (end_ns > now_ns) {
            i++;
            continue;
        }
        if (outcome == PYR_OUTCOME_OK) {
            stamp_answer(handle, job);
        } else {
            job->slot->record.outcome = (uint8_t)outcome;
            job->slot->record.closed_ns = end_ns ? end_ns : now_ns;
            job->slot->error_text = "the fake says so";
            job->slot->retry_after_ns = handle->target->law.retry_after_ns;
        }
        done[count++] = job->slot;
        uint64_t free_ns = job->start_ns ? job->slot->record.closed_ns : 0;
        memmove(job, job + 1, (--handle->count - i) * sizeof *job);
        handle->target->in_flight--;
        begin_jobs(handle, free_ns);
    }
    return count;
}

static struct pyr_wait wait_handle(struct pyr_target_handle *base) {
    struct fake_handle *handle = (struct fake_handle *)base;
    struct pyr_wait wait = {.fd = -1, .next_ns = PYR_NEVER};
    begin_jobs(handle, pyr_now_ns(handle->attach.clock));
    for (uint32_t i = 0; i < handle->count && !handle->target->law.keep; i++) {
        enum pyr_outcome outcome;
        uint64_t end_ns = end_of(&handle->jobs[i], &outcome);
        wait.next_ns = end_ns < wait.next_ns ? end_ns : wait.next_ns;
    }
    return wait;
}

static void cancel(struct pyr_target_handle *base, struct pyr_slot *slot,
                   enum pyr_outcome outcome) {
    struct fake_handle *handle = (struct fake_handle *)base;
    for (uint32_t i = 0; i < handle->count; i++)
        if (handle->jobs[i].slot == slot)
            handle->jobs[i].cancelled = outcome;
}

static bool reset(struct pyr_target_handle *base, struct pyr_err *err) {
    (void)err;
    struct fake_handle *handle = (struct fake_handle *)base;
    assert(handle->count == 0);
    handle->target->resets++;
    return true;
}

static const struct pyr_target_ops fake_ops = {
    .name = "fake",
    .describe = describe,
    .count_tokens = count_tokens,
    .tokenize = tokenize,
    .attach = attach,
    .detach = detach,
    .submit = submit,
    .poll = poll,
    .wait_handle = wait_handle,
    .cancel = cancel,
    .reset = reset,
};

void pyr_fake_target_init(struct pyr_fake_target *target, struct pyr_fake_law law,
                          uint64_t *virtual_now_ns) {
    *target =
        (struct pyr_fake_target){.base = {&fake_ops}, .law = law, .virtual_now_ns = virtual_now_ns};
}
