/* SPDX-License-Identifier: MIT */
#include "target/link.h"

#include "base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { NO_ENTRY = UINT32_MAX };

void pyr_link_init(struct pyr_link *link, struct pyr_channel *channel,
                   const struct pyr_clock *clock, int engine_fd, int load_fd,
                   uint32_t piece_bytes) {
    *link = (struct pyr_link){.channel = channel,
                              .clock = clock,
                              .engine_fd = engine_fd,
                              .load_fd = load_fd,
                              .piece_bytes = piece_bytes};
    link->slots = pyr_xcalloc(channel->entry_count, sizeof *link->slots);
    for (uint32_t i = 0; i < channel->entry_count; i++)
        link->slots[i].next_free = i + 1 < channel->entry_count ? i + 1 : NO_ENTRY;
}

void pyr_link_deinit(struct pyr_link *link) {
    assert(link->in_flight == 0);
    pyr_link_reset(link);
    pyr_free(link->slots);
    link->slots = NULL;
}

void pyr_link_reset(struct pyr_link *link) {
    if (link->texts)
        pyr_arena_destroy(link->texts);
    link->texts = NULL;
}

/* Where the output's bytes are to go; in this process they are written straight into the arena. */
static void prepare_text(struct pyr_link *link, struct pyr_channel_entry *entry,
                         struct pyr_link_slot *mine) {
    struct pyr_slot *slot = mine->slot;
    entry->text = NULL;
    entry->text_capacity = entry->text_bytes = mine->text_capacity = 0;
    slot->text = NULL;
    slot->text_bytes = 0;
    if (!slot->capture_text)
        return;
    if (!link->texts)
        link->texts = pyr_arena_create();
    uint64_t bytes = (uint64_t)slot->output_tokens * link->piece_bytes;
    if (link->channel->text_stride > 0 && bytes > link->channel->text_stride)
        bytes = link->channel->text_stride;
    slot->text = pyr_arena_alloc(link->texts, bytes);
    entry->text = slot->text;
    entry->text_capacity = mine->text_capacity = bytes;
}

static void send_command(struct pyr_link *link, struct pyr_channel_command command) {
    if (link->dead)
        return;
    pyr_channel_send(link->channel, command);
    link->unrung = true;
}

void pyr_link_submit(struct pyr_link *link, struct pyr_slot *slot) {
    struct pyr_channel *channel = link->channel;
    uint32_t index = link->first_free;
    assert(index != NO_ENTRY); /* more slots in flight than attach was told */
    struct pyr_link_slot *mine = &link->slots[index];
    link->first_free = mine->next_free;
    link->in_flight++;
    mine->slot = slot;
    mine->cancel_sent = false;
    slot->target_data = mine;
    slot->error_text = NULL;

    struct pyr_channel_entry *entry = pyr_channel_entry(channel, index);
    entry->record = slot->record;
    entry->prompt = slot->prompt.tokens;
    entry->prompt_tokens = slot->prompt.tokens ? slot->prompt.token_count : 0;
    if (channel->prompt_stride > 0) {
        /* The area is as long as a sequence: what it cannot hold is refused as too long. */
        uint32_t kept = entry->prompt_tokens < channel->prompt_stride ? entry->prompt_tokens
                                                                      : channel->prompt_stride;
        if (kept > 0)
            memcpy(pyr_channel_prompt(channel, index), slot->prompt.tokens,
                   kept * sizeof *slot->prompt.tokens);
        entry->prompt = NULL;
    }
    entry->output_tokens = slot->output_tokens;
    entry->temperature = slot->temperature;
    entry->exact_output = slot->exact_output;
    entry->seed = slot->seed;
    entry->cancel_after_ns = slot->cancel_after_ns;
    entry->first_token_ns = slot->limits.first_token_ns;
    entry->between_tokens_ns = slot->limits.between_tokens_ns;
    entry->total_ns = slot->limits.total_ns;
    prepare_text(link, entry, mine);
    slot->record.sent_ns = entry->record.sent_ns = pyr_now_ns(link->clock);
    send_command(link, (struct pyr_channel_command){.entry = index, .kind = PYR_COMMAND_SUBMIT});
}

