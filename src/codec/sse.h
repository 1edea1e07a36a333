/* SPDX-License-Identifier: MIT
 *
 * An incremental scanner of server-sent events (WHATWG HTML, "Server-sent events"): bytes at any
 * split go in, events come out. No I/O, no allocation: an event that lies whole in the bytes given
 * is not copied, one that is split is put together in the caller's `hold`.
 *
 *     pyr_sse_feed(&sse, bytes, count);
 *     while ((result = pyr_sse_next(&sse)) == PYR_SSE_EVENT)
 *         use(sse.data, sse.data_bytes);      // valid until the next call
 *
 * Lines may end in CR, LF or CRLF; a byte order mark at the very start, comments, "id" and "retry"
 * are passed over; several data lines are joined by LF. Two things are taken that the standard
 * knows as unknown fields: "error: ..." is an event called error, and a line that begins with '{'
 * is data (servers that fail forget "data:"). The events found do not depend on how the bytes were
 * split.
 */
#ifndef PYR_CODEC_SSE_H
#define PYR_CODEC_SSE_H

#include <stdbool.h>
#include <stddef.h>

enum pyr_sse_result {
    PYR_SSE_EVENT,   /* sse->data holds one */
    PYR_SSE_MORE,    /* all bytes were taken; feed more */
    PYR_SSE_TOO_LONG /* a line, or the data of an event, exceeds the hold: nothing more will come */
};

struct pyr_sse {
    const char *data; /* of the last event */
    size_t data_bytes;
    char name[16]; /* its "event:" field, cut when longer, "" when there was none */
    /* Private. */
    const char *at, *end;
    char *hold; /* data of the event so far, then the line so far */
    size_t hold_bytes, hold_data, hold_line;
    char next_name[16];
    const char *zero_copy; /* the event's only data line so far, still in the fed bytes */
    size_t zero_copy_bytes;
    bool has_data, skip_lf, started, too_long;
};

/* The hold belongs to the caller and outlives the scanner's use; its size is the limit. */
void pyr_sse_init(struct pyr_sse *sse, char *hold, size_t hold_bytes);
/* The bytes must stay until pyr_sse_next has said MORE or TOO_LONG. */
void pyr_sse_feed(struct pyr_sse *sse, const char *bytes, size_t count);
enum pyr_sse_result pyr_sse_next(struct pyr_sse *sse);
/* Whether bytes of an event that is not over were taken. */
static inline bool pyr_sse_is_within(const struct pyr_sse *sse) {
    return sse->has_data || sse->hold_line > 0;
}
/* Whether the scanner stands between two events: what was fed ended with one, and the next starts
 * with the next byte. Then whole events may be taken past the scanner. */
static inline bool pyr_sse_is_between(const struct pyr_sse *sse) {
    return sse->started && sse->at == sse->end && !sse->has_data && !sse->hold_line &&
           !sse->skip_lf && !sse->next_name[0] && !sse->too_long;
}
/* At the end of the stream: an event whose closing blank line never came, if there is one. (The
 * standard drops it; servers that end after "data: [DONE]" mean it.) */
enum pyr_sse_result pyr_sse_finish(struct pyr_sse *sse);

#endif
