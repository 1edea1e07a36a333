/* SPDX-License-Identifier: MIT */
#include "report/requests_log.h"

#include "base/buf.h"
#include "base/mem.h"
#include "codec/escape.h"
#include "record/recorder.h"
#include "record/runfile.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

/* A chunk with the carries before it folded in. */
struct chunk {
    uint64_t after_sent_ns;
    uint32_t tokens, bytes, lag_ns;
    uint8_t bound_code;
    bool reasoning;
};

/* A request of which the file has shown something and not yet all. */
struct pending {
    uint32_t ordinal;
    bool known; /* its record has come */
    struct pyr_request record;
    struct chunk *chunks;
    uint32_t chunk_count, chunk_capacity;
    uint64_t at_ns; /* since sent, over all chunks so far */
    uint32_t carried_tokens, carried_bytes;
};

struct log {
    FILE *out;
    struct pending **slots; /* open addressing by ordinal; (slot_mask + 1), NULL: free */
    size_t slot_mask, used;
    struct pyr_case *cases;
    size_t case_count;
    struct pyr_buf line;
    struct pyr_requests_log_counts counts;
};

/* --- the pending ----------------------------------------------------------------------------- */

static size_t home_of(const struct log *log, uint32_t ordinal) {
    return (size_t)(ordinal * UINT32_C(2654435761)) & log->slot_mask;
}

static size_t find_slot(const struct log *log, uint32_t ordinal) {
    size_t slot = home_of(log, ordinal);
    while (log->slots[slot] && log->slots[slot]->ordinal != ordinal)
        slot = (slot + 1) & log->slot_mask;
    return slot;
}

static void grow(struct log *log) {
    struct pending **old = log->slots;
    size_t old_count = log->slot_mask + 1;
    log->slot_mask = 2 * old_count - 1;
    log->slots = pyr_xcalloc(2 * old_count, sizeof *log->slots);
    for (size_t i = 0; i < old_count; i++)
        if (old[i])
            log->slots[find_slot(log, old[i]->ordinal)] = old[i];
    pyr_free(old);
}

static struct pending *pending_of(struct log *log, uint32_t ordinal) {
    size_t slot = find_slot(log, ordinal);
    if (log->slots[slot])
        return log->slots[slot];
    if (2 * ++log->used > log->slot_mask) {
        grow(log);
        slot = find_slot(log, ordinal);
    }
    log->slots[slot] = pyr_xcalloc(1, sizeof **log->slots);
    log->slots[slot]->ordinal = ordinal;
    return log->slots[slot];
}

static void forget(struct log *log, struct pending *pending) {
    size_t hole = find_slot(log, pending->ordinal);
    pyr_free(pending->chunks);
    pyr_free(pending);
    log->slots[hole] = NULL;
    log->used--;
    /* Close the hole, so that no later search stops at it too early. */
    for (size_t slot = (hole + 1) & log->slot_mask; log->slots[slot];
         slot = (slot + 1) & log->slot_mask) {
        size_t home = home_of(log, log->slots[slot]->ordinal);
        if (((slot - home) & log->slot_mask) < ((slot - hole) & log->slot_mask))
            continue;
        log->slots[hole] = log->slots[slot];
        log->slots[slot] = NULL;
        hole = slot;
    }
}

/* --- a line ---------------------------------------------------------------------------------- */

/* A line holds hundreds of numbers: printf would take most of the time. */
static void put_digits(struct pyr_buf *line, uint64_t value) {
    char digits[20];
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + value % 10);
    while (value /= 10);
    pyr_buf_append(line, digits + at, sizeof digits - at);
}

static void put_key(struct pyr_buf *line, const char *key) {
    pyr_buf_puts(line, line->length > 1 ? ",\"" : "\"");
    pyr_buf_puts(line, key);
    pyr_buf_puts(line, "\":");
}

