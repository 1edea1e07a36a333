/* SPDX-License-Identifier: MIT */
#include "codec/delta.h"

#include "base/hash.h"
#include "codec/json_scan.h"

#include <assert.h>
#include <string.h>

/* What a walk over one event carries. */
struct walk {
    struct pyr_json_scan scan;
    struct pyr_delta *delta;
    struct pyr_text_sink *sink;
    /* The event's only non-empty text, for the layout; texts counts them. */
    const char *text;
    size_t text_bytes;
    bool text_reasoning;
    uint32_t texts;
};

static uint32_t feed(struct pyr_text_sink *sink, const char *raw, size_t raw_bytes, bool escaped) {
    const char *end = raw + raw_bytes;
    uint64_t before = sink->bytes;
    while (raw < end) {
        char one[4];
        const char *from = escaped ? one : raw;
        size_t count = escaped ? pyr_json_decode_one(&raw, end, one) : raw_bytes;
        raw += escaped ? 0 : raw_bytes;
        sink->hash = pyr_fnv1a64(sink->hash, from, count);
        if (sink->text && sink->bytes < sink->capacity) {
            size_t room = sink->capacity - sink->bytes;
            memcpy(sink->text + sink->bytes, from, count < room ? count : room);
        }
        sink->bytes += count;
    }
    assert(raw == end);
    return (uint32_t)(sink->bytes - before);
}

static void take_text(struct walk *walk, bool reasoning) {
    const struct pyr_json_scan *scan = &walk->scan;
    if (!scan->text_bytes)
        return;
    walk->texts++;
    walk->text = scan->text;
    walk->text_bytes = scan->text_bytes;
    walk->text_reasoning = reasoning;
    uint32_t bytes = feed(walk->sink, scan->text, scan->text_bytes, scan->escaped);
    if (reasoning)
        walk->delta->reasoning_bytes += bytes;
    else
        walk->delta->content_bytes += bytes;
}

/* Every walker below gets the token that began its value and passes over the whole value; false
 * means that the text is not JSON. `each` walks the value of each key, or each element. */
typedef bool walker(struct walk *walk, enum pyr_json_token token);

static bool walk_elements(struct walk *walk, enum pyr_json_token token, walker *each) {
    if (token != PYR_JSON_ARRAY)
        return pyr_json_scan_skip(&walk->scan, token);
    for (;;) {
        token = pyr_json_scan_next(&walk->scan);
        if (token == PYR_JSON_ARRAY_END)
            return true;
        if (!each(walk, token))
            return false;
    }
}

/* The next key of an object: true with the key in the scan, false at its end or when *good turned
 * false. */
static bool next_key(struct walk *walk, bool *good) {
    enum pyr_json_token token = pyr_json_scan_next(&walk->scan);
    *good = token != PYR_JSON_BAD;
    return token == PYR_JSON_KEY;
}

static bool walk_part(struct walk *walk, enum pyr_json_token token) {
    if (token != PYR_JSON_OBJECT)
        return pyr_json_scan_skip(&walk->scan, token);
    bool good = true;
    while (good && next_key(walk, &good)) {
        bool text = pyr_json_scan_is(&walk->scan, "text");
        token = pyr_json_scan_next(&walk->scan);
        if (text && token == PYR_JSON_STRING)
            take_text(walk, false);
        else
            good = pyr_json_scan_skip(&walk->scan, token);
    }
    return good;
}

static bool walk_message(struct walk *walk, enum pyr_json_token token) {
    struct pyr_json_scan *scan = &walk->scan;
    if (token != PYR_JSON_OBJECT)
        return pyr_json_scan_skip(scan, token);
    bool good = true;
    while (good && next_key(walk, &good)) {
        bool content = pyr_json_scan_is(scan, "content");
        bool reasoning =
            pyr_json_scan_is(scan, "reasoning_content") || pyr_json_scan_is(scan, "reasoning");
        bool role = pyr_json_scan_is(scan, "role"), tool = pyr_json_scan_is(scan, "tool_calls");
        token = pyr_json_scan_next(scan);
        if ((content || reasoning) && token == PYR_JSON_STRING) {
            take_text(walk, reasoning);
            continue;
        }
        if (content && token == PYR_JSON_ARRAY) {
            good = walk_elements(walk, token, walk_part);
            continue;
        }
        walk->delta->role |= role && token == PYR_JSON_STRING;
        walk->delta->tool_call |= tool && token == PYR_JSON_ARRAY;
        good = pyr_json_scan_skip(scan, token);
    }
    return good;
}

