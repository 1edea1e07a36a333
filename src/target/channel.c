/* SPDX-License-Identifier: MIT */
#include "target/channel.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <unistd.h>

static uint32_t power_of_two(uint32_t least) {
    uint32_t size = 1;
    while (size < least)
        size *= 2;
    return size;
}

/* Each part begins on a cache line of its own. */
static uint64_t place(uint64_t *end, uint64_t bytes) {
    uint64_t offset = *end;
    *end = (offset + bytes + 63) / 64 * 64;
    return offset;
}

static void lay_out(struct pyr_channel *channel, uint32_t entries, uint32_t prompt_stride,
                    uint32_t text_stride) {
    channel->entry_count = entries;
    channel->command_mask = power_of_two(3 * entries) - 1;
    channel->done_mask = power_of_two(entries) - 1;
    channel->prompt_stride = prompt_stride;
    channel->text_stride = text_stride;
    uint64_t end = 0;
    place(&end, sizeof *channel);
    channel->entries_offset = place(&end, entries * sizeof(struct pyr_channel_entry));
    channel->commands_offset =
        place(&end, ((uint64_t)channel->command_mask + 1) * sizeof(struct pyr_channel_command));
    channel->done_offset = place(&end, ((uint64_t)channel->done_mask + 1) * sizeof(uint32_t));
    channel->prompts_offset = place(&end, (uint64_t)entries * prompt_stride * sizeof(int32_t));
    channel->texts_offset = place(&end, (uint64_t)entries * text_stride);
    channel->bytes = end;
}

uint64_t pyr_channel_bytes(uint32_t entries, uint32_t prompt_stride, uint32_t text_stride) {
    struct pyr_channel channel;
    lay_out(&channel, entries, prompt_stride, text_stride);
    return channel.bytes;
}

void pyr_channel_init(struct pyr_channel *channel, uint32_t entries, uint32_t prompt_stride,
                      uint32_t text_stride) {
    assert(entries > 0 && (uintptr_t)channel % 64 == 0);
    lay_out(channel, entries, prompt_stride, text_stride);
}

static void *at(const struct pyr_channel *channel, uint64_t offset) {
    return (unsigned char *)(uintptr_t)channel + offset;
}

struct pyr_channel_entry *pyr_channel_entry(struct pyr_channel *channel, uint32_t index) {
    return (struct pyr_channel_entry *)at(channel, channel->entries_offset) + index;
}

int32_t *pyr_channel_prompt(struct pyr_channel *channel, uint32_t index) {
    return (int32_t *)at(channel, channel->prompts_offset) + (size_t)index * channel->prompt_stride;
}

char *pyr_channel_text(struct pyr_channel *channel, uint32_t index) {
    return (char *)at(channel, channel->texts_offset) + (size_t)index * channel->text_stride;
}

/* --- rings ---------------------------------------------------------------------------------------
 */

void pyr_channel_send(struct pyr_channel *channel, struct pyr_channel_command command) {
    struct pyr_channel_command *ring = at(channel, channel->commands_offset);
    uint32_t head = atomic_load_explicit(&channel->command_head, memory_order_relaxed);
    assert(head - atomic_load_explicit(&channel->command_tail, memory_order_acquire) <=
           channel->command_mask);
    ring[head & channel->command_mask] = command;
    atomic_store_explicit(&channel->command_head, head + 1, memory_order_release);
}

uint32_t pyr_channel_pending(const struct pyr_channel *channel) {
    return atomic_load_explicit(&channel->command_head, memory_order_acquire) -
           atomic_load_explicit(&channel->command_tail, memory_order_relaxed);
}

struct pyr_channel_command pyr_channel_receive(struct pyr_channel *channel) {
    const struct pyr_channel_command *ring = at(channel, channel->commands_offset);
    uint32_t tail = atomic_load_explicit(&channel->command_tail, memory_order_relaxed);
    struct pyr_channel_command command = ring[tail & channel->command_mask];
    atomic_store_explicit(&channel->command_tail, tail + 1, memory_order_release);
    return command;
}

void pyr_channel_give_done(struct pyr_channel *channel, uint32_t index) {
    uint32_t *ring = at(channel, channel->done_offset);
    uint32_t head = atomic_load_explicit(&channel->done_head, memory_order_relaxed);
    ring[head & channel->done_mask] = index;
    atomic_store_explicit(&channel->done_head, head + 1, memory_order_release);
}

bool pyr_channel_has_done(const struct pyr_channel *channel) {
    return atomic_load_explicit(&channel->done_head, memory_order_acquire) !=
           atomic_load_explicit(&channel->done_tail, memory_order_relaxed);
}

bool pyr_channel_take_done(struct pyr_channel *channel, uint32_t *index) {
    const uint32_t *ring = at(channel, channel->done_offset);
    if (!pyr_channel_has_done(channel))
        return false;
    uint32_t tail = atomic_load_explicit(&channel->done_tail, memory_order_relaxed);
    *index = ring[tail & channel->done_mask];
    atomic_store_explicit(&channel->done_tail, tail + 1, memory_order_release);
    return true;
}

/* --- bells ---------------------------------------------------------------------------------------
 */

/* Both sides exchange `armed`, so one of the two exchanges comes first: when it is the sleeper's
 * the other side sees 1 and rings, when it is the other's the sleeper sees what was put in. */
void pyr_bell_arm(struct pyr_bell *bell) {
    atomic_exchange_explicit(&bell->armed, 1, memory_order_acq_rel);
}

void pyr_bell_ring(struct pyr_bell *bell, int fd) {
    if (atomic_exchange_explicit(&bell->armed, 0, memory_order_acq_rel) == 0)
        return;
    uint64_t one = 1;
    while (write(fd, &one, sizeof one) < 0 && errno == EINTR) {
    }
}

void pyr_bell_sleep(int fd) {
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    while (poll(&wait, 1, -1) < 0 && errno == EINTR) {
    }
}

void pyr_bell_settle(struct pyr_bell *bell, int fd) {
    uint64_t count;
    if (bell->owed > 0 && read(fd, &count, sizeof count) == (ssize_t)sizeof count)
        bell->owed -= count;
}

void pyr_bell_rest(struct pyr_bell *bell, int fd) {
    if (atomic_exchange_explicit(&bell->armed, 0, memory_order_acq_rel) == 0)
        bell->owed++;
    pyr_bell_settle(bell, fd);
}