static void put_number(struct pyr_buf *line, const char *key, uint64_t value) {
    put_key(line, key);
    put_digits(line, value);
}

static void put_known(struct pyr_buf *line, const char *key, uint64_t value, bool known) {
    if (known) {
        put_number(line, key, value);
        return;
    }
    put_key(line, key);
    pyr_buf_puts(line, "null");
}

static void put_flags(struct pyr_buf *line, unsigned flags) {
    static const struct {
        unsigned flag;
        const char *name;
    } names[] = {
        {PYR_REQUEST_SHORT, "short"},         {PYR_REQUEST_NO_DONE, "no_done"},
        {PYR_REQUEST_STREAMED, "streamed"},   {PYR_REQUEST_USAGE, "usage"},
        {PYR_REQUEST_ESTIMATED, "estimated"}, {PYR_REQUEST_NEW_CONNECTION, "new_connection"},
        {PYR_REQUEST_WAITED, "waited"},       {PYR_REQUEST_BAD_USAGE, "bad_usage"}};
    put_key(line, "flags");
    pyr_buf_putc(line, '[');
    bool first = true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!(flags & names[i].flag))
            continue;
        pyr_buf_printf(line, "%s\"%s\"", first ? "" : ",", names[i].name);
        first = false;
    }
    pyr_buf_putc(line, ']');
}

static void put_kinds(struct pyr_buf *line, unsigned kinds) {
    put_key(line, "kinds");
    pyr_buf_putc(line, '[');
    bool first = true;
    for (int i = 0; i < PYR_KIND_COUNT; i++) {
        if (!(kinds >> i & 1))
            continue;
        pyr_buf_printf(line, "%s\"%s\"", first ? "" : ",", pyr_request_kind_name(i));
        first = false;
    }
    pyr_buf_putc(line, ']');
}

static void put_stamps(struct pyr_buf *line, const struct pyr_request *record) {
    const struct {
        const char *key;
        uint64_t stamp_ns;
    } stamps[] = {{"scheduled_ns", record->scheduled_ns},
                  {"dispatched_ns", record->dispatched_ns},
                  {"sent_ns", record->sent_ns},
                  {"admitted_ns", record->admitted_ns},
                  {"prefilled_ns", record->prefilled_ns},
                  {"first_byte_ns", record->first_byte_ns},
                  {"first_content_ns", record->first_content_ns},
                  {"first_output_ns", record->first_output_ns},
                  {"last_content_ns", record->last_content_ns},
                  {"usage_ns", record->usage_ns},
                  {"closed_ns", record->closed_ns}};
    for (size_t i = 0; i < sizeof stamps / sizeof *stamps; i++)
        put_known(line, stamps[i].key, stamps[i].stamp_ns, stamps[i].stamp_ns != 0);
}

enum part { PART_TIME, PART_TOKENS, PART_BYTES, PART_LAG, PART_BOUND, PART_REASONING };

static void put_part(struct pyr_buf *line, const struct pending *pending, const char *key,
                     enum part part) {
    put_key(line, key);
    pyr_buf_putc(line, '[');
    for (uint32_t i = 0; i < pending->chunk_count; i++) {
        const struct chunk *chunk = &pending->chunks[i];
        uint64_t value = part == PART_TIME     ? pending->record.sent_ns + chunk->after_sent_ns
                         : part == PART_TOKENS ? chunk->tokens
                         : part == PART_BYTES  ? chunk->bytes
                         : part == PART_LAG    ? chunk->lag_ns
                         : part == PART_BOUND  ? pyr_bound_ns(chunk->bound_code)
                                               : chunk->reasoning;
        if (i)
            pyr_buf_putc(line, ',');
        if (part == PART_LAG && chunk->lag_ns == PYR_LAG_UNKNOWN)
            pyr_buf_puts(line, "null");
        else
            put_digits(line, value);
    }
    pyr_buf_putc(line, ']');
}

