/* SPDX-License-Identifier: MIT */
#include "codec/delta.h"

#include "base/hash.h"
#include "codec/json_scan.h"

#include <assert.h>
#include <string.h>

enum { TOKENS_MAX = 10000000, FIELDS_KEPT = 4 };

/* Where a text stood, to tell a text that is said twice from two texts. */
enum field {
    IN_CONTENT,
    IN_TEXT,
    IN_REASONING,
    IN_REASONING_CONTENT,
    IN_DETAILS,
    IN_THINKING,
    IN_REFUSAL,
    IN_AUDIO,
    IN_CALL
};

struct place {
    uint8_t kind, field; /* enum pyr_text_kind, enum field */
};

struct seen {
    const char *text;
    size_t bytes;
    struct place place;
};

/* What a walk over one event carries. */
struct walk {
    struct pyr_json_scan scan;
    struct pyr_delta *delta;
    struct pyr_text_sink *sink;
    struct place part; /* of the parts that are being walked */
    /* Of this choice: the first text of each of its fields. */
    struct seen seen[FIELDS_KEPT];
    unsigned seen_count;
    /* The event's only non-empty text, for the layout; texts counts them. */
    const char *text;
    size_t text_bytes;
    uint8_t text_kind;
    uint32_t texts;
    bool odd; /* holds output that the layout cannot say */
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

/* Whether another field of the choice has said the same. */
static bool is_said_twice(struct walk *walk, struct place place) {
    const struct pyr_json_scan *scan = &walk->scan;
    for (unsigned i = 0; i < walk->seen_count; i++) {
        const struct seen *seen = &walk->seen[i];
        if (seen->place.kind == place.kind && seen->place.field != place.field &&
            seen->bytes == scan->text_bytes && memcmp(seen->text, scan->text, seen->bytes) == 0)
            return true;
    }
    if (walk->seen_count < FIELDS_KEPT)
        walk->seen[walk->seen_count++] = (struct seen){scan->text, scan->text_bytes, place};
    return false;
}

static void count_bytes(struct pyr_delta *delta, uint8_t kind, uint32_t bytes) {
    delta->kinds |= kind;
    if (kind == PYR_TEXT_REASONING)
        delta->reasoning_bytes += bytes;
    else if (kind == PYR_TEXT_TOOL_CALL)
        delta->tool_bytes += bytes;
    else if (kind == PYR_TEXT_MEDIA)
        delta->media_bytes += bytes;
    else
        delta->content_bytes += bytes;
}

/* The string that was scanned last. */
static void take_text(struct walk *walk, struct place place) {
    const struct pyr_json_scan *scan = &walk->scan;
    if (!scan->text_bytes)
        return;
    if (is_said_twice(walk, place)) {
        walk->odd = true;
        return;
    }
    walk->texts++;
    walk->text = scan->text;
    walk->text_bytes = scan->text_bytes;
    walk->text_kind = place.kind;
    count_bytes(walk->delta, place.kind,
                feed(walk->sink, scan->text, scan->text_bytes, scan->escaped));
}

/* Audio and images: how much came, not what. */
static void take_media(struct walk *walk) {
    if (!walk->scan.text_bytes)
        return;
    walk->texts++;
    walk->odd = true;
    count_bytes(walk->delta, PYR_TEXT_MEDIA, (uint32_t)walk->scan.text_bytes);
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

/* An object or an array as it stands: arguments that are no string. */
static bool take_raw(struct walk *walk, enum pyr_json_token token, uint8_t kind) {
    const char *from = walk->scan.at - 1;
    if (!pyr_json_scan_skip(&walk->scan, token))
        return false;
    walk->texts++;
    walk->odd = true;
    count_bytes(walk->delta, kind, feed(walk->sink, from, (size_t)(walk->scan.at - from), false));
    return true;
}

/* Of audio and images: the bytes, wherever they stand, and what was spoken. */
static bool walk_media(struct walk *walk, enum pyr_json_token token) {
    struct pyr_json_scan *scan = &walk->scan;
    if (token != PYR_JSON_OBJECT)
        return pyr_json_scan_skip(scan, token);
    bool good = true;
    while (good && next_key(walk, &good)) {
        bool data = pyr_json_scan_is(scan, "data") || pyr_json_scan_is(scan, "url") ||
                    pyr_json_scan_is(scan, "b64_json");
        bool spoken = pyr_json_scan_is(scan, "transcript");
        token = pyr_json_scan_next(scan);
        if (data && token == PYR_JSON_STRING)
            take_media(walk);
        else if (spoken && token == PYR_JSON_STRING)
            take_text(walk, (struct place){PYR_TEXT_CONTENT, IN_AUDIO});
        else
            good = walk_media(walk, token);
    }
    return good;
}

static bool walk_part(struct walk *walk, enum pyr_json_token token);

/* A text, a part with one, or an array of them, of the given kind. */
static bool walk_text(struct walk *walk, enum pyr_json_token token, struct place place) {
    if (token == PYR_JSON_STRING) {
        take_text(walk, place);
        return true;
    }
    struct place before = walk->part;
    walk->part = place;
    bool good =
        token == PYR_JSON_OBJECT ? walk_part(walk, token) : walk_elements(walk, token, walk_part);
    walk->part = before;
    return good;
}

/* What a part calls itself, read ahead: thoughts and pictures have the same keys as an answer. */
static struct place place_of_part(const struct walk *walk) {
    struct walk ahead = *walk;
    struct place place = walk->part;
    bool good = true;
    while (good && next_key(&ahead, &good)) {
        bool type = pyr_json_scan_is(&ahead.scan, "type");
        enum pyr_json_token token = pyr_json_scan_next(&ahead.scan);
        const char *text = ahead.scan.text;
        size_t bytes = ahead.scan.text_bytes;
        good = pyr_json_scan_skip(&ahead.scan, token);
        if (!type || token != PYR_JSON_STRING)
            continue;
        if (memmem(text, bytes, "think", 5) || memmem(text, bytes, "reason", 6))
            place.kind = PYR_TEXT_REASONING;
        else if (memmem(text, bytes, "refusal", 7))
            place.kind = PYR_TEXT_REFUSAL;
        else if (memmem(text, bytes, "image", 5) || memmem(text, bytes, "audio", 5))
            place.kind = PYR_TEXT_MEDIA;
    }
    return place;
}

static bool walk_part(struct walk *walk, enum pyr_json_token token) {
    struct pyr_json_scan *scan = &walk->scan;
    if (token == PYR_JSON_STRING) {
        take_text(walk, walk->part);
        return true;
    }
    if (token != PYR_JSON_OBJECT)
        return pyr_json_scan_skip(scan, token);
    struct place place = place_of_part(walk);
    if (place.kind == PYR_TEXT_MEDIA)
        return walk_media(walk, token);
    bool good = true;
    while (good && next_key(walk, &good)) {
        bool text = pyr_json_scan_is(scan, "text");
        bool thought = pyr_json_scan_is(scan, "thinking") || pyr_json_scan_is(scan, "reasoning") ||
                       pyr_json_scan_is(scan, "summary");
        bool refusal = pyr_json_scan_is(scan, "refusal");
        token = pyr_json_scan_next(scan);
        if (text && token == PYR_JSON_STRING)
            take_text(walk, place);
        else if (thought)
            good = walk_text(walk, token, (struct place){PYR_TEXT_REASONING, place.field});
        else if (refusal && token == PYR_JSON_STRING)
            take_text(walk, (struct place){PYR_TEXT_REFUSAL, place.field});
        else
            good = pyr_json_scan_skip(scan, token);
    }
    return good;
}

/* {"name": ..., "arguments": ...}, of a tool call or of the older function_call. */
static bool walk_function(struct walk *walk, enum pyr_json_token token) {
    struct pyr_json_scan *scan = &walk->scan;
    if (token != PYR_JSON_OBJECT)
        return pyr_json_scan_skip(scan, token);
    bool good = true;
    while (good && next_key(walk, &good)) {
        bool text = pyr_json_scan_is(scan, "name") || pyr_json_scan_is(scan, "arguments") ||
                    pyr_json_scan_is(scan, "input");
        token = pyr_json_scan_next(scan);
        if (text && token == PYR_JSON_STRING)
            take_text(walk, (struct place){PYR_TEXT_TOOL_CALL, IN_CALL});
        else if (text && (token == PYR_JSON_OBJECT || token == PYR_JSON_ARRAY))
            good = take_raw(walk, token, PYR_TEXT_TOOL_CALL);
        else
            good = pyr_json_scan_skip(scan, token);
    }
    return good;
}

static bool walk_call(struct walk *walk, enum pyr_json_token token) {
    struct pyr_json_scan *scan = &walk->scan;
    if (token != PYR_JSON_OBJECT)
        return pyr_json_scan_skip(scan, token);
    walk->delta->tool_call = true;
    bool good = true;
    while (good && next_key(walk, &good)) {
        bool function = pyr_json_scan_is(scan, "function") || pyr_json_scan_is(scan, "custom");
        token = pyr_json_scan_next(scan);
        good = function ? walk_function(walk, token) : pyr_json_scan_skip(scan, token);
    }
    return good;
}

static bool walk_image(struct walk *walk, enum pyr_json_token token) {
    return walk_media(walk, token);
}

/* The fields of a message that hold output. */
static const struct {
    const char *key;
    struct place place;
    walker *elements; /* of an array; NULL: the texts of its parts */
    walker *whole;    /* of an object; NULL: a part */
} outputs[] = {
    {"content", {PYR_TEXT_CONTENT, IN_CONTENT}, NULL, NULL},
    {"reasoning_content", {PYR_TEXT_REASONING, IN_REASONING_CONTENT}, NULL, NULL},
    {"reasoning", {PYR_TEXT_REASONING, IN_REASONING}, NULL, NULL},
    {"tool_calls", {PYR_TEXT_TOOL_CALL, IN_CALL}, walk_call, walk_call},
    {"refusal", {PYR_TEXT_REFUSAL, IN_REFUSAL}, NULL, NULL},
    {"reasoning_details", {PYR_TEXT_REASONING, IN_DETAILS}, NULL, NULL},
    {"thinking", {PYR_TEXT_REASONING, IN_THINKING}, NULL, NULL},
    {"function_call", {PYR_TEXT_TOOL_CALL, IN_CALL}, walk_call, walk_function},
    {"audio", {PYR_TEXT_MEDIA, IN_AUDIO}, walk_image, walk_media},
    {"images", {PYR_TEXT_MEDIA, IN_AUDIO}, walk_image, walk_media},
};
enum { OUTPUTS = sizeof outputs / sizeof *outputs };

static bool walk_output(struct walk *walk, enum pyr_json_token token, int output) {
    bool calls = outputs[output].elements != NULL;
    if (calls && token == PYR_JSON_ARRAY)
        return walk_elements(walk, token, outputs[output].elements);
    if (calls && token == PYR_JSON_OBJECT)
        return outputs[output].whole(walk, token);
    if (token == PYR_JSON_ARRAY || token == PYR_JSON_OBJECT || (!calls && token == PYR_JSON_STRING))
        return walk_text(walk, token, outputs[output].place);
    return pyr_json_scan_skip(&walk->scan, token);
}

static bool walk_message(struct walk *walk, enum pyr_json_token token) {
    struct pyr_json_scan *scan = &walk->scan;
    if (token != PYR_JSON_OBJECT)
        return pyr_json_scan_skip(scan, token);
    bool good = true;
    while (good && next_key(walk, &good)) {
        int output = 0;
        while (output < OUTPUTS && !pyr_json_scan_is(scan, outputs[output].key))
            output++;
        bool role = output == OUTPUTS && pyr_json_scan_is(scan, "role");
        token = pyr_json_scan_next(scan);
        walk->delta->role |= role && token == PYR_JSON_STRING;
        good =
            output < OUTPUTS ? walk_output(walk, token, output) : pyr_json_scan_skip(scan, token);
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
        bool tokens = pyr_json_scan_is(&walk->scan, "content") ||
                      pyr_json_scan_is(&walk->scan, "tokens") ||
                      pyr_json_scan_is(&walk->scan, "refusal");
        token = pyr_json_scan_next(&walk->scan);
        good = tokens ? walk_elements(walk, token, count_element)
                      : pyr_json_scan_skip(&walk->scan, token);
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

/* --- how it ended ----------------------------------------------------------------------------- */

/* Reasons that are no end of an answer but of the server's work on it. */
static const char *const failures[] = {
    "error",    "abort",  "aborted", "cancelled",
    "canceled", "failed", "timeout", "insufficient_system_resource"};

static void take_finish(struct walk *walk) {
    const struct pyr_json_scan *scan = &walk->scan;
    /* Some say "" or "null" in every event. */
    if (!scan->text_bytes || pyr_json_scan_is(scan, "null"))
        return;
    walk->delta->finished = true;
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++)
        walk->delta->failed |= pyr_json_scan_is(scan, failures[i]);
    if (walk->delta->failed && !walk->delta->error_text)
        take_error_text(walk);
}

/* A string; sglang's own is {"type": "length", ...}. */
static bool walk_finish(struct walk *walk, enum pyr_json_token token) {
    struct pyr_json_scan *scan = &walk->scan;
    if (token == PYR_JSON_STRING)
        take_finish(walk);
    if (token != PYR_JSON_OBJECT)
        return pyr_json_scan_skip(scan, token);
    bool good = true;
    while (good && next_key(walk, &good)) {
        bool type = pyr_json_scan_is(scan, "type");
        token = pyr_json_scan_next(scan);
        if (type && token == PYR_JSON_STRING)
            take_finish(walk);
        good = pyr_json_scan_skip(scan, token);
    }
    return good;
}

/* --- usage ------------------------------------------------------------------------------------ */

/* A count of tokens: a whole number, also as "12.0". */
static bool take_count(struct walk *walk, const char *name, uint32_t *out) {
    const struct pyr_json_scan *scan = &walk->scan;
    uint64_t count;
    size_t bytes = scan->text_bytes;
    struct pyr_json_scan whole = *scan;
    if (bytes > 2 && memcmp(scan->text + bytes - 2, ".0", 2) == 0)
        whole.text_bytes -= 2;
    if (pyr_json_scan_count(&whole, &count) && count <= TOKENS_MAX) {
        *out = (uint32_t)count;
        return true;
    }
    walk->delta->bad_count = scan->text;
    walk->delta->bad_count_bytes = bytes;
    walk->delta->bad_count_name = name;
    return false;
}

enum count { COUNT_PROMPT, COUNT_OUTPUT, COUNT_CACHED, COUNT_REASONING };

/* Of usage itself and of its details: the names by which counts are met. */
static const struct {
    const char *name;
    enum count count;
    bool detail; /* stands in the details too */
} counts[] = {
    {"prompt_tokens", COUNT_PROMPT, false},
    {"completion_tokens", COUNT_OUTPUT, false},
    {"input_tokens", COUNT_PROMPT, false},
    {"output_tokens", COUNT_OUTPUT, false},
    {"cached_tokens", COUNT_CACHED, true},
    {"prompt_cache_hit_tokens", COUNT_CACHED, false},
    {"cache_read_input_tokens", COUNT_CACHED, false},
    {"reasoning_tokens", COUNT_REASONING, true},
};
enum { COUNTS = sizeof counts / sizeof *counts };

static void take_usage_count(struct walk *walk, int index) {
    struct pyr_delta *delta = walk->delta;
    uint32_t value;
    if (!take_count(walk, counts[index].name, &value))
        return;
    switch (counts[index].count) {
    case COUNT_PROMPT:
        delta->usage = true;
        delta->usage_prompt_tokens = value;
        return;
    case COUNT_OUTPUT:
        delta->usage = true;
        delta->usage_output_tokens = value;
        return;
    case COUNT_CACHED:
        delta->usage_cached = true;
        delta->usage_cached_tokens = value;
        return;
    case COUNT_REASONING:
        delta->usage_reasoning = true;
        delta->usage_reasoning_tokens = value;
        return;
    }
}

static bool walk_counts(struct walk *walk, enum pyr_json_token token, bool details) {
    struct pyr_json_scan *scan = &walk->scan;
    if (token != PYR_JSON_OBJECT)
        return pyr_json_scan_skip(scan, token);
    bool good = true;
    while (good && next_key(walk, &good)) {
        int index = 0;
        while (index < COUNTS &&
               ((details && !counts[index].detail) || !pyr_json_scan_is(scan, counts[index].name)))
            index++;
        bool deeper = !details && (pyr_json_scan_is(scan, "prompt_tokens_details") ||
                                   pyr_json_scan_is(scan, "completion_tokens_details") ||
                                   pyr_json_scan_is(scan, "input_tokens_details") ||
                                   pyr_json_scan_is(scan, "output_tokens_details"));
        token = pyr_json_scan_next(scan);
        if (deeper) {
            good = walk_counts(walk, token, true);
            continue;
        }
        if (index < COUNTS && token == PYR_JSON_NUMBER)
            take_usage_count(walk, index);
        good = pyr_json_scan_skip(scan, token);
    }
    return good;
}

static bool walk_usage(struct walk *walk, enum pyr_json_token token) {
    return walk_counts(walk, token, false);
}

/* Groq's own object, with its usage in it. */
static bool walk_groq(struct walk *walk, enum pyr_json_token token) {
    struct pyr_json_scan *scan = &walk->scan;
    if (token != PYR_JSON_OBJECT)
        return pyr_json_scan_skip(scan, token);
    bool good = true;
    while (good && next_key(walk, &good)) {
        bool usage = pyr_json_scan_is(scan, "usage"), error = pyr_json_scan_is(scan, "error");
        token = pyr_json_scan_next(scan);
        good = usage   ? walk_usage(walk, token)
               : error ? walk_error(walk, token)
                       : pyr_json_scan_skip(scan, token);
    }
    return good;
}

/* --- the whole event -------------------------------------------------------------------------- */

static bool walk_choice_key(struct walk *walk, bool *second) {
    struct pyr_json_scan *scan = &walk->scan;
    bool whole = pyr_json_scan_is(scan, "message");
    bool message = whole || pyr_json_scan_is(scan, "delta");
    bool text = pyr_json_scan_is(scan, "text"), logprobs = pyr_json_scan_is(scan, "logprobs");
    bool finish = pyr_json_scan_is(scan, "finish_reason"), index = pyr_json_scan_is(scan, "index");
    bool usage = pyr_json_scan_is(scan, "usage"), error = pyr_json_scan_is(scan, "error");
    enum pyr_json_token token = pyr_json_scan_next(scan);
    uint32_t before = walk->texts;
    uint64_t number;
    if (message) {
        bool good = walk_message(walk, token);
        walk->delta->message |= whole && walk->texts > before;
        return good;
    }
    if (logprobs)
        return walk_logprobs(walk, token);
    if (finish)
        return walk_finish(walk, token);
    if (usage)
        return walk_usage(walk, token);
    if (error)
        return walk_error(walk, token);
    if (text && token == PYR_JSON_STRING) {
        take_text(walk, (struct place){PYR_TEXT_CONTENT, IN_TEXT});
        return true;
    }
    if (index && token == PYR_JSON_NUMBER && pyr_json_scan_count(scan, &number))
        *second = number > 0;
    return pyr_json_scan_skip(scan, token);
}

static bool walk_choice(struct walk *walk, enum pyr_json_token token) {
    if (token != PYR_JSON_OBJECT)
        return pyr_json_scan_skip(&walk->scan, token);
    walk->delta->choices = true;
    walk->seen_count = 0;
    uint32_t before = walk->texts;
    bool good = true, second = false;
    while (good && next_key(walk, &good))
        good = walk_choice_key(walk, &second);
    if (walk->texts > before) {
        walk->delta->choice_texts += walk->delta->choice_texts < UINT8_MAX;
        walk->delta->kinds |= second ? PYR_TEXT_CHOICES : 0;
    }
    return good;
}

/* What the keys of the event itself say. */
struct root {
    const char *message; /* a sentence beside no choices */
    size_t message_bytes;
    bool error_object, error_code;
};

static bool walk_root_key(struct walk *walk, struct root *root) {
    struct pyr_json_scan *scan = &walk->scan;
    bool choices = pyr_json_scan_is(scan, "choices"), usage = pyr_json_scan_is(scan, "usage");
    bool error = pyr_json_scan_is(scan, "error"), object = pyr_json_scan_is(scan, "object");
    bool text = pyr_json_scan_is(scan, "message") || pyr_json_scan_is(scan, "detail");
    bool data = pyr_json_scan_is(scan, "data"), groq = pyr_json_scan_is(scan, "x_groq");
    bool code = pyr_json_scan_is(scan, "code") || pyr_json_scan_is(scan, "status");
    enum pyr_json_token token = pyr_json_scan_next(scan);
    uint64_t number;
    walk->delta->embedding |= data && token == PYR_JSON_ARRAY;
    if (choices)
        return walk_elements(walk, token, walk_choice);
    if (usage)
        return walk_usage(walk, token);
    if (error)
        return walk_error(walk, token);
    if (groq)
        return walk_groq(walk, token);
    root->error_object |= object && token == PYR_JSON_STRING && pyr_json_scan_is(scan, "error");
    root->error_code |=
        code && token == PYR_JSON_NUMBER && pyr_json_scan_count(scan, &number) && number >= 400;
    if (text && token == PYR_JSON_STRING) {
        root->message = scan->text;
        root->message_bytes = scan->text_bytes;
    }
    return pyr_json_scan_skip(scan, token);
}

static bool walk_root(struct walk *walk) {
    struct pyr_delta *delta = walk->delta;
    struct root root = {0};
    bool good = true;
    while (good && next_key(walk, &good))
        good = walk_root_key(walk, &root);
    delta->error |= root.error_object || (root.error_code && root.message_bytes && !delta->choices);
    if (good && root.message && !delta->error_text && !delta->choices) {
        delta->error_text = root.message;
        delta->error_text_bytes = root.message_bytes;
    }
    return good && pyr_json_scan_next(&walk->scan) == PYR_JSON_END;
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
    layout->kind = walk->text_kind;
    layout->hidden = walk->text_kind == PYR_TEXT_REASONING || walk->text_kind == PYR_TEXT_TOOL_CALL;
    layout->delta = *walk->delta;
    memcpy(layout->bytes, json, prefix);
    memcpy(layout->bytes + prefix, json + prefix + walk->text_bytes, suffix);
    const struct pyr_delta *delta = walk->delta;
    layout->usual = !delta->finished && !delta->usage && !delta->error && !delta->logprob_tokens &&
                    !delta->message && !memchr(layout->bytes, '\n', prefix + suffix) &&
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
    /* Without a text it is another event. */
    if (text == expected_end)
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
    delta->content_bytes = delta->reasoning_bytes = delta->tool_bytes = 0;
    count_bytes(delta, layout->kind, text_bytes);
    return true;
}

/* What is no JSON object and no mistake either. */
static bool is_mark(const char *json, size_t bytes, enum pyr_delta_kind *kind) {
    static const char blank[] = " \t\r\n";
    while (bytes && memchr(blank, json[bytes - 1], sizeof blank - 1))
        bytes--;
    while (bytes && memchr(blank, *json, sizeof blank - 1)) {
        json++;
        bytes--;
    }
    bool done = bytes == 6 && memcmp(json, "[DONE]", 6) == 0;
    *kind = done ? PYR_DELTA_DONE : PYR_DELTA_EMPTY;
    return done || !bytes || *json == ':' || (bytes == 4 && memcmp(json, "null", 4) == 0);
}

enum pyr_delta_kind pyr_delta_read(struct pyr_delta_layout *layout, const char *json, size_t bytes,
                                   struct pyr_delta *delta, struct pyr_text_sink *sink) {
    if (read_as_remembered(layout, json, bytes, delta, sink))
        return PYR_DELTA_JSON;
    *delta = (struct pyr_delta){0};
    enum pyr_delta_kind kind;
    if (is_mark(json, bytes, &kind))
        return kind;
    struct pyr_text_sink before = *sink;
    struct walk walk = {.delta = delta, .sink = sink};
    pyr_json_scan_init(&walk.scan, json, bytes);
    if (pyr_json_scan_next(&walk.scan) != PYR_JSON_OBJECT || !walk_root(&walk)) {
        *sink = before;
        *delta = (struct pyr_delta){0};
        return PYR_DELTA_BAD;
    }
    if (walk.texts == 1 && !walk.odd && !delta->error_text && !delta->bad_count)
        remember(layout, &walk, json, bytes);
    return PYR_DELTA_JSON;
}
