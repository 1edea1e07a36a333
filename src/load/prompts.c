/* SPDX-License-Identifier: MIT */
#include "load/prompts.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum { FILE_BYTES_MAX = 1 << 30 };

struct list {
    struct pyr_arena *arena;
    struct pyr_file_prompt *items; /* on the heap while it grows */
    size_t count, capacity;
    struct pyr_buf text; /* scratch */
    enum pyr_prompts_use use;
};

static void add(struct list *list, struct pyr_file_prompt prompt) {
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? list->capacity * 2 : 64;
        list->items = pyr_xrealloc(list->items, list->capacity * sizeof *list->items);
    }
    list->items[list->count++] = prompt;
}

static struct pyr_file_prompt text_prompt(struct list *list, const char *text, size_t bytes) {
    return (struct pyr_file_prompt){.text = pyr_arena_strndup(list->arena, text, bytes),
                                    .text_bytes = bytes};
}

/* The text of a message: a string, or OpenAI's array of parts of which the text ones count. */
static void append_content(struct pyr_buf *buf, const json_t *content) {
    if (json_is_string(content))
        pyr_buf_append(buf, json_string_value(content), json_string_length(content));
    size_t i;
    const json_t *part;
    json_array_foreach(content, i, part) {
        const json_t *text = json_object_get(part, "text");
        if (json_is_string(text))
            pyr_buf_append(buf, json_string_value(text), json_string_length(text));
    }
}

static const char *text_of(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static const char *role_of(const json_t *turn) {
    if (json_object_get(turn, "role"))
        return text_of(turn, "role");
    const char *from = text_of(turn, "from");
    if (strcmp(from, "gpt") == 0 || strcmp(from, "chatgpt") == 0 || strcmp(from, "bing") == 0)
        return "assistant";
    return strcmp(from, "system") == 0 ? "system" : strcmp(from, "human") == 0 ? "user" : from;
}

static const json_t *content_of(const json_t *turn) {
    const json_t *content = json_object_get(turn, "content");
    return content ? content : json_object_get(turn, "value");
}

static int append_dumped(const char *bytes, size_t count, void *buf) {
    pyr_buf_append(buf, bytes, count);
    return 0;
}

/* OpenAI's form of the first `count` turns. */
static const char *dump_turns(struct list *list, const json_t *turns, size_t count) {
    json_t *out = json_array();
    for (size_t i = 0; i < count; i++) {
        const json_t *turn = json_array_get(turns, i);
        json_t *message = json_object();
        json_object_set_new(message, "role", json_string(role_of(turn)));
        json_object_set(message, "content", (json_t *)(uintptr_t)content_of(turn));
        json_array_append_new(out, message);
    }
    struct pyr_buf dumped = {0};
    bool ok = json_dump_callback(out, append_dumped, &dumped, JSON_COMPACT) == 0;
    json_decref(out);
    const char *kept =
        ok ? pyr_arena_strndup(list->arena, pyr_buf_text(&dumped), dumped.length) : NULL;
    pyr_buf_deinit(&dumped);
    return kept;
}

static bool is_answer(const json_t *turns, size_t i) {
    return strcmp(role_of(json_array_get(turns, i)), "assistant") == 0;
}

/* The first `count` turns as one prompt; the turn behind them, if there is one, is its answer. */
static bool add_first_turns(struct list *list, const json_t *turns, size_t count, uint32_t turn,
                            uint32_t output_tokens) {
    struct pyr_file_prompt prompt = {.output_tokens = output_tokens, .turn = turn};
    if (count < json_array_size(turns)) {
        pyr_buf_clear(&list->text);
        append_content(&list->text, content_of(json_array_get(turns, count)));
        prompt.answer_bytes = list->text.length;
        prompt.answer =
            pyr_arena_strndup(list->arena, pyr_buf_text(&list->text), list->text.length);
    }
    pyr_buf_clear(&list->text);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            pyr_buf_puts(&list->text, "\n\n");
        append_content(&list->text, content_of(json_array_get(turns, i)));
    }
    if (list->text.length == 0)
        return false;
    prompt.text_bytes = list->text.length;
    prompt.text = pyr_arena_strndup(list->arena, list->text.data, list->text.length);
    prompt.messages_json = dump_turns(list, turns, count);
    add(list, prompt);
    return true;
}