static void put_hash(struct pyr_buf *line, const char *key, uint64_t hash) {
    put_key(line, key);
    if (hash)
        pyr_buf_printf(line, "\"%016llx\"", (unsigned long long)hash);
    else
        pyr_buf_puts(line, "null");
}

static void put_line(struct log *log, const struct pending *pending) {
    const struct pyr_request *record = &pending->record;
    struct pyr_buf *line = &log->line;
    bool usage = record->flags & PYR_REQUEST_USAGE;
    pyr_buf_clear(line);
    pyr_buf_putc(line, '{');
    put_number(line, "request", record->ordinal);
    put_key(line, "case");
    pyr_quote_json(line,
                   record->case_index < log->case_count ? log->cases[record->case_index].id : NULL);
    put_number(line, "phase", record->phase);
    put_number(line, "user", record->user);
    put_number(line, "prompt_class", record->prompt_class);
    put_number(line, "worker", record->worker);
    put_number(line, "session", record->session);
    put_key(line, "outcome");
    pyr_quote_json(line, pyr_outcome_name((enum pyr_outcome)record->outcome));
    put_flags(line, record->flags);
    put_known(line, "http_status", record->http_status, record->http_status != 0);
    put_stamps(line, record);
    put_number(line, "prompt_tokens", record->prompt_tokens);
    put_number(line, "asked_tokens", record->asked_tokens);
    put_number(line, "output_tokens", record->output_tokens);
    put_known(line, "usage_prompt_tokens", record->usage_prompt_tokens, usage);
    put_known(line, "usage_output_tokens", record->usage_output_tokens, usage);
    put_known(line, "usage_cached_tokens", record->usage_cached_tokens,
              record->flags & PYR_REQUEST_CACHED);
    put_known(line, "usage_reasoning_tokens", record->usage_reasoning_tokens,
              record->flags & PYR_REQUEST_REASONED);
    put_number(line, "events", record->events);
    put_kinds(line, record->kinds);
    put_number(line, "output_bytes", record->output_bytes);
    put_hash(line, "text_hash", record->text_hash);
    put_hash(line, "prompt_hash", record->prompt_hash);
    put_number(line, "chunks", record->chunks);
    put_part(line, pending, "chunk_ns", PART_TIME);
    put_part(line, pending, "chunk_tokens", PART_TOKENS);
    put_part(line, pending, "chunk_bytes", PART_BYTES);
    put_part(line, pending, "chunk_lag_ns", PART_LAG);
    put_part(line, pending, "chunk_bound_ns", PART_BOUND);
    put_part(line, pending, "chunk_reasoning", PART_REASONING);
    pyr_buf_puts(line, "}\n");
    fwrite(line->data, 1, line->length, log->out);
    log->counts.requests++;
    log->counts.incomplete += pending->chunk_count != record->chunks;
}

/* --- reading --------------------------------------------------------------------------------- */

static void settle(struct log *log, struct pending *pending) {
    if (!pending->known || pending->chunk_count < pending->record.chunks)
        return;
    put_line(log, pending);
    forget(log, pending);
}

static void take_request(struct log *log, const struct pyr_request *record) {
    struct pending *pending = pending_of(log, record->ordinal);
    pending->known = true;
    pending->record = *record;
    settle(log, pending);
}

static void take_chunk(struct log *log, const struct pyr_chunk *raw) {
    struct pending *pending = pending_of(log, raw->ordinal);
    pending->at_ns += raw->gap_ns;
    pending->carried_tokens += raw->tokens;
    pending->carried_bytes += raw->bytes_bits & PYR_CHUNK_BYTES_MAX;
    if (raw->bytes_bits & PYR_CHUNK_CARRY)
        return;
    if (pending->chunk_count == pending->chunk_capacity) {
        pending->chunk_capacity = pending->chunk_capacity ? 2 * pending->chunk_capacity : 16;
        pending->chunks =
            pyr_xrealloc(pending->chunks, pending->chunk_capacity * sizeof *pending->chunks);
    }
    pending->chunks[pending->chunk_count++] =
        (struct chunk){.after_sent_ns = pending->at_ns,
                       .tokens = pending->carried_tokens,
                       .bytes = pending->carried_bytes,
                       .lag_ns = raw->lag_ns,
                       .bound_code = raw->bound_code,
                       .reasoning = raw->bytes_bits & PYR_CHUNK_REASONING};
    pending->carried_tokens = pending->carried_bytes = 0;
    settle(log, pending);
}