static bool count_element(struct walk *walk, enum pyr_json_token token) {
    walk->delta->logprob_tokens++;
    return pyr_json_scan_skip(&walk->scan, token);
}

static bool walk_logprobs(struct walk *walk, enum pyr_json_token token) {
    if (token != PYR_JSON_OBJECT)
        return pyr_json_scan_skip(&walk->scan, token);
    bool good = true;
    while (good && next_key(walk, &good)) {
        bool tokens =
            pyr_json_scan_is(&walk->scan, "content") || pyr_json_scan_is(&walk->scan, "tokens");
        token = pyr_json_scan_next(&walk->scan);
        good = tokens ? walk_elements(walk, token, count_element)
                      : pyr_json_scan_skip(&walk->scan, token);
    }
    return good;
}

static bool walk_choice(struct walk *walk, enum pyr_json_token token) {
    struct pyr_json_scan *scan = &walk->scan;
    if (token != PYR_JSON_OBJECT)
        return pyr_json_scan_skip(scan, token);
    walk->delta->choices = true;
    bool good = true;
    while (good && next_key(walk, &good)) {
        bool message = pyr_json_scan_is(scan, "delta") || pyr_json_scan_is(scan, "message");
        bool text = pyr_json_scan_is(scan, "text"), logprobs = pyr_json_scan_is(scan, "logprobs");
        bool finish = pyr_json_scan_is(scan, "finish_reason");
        token = pyr_json_scan_next(scan);
        walk->delta->finished |= finish && token == PYR_JSON_STRING;
        if (message)
            good = walk_message(walk, token);
        else if (logprobs)
            good = walk_logprobs(walk, token);
        else if (text && token == PYR_JSON_STRING)
            take_text(walk, false);
        else
            good = pyr_json_scan_skip(scan, token);
    }
    return good;
}

static bool walk_usage(struct walk *walk, enum pyr_json_token token) {
    struct pyr_json_scan *scan = &walk->scan;
    if (token != PYR_JSON_OBJECT)
        return pyr_json_scan_skip(scan, token);
    bool good = true;
    while (good && next_key(walk, &good)) {
        bool prompt = pyr_json_scan_is(scan, "prompt_tokens");
        bool output = pyr_json_scan_is(scan, "completion_tokens");
        token = pyr_json_scan_next(scan);
        uint64_t count;
        if ((prompt || output) && token == PYR_JSON_NUMBER && pyr_json_scan_count(scan, &count) &&
            count <= UINT32_MAX) {
            walk->delta->usage = true;
            *(prompt ? &walk->delta->usage_prompt_tokens : &walk->delta->usage_output_tokens) =
                (uint32_t)count;
        }
        good = pyr_json_scan_skip(scan, token);
    }
    return good;
}

static void take_error_text(struct walk *walk) {
    walk->delta->error_text = walk->scan.text;
    walk->delta->error_text_bytes = walk->scan.text_bytes;
}

static bool walk_error(struct walk *walk, enum pyr_json_token token) {
    struct pyr_json_scan *scan = &walk->scan;
    if (token == PYR_JSON_NULL || token == PYR_JSON_FALSE)
        return true;
    walk->delta->error = true;
    if (token == PYR_JSON_STRING)
        take_error_text(walk);
    if (token != PYR_JSON_OBJECT)
        return pyr_json_scan_skip(scan, token);
    bool good = true;
    while (good && next_key(walk, &good)) {
        bool message = pyr_json_scan_is(scan, "message");
        token = pyr_json_scan_next(scan);
        if (message && token == PYR_JSON_STRING)
            take_error_text(walk);
        good = pyr_json_scan_skip(scan, token);
    }
    return good;
}

static bool walk_root(struct walk *walk) {
    struct pyr_json_scan *scan = &walk->scan;
    const char *message = NULL;
    size_t message_bytes = 0;
    bool error_object = false, good = true;
    while (good && next_key(walk, &good)) {
        bool choices = pyr_json_scan_is(scan, "choices"), usage = pyr_json_scan_is(scan, "usage");
        bool error = pyr_json_scan_is(scan, "error"), object = pyr_json_scan_is(scan, "object");
        bool text = pyr_json_scan_is(scan, "message") || pyr_json_scan_is(scan, "detail");
        bool data = pyr_json_scan_is(scan, "data");
        enum pyr_json_token token = pyr_json_scan_next(scan);
        walk->delta->embedding |= data && token == PYR_JSON_ARRAY;
        if (choices) {
            good = walk_elements(walk, token, walk_choice);
        } else if (usage) {
            good = walk_usage(walk, token);
        } else if (error) {
            good = walk_error(walk, token);
        } else {
            error_object |= object && token == PYR_JSON_STRING && pyr_json_scan_is(scan, "error");
            if (text && token == PYR_JSON_STRING) {
                message = scan->text;
                message_bytes = scan->text_bytes;
            }
            good = pyr_json_scan_skip(scan, token);
        }
    }
    walk->delta->error |= error_object;
    if (good && message && !walk->delta->error_text && !walk->delta->choices) {
        walk->delta->error_text = message;
        walk->delta->error_text_bytes = message_bytes;
    }
    return good && pyr_json_scan_next(scan) == PYR_JSON_END;
}