/* A turn ends where an answer follows, or the conversation ends without one. */
static bool add_session(struct list *list, const json_t *turns, uint32_t output_tokens) {
    size_t count = json_array_size(turns);
    uint32_t turn = 0;
    for (size_t i = 0; i < count; i++)
        if (!is_answer(turns, i) && (i + 1 == count || is_answer(turns, i + 1)) &&
            add_first_turns(list, turns, i + 1, turn, output_tokens))
            turn++;
    return true;
}

static bool add_turns(struct list *list, const json_t *turns, uint32_t output_tokens) {
    size_t count = json_array_size(turns);
    for (size_t i = 0; i < count; i++)
        if (!content_of(json_array_get(turns, i)))
            return false;
    if (list->use == PYR_PROMPTS_SESSIONS)
        return add_session(list, turns, output_tokens);
    return add_first_turns(list, turns, count - (count > 1 && is_answer(turns, count - 1)), 0,
                           output_tokens);
}

static bool add_value(struct list *list, const json_t *value) {
    if (json_is_string(value)) {
        if (json_string_length(value) == 0)
            return false;
        add(list, text_prompt(list, json_string_value(value), json_string_length(value)));
        return true;
    }
    const json_t *asked = json_object_get(value, "output_tokens");
    if (!asked)
        asked = json_object_get(value, "max_tokens");
    json_int_t tokens = json_integer_value(asked);
    uint32_t output_tokens = tokens > 0 && tokens < 1 << 20 ? (uint32_t)tokens : 0;
    const json_t *turns = json_object_get(value, "messages");
    if (!turns)
        turns = json_object_get(value, "conversations");
    if (json_is_array(turns))
        return add_turns(list, turns, output_tokens);
    const json_t *text = json_object_get(value, "prompt");
    if (!text)
        text = json_object_get(value, "text");
    if (!json_is_string(text) || json_string_length(text) == 0)
        return false;
    struct pyr_file_prompt prompt =
        text_prompt(list, json_string_value(text), json_string_length(text));
    prompt.output_tokens = output_tokens;
    add(list, prompt);
    return true;
}

static bool not_a_prompt(const char *where, const char *cause, struct pyr_err *err) {
    return pyr_fail(err, PYR_E_INPUT,
                    "%s: no prompt (%s); one is \"text\", {\"prompt\": ...}, "
                    "{\"messages\": [...]} or {\"conversations\": [...]}",
                    where, cause);
}

static bool parse_array(struct list *list, const char *name, const char *bytes, size_t count,
                        struct pyr_err *err) {
    json_error_t error;
    json_t *root = json_loadb(bytes, count, 0, &error);
    if (!root)
        return pyr_fail(err, PYR_E_INPUT, "%s:%d: %s", name, error.line, error.text);
    bool ok = true;
    size_t i;
    json_t *value;
    json_array_foreach(root, i, value) {
        /* Collections hold conversations without a single turn; they are no mistake. */
        const json_t *turns = json_object_get(value, "conversations");
        if (json_is_array(turns) && json_array_size(turns) == 0)
            continue;
        if (ok && !add_value(list, value)) {
            char where[600];
            snprintf(where, sizeof where, "%s: entry %zu", name, i + 1);
            ok = not_a_prompt(where, "no text in it", err);
        }
    }
    json_decref(root);
    return ok;
}