static void take_cases(struct log *log, const struct pyr_case *cases, size_t count) {
    for (size_t i = 0; i < count; i++) {
        /* Dense from 0 and written in that order; anything else stays nameless. */
        if (cases[i].index != log->case_count)
            continue;
        log->cases = pyr_xrealloc(log->cases, (log->case_count + 1) * sizeof *log->cases);
        log->cases[log->case_count++] = cases[i];
    }
}

static void take_block(struct log *log, const struct pyr_block *block) {
    if (block->type == PYR_BLOCK_CASES) {
        take_cases(log, block->items, block->count);
    } else if (block->type == PYR_BLOCK_REQUESTS) {
        const struct pyr_request *records = block->items;
        for (size_t i = 0; i < block->count; i++)
            take_request(log, &records[i]);
    } else if (block->type == PYR_BLOCK_CHUNKS) {
        const struct pyr_chunk *chunks = block->items;
        for (size_t i = 0; i < block->count; i++)
            take_chunk(log, &chunks[i]);
    }
}

bool pyr_report_requests_log(const char *run_path, FILE *out,
                             struct pyr_requests_log_counts *counts, struct pyr_err *err) {
    struct pyr_runfile *file;
    if (!pyr_runfile_open(run_path, &file, err))
        return false;
    enum { FIRST_SLOTS = 1024 };
    struct log log = {.out = out, .slot_mask = FIRST_SLOTS - 1};
    log.slots = pyr_xcalloc(FIRST_SLOTS, sizeof *log.slots);
    struct pyr_block block;
    while (!ferror(out) && pyr_runfile_next(file, &block))
        take_block(&log, &block);
    for (size_t i = 0; i <= log.slot_mask; i++) {
        struct pending *pending = log.slots[i];
        if (pending && pending->known)
            put_line(&log, pending);
        else if (pending)
            log.counts.lost_chunks += pending->chunk_count;
        if (pending)
            pyr_free(pending->chunks);
        pyr_free(pending);
    }
    bool ok = fflush(out) == 0 && !ferror(out);
    int cause = errno;
    pyr_free(log.slots);
    pyr_free(log.cases);
    pyr_buf_deinit(&log.line);
    pyr_runfile_close(file);
    if (counts)
        *counts = log.counts;
    return ok || pyr_fail_errno(err, cause, "the requests log cannot be written");
}

bool pyr_report_requests_log_file(const char *run_path, const char *path,
                                  struct pyr_requests_log_counts *counts, struct pyr_err *err) {
    char temporary[PATH_MAX];
    if (snprintf(temporary, sizeof temporary, "%s.tmp.%ld", path, (long)getpid()) >=
        (int)sizeof temporary)
        return pyr_fail(err, PYR_E_IO, "%s: the path is too long", path);
    FILE *out = fopen(temporary, "we");
    if (!out)
        return pyr_fail_errno(err, errno, "%s: cannot be written", path);
    bool ok = pyr_report_requests_log(run_path, out, counts, err);
    if (fclose(out) != 0 && ok)
        ok = pyr_fail_errno(err, errno, "%s: cannot be written", path);
    if (ok && rename(temporary, path) != 0)
        ok = pyr_fail_errno(err, errno, "%s: cannot be written", path);
    if (!ok)
        unlink(temporary);
    return ok;
}