/* Remembers where the text stood, when all of the rest fits. */
static void remember(struct pyr_delta_layout *layout, const struct walk *walk, const char *json,
                     size_t bytes) {
    assert(walk->text > json && walk->text + walk->text_bytes < json + bytes);
    size_t prefix = (size_t)(walk->text - json);
    size_t suffix = bytes - prefix - walk->text_bytes;
    if (prefix + suffix > sizeof layout->bytes)
        return;
    layout->prefix_bytes = (uint16_t)prefix;
    layout->suffix_bytes = (uint16_t)suffix;
    layout->reasoning = walk->text_reasoning;
    layout->delta = *walk->delta;
    memcpy(layout->bytes, json, prefix);
    memcpy(layout->bytes + prefix, json + prefix + walk->text_bytes, suffix);
    const struct pyr_delta *delta = walk->delta;
    layout->usual = !delta->finished && !delta->usage && !delta->error && !delta->logprob_tokens &&
                    !memchr(layout->bytes, '\n', prefix + suffix) &&
                    !memchr(layout->bytes, '\r', prefix + suffix);
}

/* An event with the remembered bytes on both sides of a well-formed string is that event with
 * another text, and therefore JSON of the same meaning. */
static bool take_remembered(const struct pyr_delta_layout *layout, const char *json, size_t bytes,
                            struct pyr_text_sink *sink, uint32_t *text_bytes) {
    size_t prefix = layout->prefix_bytes, suffix = layout->suffix_bytes;
    assert(prefix + suffix <= sizeof layout->bytes);
    if (!prefix || bytes < prefix + suffix || memcmp(json, layout->bytes, prefix) != 0 ||
        memcmp(json + bytes - suffix, layout->bytes + prefix, suffix) != 0)
        return false;
    bool escaped;
    const char *text = json + prefix, *expected_end = json + bytes - suffix;
    if (pyr_json_string_end(text, json + bytes, &escaped) != expected_end)
        return false;
    *text_bytes = feed(sink, text, (size_t)(expected_end - text), escaped);
    return true;
}

bool pyr_delta_read_usual(const struct pyr_delta_layout *layout, const char *json, size_t bytes,
                          struct pyr_text_sink *sink, uint32_t *text_bytes) {
    return layout->usual && take_remembered(layout, json, bytes, sink, text_bytes);
}

static bool read_as_remembered(const struct pyr_delta_layout *layout, const char *json,
                               size_t bytes, struct pyr_delta *delta, struct pyr_text_sink *sink) {
    uint32_t text_bytes;
    if (!take_remembered(layout, json, bytes, sink, &text_bytes))
        return false;
    *delta = layout->delta;
    delta->content_bytes = layout->reasoning ? 0 : text_bytes;
    delta->reasoning_bytes = layout->reasoning ? text_bytes : 0;
    return true;
}

static bool is_done(const char *json, size_t bytes) {
    while (bytes && json[bytes - 1] == ' ')
        bytes--;
    return bytes == 6 && memcmp(json, "[DONE]", 6) == 0;
}

enum pyr_delta_kind pyr_delta_read(struct pyr_delta_layout *layout, const char *json, size_t bytes,
                                   struct pyr_delta *delta, struct pyr_text_sink *sink) {
    if (read_as_remembered(layout, json, bytes, delta, sink))
        return PYR_DELTA_JSON;
    *delta = (struct pyr_delta){0};
    if (is_done(json, bytes))
        return PYR_DELTA_DONE;
    struct pyr_text_sink before = *sink;
    struct walk walk = {.delta = delta, .sink = sink};
    pyr_json_scan_init(&walk.scan, json, bytes);
    if (pyr_json_scan_next(&walk.scan) != PYR_JSON_OBJECT || !walk_root(&walk)) {
        *sink = before;
        *delta = (struct pyr_delta){0};
        return PYR_DELTA_BAD;
    }
    if (walk.texts == 1 && !delta->error_text)
        remember(layout, &walk, json, bytes);
    return PYR_DELTA_JSON;
}