static bool parse_lines(struct list *list, const char *name, const char *bytes, size_t count,
                        bool json, struct pyr_err *err) {
    const char *end = bytes + count;
    for (size_t number = 1; bytes < end; number++) {
        const char *stop = memchr(bytes, '\n', (size_t)(end - bytes));
        size_t length = (size_t)((stop ? stop : end) - bytes);
        const char *line = bytes;
        bytes += length + (stop != NULL);
        while (length > 0 && strchr(" \t\r", line[length - 1]) && line[length - 1])
            length--;
        if (length == 0)
            continue;
        if (!json) {
            if (memchr(line, '\0', length))
                return pyr_fail(err, PYR_E_INPUT, "%s:%zu: not text", name, number);
            add(list, text_prompt(list, line, length));
            continue;
        }
        json_error_t error;
        json_t *value = json_loadb(line, length, JSON_DECODE_ANY, &error);
        bool ok = value && add_value(list, value);
        json_decref(value);
        if (!ok) {
            char where[600];
            snprintf(where, sizeof where, "%s:%zu", name, number);
            return not_a_prompt(where, value ? "no text in it" : error.text, err);
        }
    }
    return true;
}

enum layout { LAYOUT_TEXT, LAYOUT_LINES, LAYOUT_ARRAY };

static bool ends_with(const char *name, const char *end) {
    size_t length = strlen(name), end_length = strlen(end);
    return length >= end_length && strcmp(name + length - end_length, end) == 0;
}

/* The first character at or after `at` that is no white space, NUL at the end. */
static char first_character(const char *bytes, size_t count, size_t *at) {
    while (*at < count &&
           (bytes[*at] == ' ' || bytes[*at] == '\t' || bytes[*at] == '\r' || bytes[*at] == '\n'))
        ++*at;
    return *at < count ? bytes[*at] : '\0';
}

static enum layout layout_of(const char *name, const char *bytes, size_t count) {
    if (ends_with(name, ".txt"))
        return LAYOUT_TEXT;
    bool named = ends_with(name, ".json") || ends_with(name, ".jsonl");
    size_t at = 0;
    char first = first_character(bytes, count, &at);
    if (first == '{')
        return LAYOUT_LINES;
    if (first != '[')
        return named ? LAYOUT_LINES : LAYOUT_TEXT;
    at++;
    char second = first_character(bytes, count, &at);
    return named || second == '{' || second == '"' ? LAYOUT_ARRAY : LAYOUT_TEXT;
}

bool pyr_prompts_parse(struct pyr_arena *arena, const char *name, const char *bytes, size_t count,
                       enum pyr_prompts_use use, struct pyr_file_prompt **prompts,
                       size_t *prompt_count, struct pyr_err *err) {
    struct list list = {.arena = arena, .use = use};
    if (count >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) {
        bytes += 3;
        count -= 3;
    }
    enum layout layout = layout_of(name, bytes, count);
    bool ok = layout == LAYOUT_ARRAY
                  ? parse_array(&list, name, bytes, count, err)
                  : parse_lines(&list, name, bytes, count, layout == LAYOUT_LINES, err);
    if (ok && list.count == 0)
        ok = pyr_fail(err, PYR_E_INPUT, "%s: holds no prompt", name);
    if (ok) {
        *prompts = pyr_arena_array(arena, list.count, sizeof **prompts);
        memcpy(*prompts, list.items, list.count * sizeof **prompts);
        *prompt_count = list.count;
    }
    pyr_buf_deinit(&list.text);
    pyr_free(list.items);
    return ok;
}

bool pyr_prompts_read(struct pyr_arena *arena, const char *path, enum pyr_prompts_use use,
                      struct pyr_file_prompt **prompts, size_t *prompt_count, struct pyr_err *err) {
    struct pyr_buf buf = {0};
    bool ok = pyr_fs_read(NULL, path, FILE_BYTES_MAX, &buf, err) &&
              pyr_prompts_parse(arena, path, pyr_buf_text(&buf), buf.length, use, prompts,
                                prompt_count, err);
    pyr_buf_deinit(&buf);
    return ok;
}