void pyr_link_cancel(struct pyr_link *link, struct pyr_slot *slot, enum pyr_outcome outcome) {
    struct pyr_link_slot *mine = slot->target_data;
    assert(mine->slot == slot);
    if (mine->cancel_sent)
        return;
    mine->cancel_sent = true;
    send_command(link, (struct pyr_channel_command){.entry = (uint32_t)(mine - link->slots),
                                                    .kind = PYR_COMMAND_CANCEL,
                                                    .outcome = (uint8_t)outcome});
}

/* Only what the target may write (target.h). */
static void copy_result(struct pyr_request *to, const struct pyr_request *from) {
    to->outcome = from->outcome < PYR_OUTCOME_COUNT ? from->outcome : PYR_OUTCOME_WORKER;
    to->flags |= from->flags;
    to->sent_ns = from->sent_ns;
    to->admitted_ns = from->admitted_ns;
    to->prefilled_ns = from->prefilled_ns;
    to->first_byte_ns = from->first_byte_ns;
    to->first_content_ns = from->first_content_ns;
    to->first_output_ns = from->first_output_ns;
    to->last_content_ns = from->last_content_ns;
    to->closed_ns = from->closed_ns;
    to->prompt_tokens = from->prompt_tokens;
    to->asked_tokens = from->asked_tokens;
    to->output_tokens = from->output_tokens;
    to->chunks = from->chunks;
    to->output_bytes = from->output_bytes;
    to->text_hash = from->text_hash;
}

static struct pyr_slot *give_back(struct pyr_link *link, uint32_t index) {
    struct pyr_link_slot *mine = &link->slots[index];
    struct pyr_channel_entry *entry = pyr_channel_entry(link->channel, index);
    struct pyr_slot *slot = mine->slot;
    copy_result(&slot->record, &entry->record);
    if (slot->text) {
        slot->text_bytes =
            entry->text_bytes < mine->text_capacity ? entry->text_bytes : mine->text_capacity;
        if (link->channel->text_stride > 0)
            memcpy(slot->text, pyr_channel_text(link->channel, index), slot->text_bytes);
    }
    /* The entry is not written before the next submit, as error_text promises. */
    entry->error_text[sizeof entry->error_text - 1] = '\0';
    slot->error_text = entry->error_text[0] ? entry->error_text : NULL;
    slot->target_data = NULL;
    mine->slot = NULL;
    mine->next_free = link->first_free;
    link->first_free = index;
    link->in_flight--;
    return slot;
}

static void ring_engine(struct pyr_link *link) {
    if (link->unrung && link->engine_fd >= 0)
        pyr_bell_ring(&link->channel->engine_bell, link->engine_fd);
    link->unrung = false;
}

size_t pyr_link_poll(struct pyr_link *link, struct pyr_slot **done, size_t capacity) {
    ring_engine(link);
    if (link->armed)
        pyr_bell_rest(&link->channel->load_bell, link->load_fd);
    else
        pyr_bell_settle(&link->channel->load_bell, link->load_fd);
    link->armed = false;
    size_t count = 0;
    uint32_t index;
    /* In memory that an engine shares, anything may stand. */
    while (count < capacity && pyr_channel_take_done(link->channel, &index))
        if (index < link->channel->entry_count && link->slots[index].slot)
            done[count++] = give_back(link, index);
    return count;
}

struct pyr_wait pyr_link_wait(struct pyr_link *link) {
    ring_engine(link);
    struct pyr_wait wait = {.fd = link->load_fd, .next_ns = PYR_NEVER};
    if (link->load_fd >= 0 && !link->armed) {
        pyr_bell_arm(&link->channel->load_bell);
        link->armed = true;
    }
    if (pyr_channel_has_done(link->channel))
        wait.next_ns = 0;
    return wait;
}

size_t pyr_link_abandon(struct pyr_link *link, enum pyr_outcome outcome, const char *why,
                        struct pyr_slot **done, size_t capacity) {
    size_t count = 0;
    for (uint32_t i = 0; i < link->channel->entry_count && count < capacity; i++) {
        if (!link->slots[i].slot)
            continue;
        struct pyr_channel_entry *entry = pyr_channel_entry(link->channel, i);
        entry->record.outcome = (uint8_t)outcome;
        entry->record.closed_ns = pyr_now_ns(link->clock);
        snprintf(entry->error_text, sizeof entry->error_text, "%s", why);
        done[count++] = give_back(link, i);
    }
    return count;
}
