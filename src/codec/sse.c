/* SPDX-License-Identifier: MIT */
#include "codec/sse.h"

#include <assert.h>
#include <string.h>

void pyr_sse_init(struct pyr_sse *sse, char *hold, size_t hold_bytes) {
    *sse = (struct pyr_sse){.hold = hold, .hold_bytes = hold_bytes};
}

void pyr_sse_feed(struct pyr_sse *sse, const char *bytes, size_t count) {
    assert(!sse->zero_copy); /* what was fed before has been taken: it may be gone */
    sse->at = bytes;
    sse->end = bytes + count;
}

static enum pyr_sse_result too_long(struct pyr_sse *sse) {
    sse->too_long = true;
    sse->has_data = false;
    sse->zero_copy = NULL;
    return PYR_SSE_TOO_LONG;
}

/* Moves a data line that still lies in the fed bytes to the hold, which has room by the check that
 * every line passed. The line so far, if any, is none: only whole lines are left in place. */
static void settle(struct pyr_sse *sse) {
    if (!sse->zero_copy)
        return;
    assert(sse->hold_line == 0 && sse->hold_data == 0);
    assert(sse->zero_copy_bytes <= sse->hold_bytes);
    memcpy(sse->hold, sse->zero_copy, sse->zero_copy_bytes);
    sse->hold_data = sse->zero_copy_bytes;
    sse->zero_copy = NULL;
}

static void take_data(struct pyr_sse *sse, const char *value, size_t bytes, bool in_hold) {
    if (!sse->has_data && !in_hold) {
        sse->zero_copy = value;
        sse->zero_copy_bytes = bytes;
    } else {
        settle(sse);
        /* The value may lie in the hold behind the data ("data:" stood between): its own separator
         * never reaches it. */
        size_t at = sse->hold_data + (sse->has_data ? 1 : 0);
        assert(at + bytes <= sse->hold_bytes);
        memmove(sse->hold + at, value, bytes);
        if (sse->has_data)
            sse->hold[sse->hold_data] = '\n';
        sse->hold_data = at + bytes;
    }
    sse->has_data = true;
}

static void keep_name(struct pyr_sse *sse, const char *name, size_t bytes) {
    size_t kept = bytes < sizeof sse->next_name ? bytes : sizeof sse->next_name - 1;
    memcpy(sse->next_name, name, kept);
    sse->next_name[kept] = '\0';
}

static void take_line(struct pyr_sse *sse, const char *line, size_t bytes, bool in_hold) {
    if (*line == '{') { /* never the name of a field: an object whose "data:" was forgotten */
        take_data(sse, line, bytes, in_hold);
        return;
    }
    const char *colon = memchr(line, ':', bytes);
    size_t field = colon ? (size_t)(colon - line) : bytes;
    const char *value = colon ? colon + 1 : line + bytes;
    size_t value_bytes = bytes - (size_t)(value - line);
    if (value_bytes && *value == ' ') {
        value++;
        value_bytes--;
    }
    if (field == 4 && memcmp(line, "data", 4) == 0) {
        take_data(sse, value, value_bytes, in_hold);
    } else if (field == 5 && memcmp(line, "event", 5) == 0) {
        keep_name(sse, value, value_bytes);
    } else if (field == 5 && memcmp(line, "error", 5) == 0) {
        take_data(sse, value, value_bytes, in_hold);
        keep_name(sse, "error", 5);
    }
}

/* A blank line came: true when that makes an event. */
static bool dispatch(struct pyr_sse *sse) {
    bool event = sse->has_data;
    if (event) {
        sse->data = sse->zero_copy ? sse->zero_copy : sse->hold;
        sse->data_bytes = sse->zero_copy ? sse->zero_copy_bytes : sse->hold_data;
        memcpy(sse->name, sse->next_name, sizeof sse->name);
    }
    sse->zero_copy = NULL;
    sse->has_data = false;
    sse->hold_data = 0;
    sse->next_name[0] = '\0';
    return event;
}

/* Bytes of event data that the hold must keep beside a line. */
static size_t data_so_far(const struct pyr_sse *sse) {
    return (sse->zero_copy ? sse->zero_copy_bytes : sse->hold_data) + (sse->has_data ? 1 : 0);
}

static const char *line_end(const char *at, const char *end) {
    const char *lf = memchr(at, '\n', (size_t)(end - at));
    const char *cr = memchr(at, '\r', (size_t)((lf ? lf : end) - at));
    return cr ? cr : lf;
}

/* One whole line, from the hold or in place. True when it ended an event. */
static bool end_line(struct pyr_sse *sse, const char *stop) {
    const char *line = sse->at;
    assert(stop >= line && stop < sse->end);
    size_t bytes = (size_t)(stop - line);
    bool in_hold = sse->hold_line > 0;
    if (in_hold) {
        char *start = sse->hold + sse->hold_data;
        memcpy(start + sse->hold_line, line, bytes);
        line = start;
        bytes += sse->hold_line;
        sse->hold_line = 0;
    }
    sse->skip_lf = *stop == '\r';
    sse->at = stop + 1;
    if (!sse->started) {
        sse->started = true;
        if (bytes >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0) {
            line += 3;
            bytes -= 3;
        }
    }
    if (!bytes)
        return dispatch(sse);
    take_line(sse, line, bytes, in_hold);
    return false;
}

enum pyr_sse_result pyr_sse_next(struct pyr_sse *sse) {
    if (sse->too_long)
        return PYR_SSE_TOO_LONG;
    while (sse->at < sse->end) {
        if (sse->skip_lf) {
            sse->skip_lf = false;
            if (*sse->at == '\n') {
                sse->at++;
                continue;
            }
        }
        const char *stop = line_end(sse->at, sse->end);
        size_t bytes = (size_t)((stop ? stop : sse->end) - sse->at);
        if (data_so_far(sse) + sse->hold_line + bytes > sse->hold_bytes)
            return too_long(sse);
        if (!stop) {
            settle(sse);
            memcpy(sse->hold + sse->hold_data + sse->hold_line, sse->at, bytes);
            sse->hold_line += bytes;
            sse->at = sse->end;
        } else if (end_line(sse, stop)) {
            return PYR_SSE_EVENT;
        }
    }
    settle(sse);
    assert(sse->at == sse->end && sse->hold_data + sse->hold_line <= sse->hold_bytes);
    return PYR_SSE_MORE;
}

enum pyr_sse_result pyr_sse_finish(struct pyr_sse *sse) {
    if (sse->too_long)
        return PYR_SSE_TOO_LONG;
    if (sse->hold_line) {
        size_t bytes = sse->hold_line;
        sse->hold_line = 0;
        take_line(sse, sse->hold + sse->hold_data, bytes, true);
    }
    return dispatch(sse) ? PYR_SSE_EVENT : PYR_SSE_MORE;
}
