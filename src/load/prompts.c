/* SPDX-License-Identifier: MIT */
#include "load/prompts.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "codec/json_scan.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { FILE_BYTES_MAX = 1 << 30 };

struct list {
    struct pyr_arena *arena;
    struct pyr_file_prompt *items; /* on the heap while it grows */
    size_t count, capacity;
    struct pyr_buf text; /* scratch */
    enum pyr_prompts_use use;
    struct pyr_left_out *left;
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

/* Who speaks, by the names that collections have for them; NULL for one that is unknown. */
static const char *role_of(const json_t *turn) {
    static const struct {
        const char *from, *role;
    } names[] = {
        {"human", "user"},        {"user", "user"},
        {"prompter", "user"},     {"observation", "user"},
        {"tool", "user"},         {"function_response", "user"},
        {"gpt", "assistant"},     {"assistant", "assistant"},
        {"chatgpt", "assistant"}, {"bing", "assistant"},
        {"bard", "assistant"},    {"bot", "assistant"},
        {"chatbot", "assistant"}, {"model", "assistant"},
        {"ai", "assistant"},      {"claude", "assistant"},
        {"gemini", "assistant"},  {"llama", "assistant"},
        {"palm", "assistant"},    {"function_call", "assistant"},
        {"system", "system"},
    };
    if (json_object_get(turn, "role"))
        return text_of(turn, "role");
    const char *from = text_of(turn, "from");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcasecmp(names[i].from, from) == 0)
            return names[i].role;
    return NULL;
}

static const json_t *content_of(const json_t *turn) {
    const json_t *content = json_object_get(turn, "content");
    return content ? content : json_object_get(turn, "value");
}

/* What a turn says, as text: its content, and what it calls. */
static void append_turn(struct pyr_buf *buf, const json_t *turn) {
    append_content(buf, content_of(turn));
    const json_t *calls = json_object_get(turn, "tool_calls"), *call;
    size_t i;
    json_array_foreach(calls, i, call) {
        const json_t *function = json_object_get(call, "function");
        pyr_buf_printf(buf, "%s %s", text_of(function, "name"), text_of(function, "arguments"));
    }
}

/* --- as it stands in the file ----------------------------------------------------------------- */

struct span {
    const char *from;
    size_t bytes;
};

/* The value that `token` begins, to its end. */
static bool span_of(struct pyr_json_scan *scan, enum pyr_json_token token, struct span *span) {
    bool open = token == PYR_JSON_OBJECT || token == PYR_JSON_ARRAY;
    span->from = open ? scan->at - 1 : scan->text;
    bool good = pyr_json_scan_skip(scan, token);
    span->bytes = open ? (size_t)(scan->at - span->from) : scan->text_bytes;
    return good;
}

/* The last value of a key of an object, as a JSON reader takes it. */
static bool find_value(struct span object, const char *key, struct span *value) {
    struct pyr_json_scan scan;
    bool found = false, good = true;
    pyr_json_scan_init(&scan, object.from, object.bytes);
    if (pyr_json_scan_next(&scan) != PYR_JSON_OBJECT)
        return false;
    while (good && pyr_json_scan_next(&scan) == PYR_JSON_KEY) {
        bool wanted = pyr_json_scan_is(&scan, key);
        struct span one;
        good = span_of(&scan, pyr_json_scan_next(&scan), &one);
        if (good && wanted) {
            *value = one;
            found = true;
        }
    }
    return good && found;
}

/* The element of an array, by its place. */
struct elements {
    struct pyr_json_scan scan;
    bool good;
};

static struct elements begin_elements(const char *bytes, size_t count) {
    struct elements elements;
    pyr_json_scan_init(&elements.scan, bytes, count);
    elements.good = pyr_json_scan_next(&elements.scan) == PYR_JSON_ARRAY;
    return elements;
}

static bool next_element(struct elements *elements, struct span *span) {
    if (!elements->good)
        return false;
    enum pyr_json_token token = pyr_json_scan_next(&elements->scan);
    elements->good = token != PYR_JSON_ARRAY_END && span_of(&elements->scan, token, span);
    return elements->good;
}

static int append_dumped(const char *bytes, size_t count, void *buf) {
    pyr_buf_append(buf, bytes, count);
    return 0;
}

/* ShareGPT's turn in OpenAI's form. */
static void put_mapped(struct pyr_buf *out, const json_t *turn) {
    json_t *message = json_object();
    json_object_set_new(message, "role", json_string(role_of(turn)));
    json_object_set(message, "content", (json_t *)(uintptr_t)content_of(turn));
    (void)json_dump_callback(message, append_dumped, out, JSON_COMPACT);
    json_decref(message);
}

/* The first `count` turns as a request holds them. `raw`: the array in the file. */
static const char *write_turns(struct list *list, const json_t *turns, struct span raw,
                               size_t count) {
    struct pyr_buf out = {0};
    struct elements elements = begin_elements(raw.from, raw.bytes);
    pyr_buf_putc(&out, '[');
    for (size_t i = 0; i < count; i++) {
        const json_t *turn = json_array_get(turns, i);
        struct span span;
        bool found = next_element(&elements, &span);
        pyr_buf_puts(&out, i ? "," : "");
        if (found && json_object_get(turn, "role"))
            pyr_buf_append(&out, span.from, span.bytes);
        else
            put_mapped(&out, turn);
    }
    pyr_buf_putc(&out, ']');
    const char *kept = pyr_arena_strndup(list->arena, pyr_buf_text(&out), out.length);
    pyr_buf_deinit(&out);
    return kept;
}

/* --- entries ---------------------------------------------------------------------------------- */

static bool is_answer(const json_t *turns, size_t i) {
    const char *role = role_of(json_array_get(turns, i));
    return role && strcmp(role, "assistant") == 0;
}

/* An entry that is read. */
struct entry {
    const json_t *turns;
    struct span raw; /* of the turns */
    uint32_t output_tokens;
    const char *cause; /* of why it is none */
};

/* The first `count` turns as one prompt; the turn behind them, if there is one, is its answer. */
static void add_first_turns(struct list *list, const struct entry *entry, size_t count,
                            uint32_t turn) {
    struct pyr_file_prompt prompt = {.output_tokens = entry->output_tokens, .turn = turn};
    if (count < json_array_size(entry->turns)) {
        pyr_buf_clear(&list->text);
        append_turn(&list->text, json_array_get(entry->turns, count));
        prompt.answer_bytes = list->text.length;
        prompt.answer =
            pyr_arena_strndup(list->arena, pyr_buf_text(&list->text), list->text.length);
    }
    pyr_buf_clear(&list->text);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            pyr_buf_puts(&list->text, "\n\n");
        append_turn(&list->text, json_array_get(entry->turns, i));
    }
    /* Images alone are a prompt too. */
    if (list->text.length == 0)
        pyr_buf_putc(&list->text, '\n');
    prompt.text_bytes = list->text.length;
    prompt.text = pyr_arena_strndup(list->arena, list->text.data, list->text.length);
    prompt.messages_json = write_turns(list, entry->turns, entry->raw, count);
    add(list, prompt);
}

/* A turn ends where an answer follows, or the conversation ends without one. */
static void add_session(struct list *list, const struct entry *entry) {
    size_t count = json_array_size(entry->turns);
    uint32_t turn = 0;
    for (size_t i = 0; i < count; i++)
        if (!is_answer(entry->turns, i) && (i + 1 == count || is_answer(entry->turns, i + 1)))
            add_first_turns(list, entry, i + 1, turn++);
}

static bool holds_anything(const json_t *content) {
    return json_is_string(content) ? json_string_length(content) > 0 : json_array_size(content) > 0;
}

/* A turn says who speaks, and says or calls something (an answer by calls has null content). */
static bool check_turns(struct entry *entry) {
    size_t i;
    const json_t *turn;
    bool any = false;
    json_array_foreach(entry->turns, i, turn) {
        const json_t *content = content_of(turn);
        if (!role_of(turn)) {
            entry->cause = "a turn of somebody unknown";
            return false;
        }
        if (!content && !json_object_get(turn, "tool_calls") &&
            !json_object_get(turn, "function_call")) {
            entry->cause = "a turn without content";
            return false;
        }
        any |= holds_anything(content) && !(i > 0 && is_answer(entry->turns, i));
    }
    entry->cause = "no text in it";
    return any;
}

static bool add_turns(struct list *list, struct entry *entry) {
    if (!check_turns(entry))
        return false;
    size_t count = json_array_size(entry->turns);
    if (list->use == PYR_PROMPTS_SESSIONS)
        add_session(list, entry);
    else
        add_first_turns(list, entry, count - (count > 1 && is_answer(entry->turns, count - 1)), 0);
    return true;
}

static const json_t *either(const json_t *object, const char *one, const char *other) {
    const json_t *value = json_object_get(object, one);
    return value ? value : json_object_get(object, other);
}

/* `raw`: the value as it stands in the file. False with a cause. */
static bool add_value(struct list *list, const json_t *value, struct span raw, const char **cause) {
    *cause = "no text in it";
    if (json_is_string(value)) {
        if (json_string_length(value) == 0)
            return false;
        add(list, text_prompt(list, json_string_value(value), json_string_length(value)));
        return true;
    }
    const json_t *body = json_object_get(value, "body");
    if (json_is_object(body) && find_value(raw, "body", &raw))
        value = body;
    json_int_t tokens = json_integer_value(either(value, "output_tokens", "max_tokens"));
    uint32_t output_tokens = tokens > 0 && tokens < 1 << 20 ? (uint32_t)tokens : 0;
    struct entry entry = {.turns = either(value, "messages", "conversations"),
                          .output_tokens = output_tokens};
    if (json_is_array(entry.turns)) {
        (void)find_value(raw, json_object_get(value, "messages") ? "messages" : "conversations",
                         &entry.raw);
        bool added = add_turns(list, &entry);
        *cause = entry.cause;
        return added;
    }
    const json_t *text = either(value, "prompt", "text");
    if (!json_is_string(text) || json_string_length(text) == 0)
        return false;
    struct pyr_file_prompt prompt =
        text_prompt(list, json_string_value(text), json_string_length(text));
    prompt.output_tokens = output_tokens;
    add(list, prompt);
    return true;
}

/* Left out, or the end. */
static bool refuse(struct list *list, const char *where, const char *cause, struct pyr_err *err) {
    struct pyr_err one = {0};
    pyr_fail(&one, PYR_E_INPUT,
             "%s: no prompt (%s); one is \"text\", {\"prompt\": ...}, {\"messages\": [...]} or "
             "{\"conversations\": [...]}",
             where, cause);
    return pyr_left_out_add(list->left, &one) || pyr_fail(err, one.code, "%s", one.text);
}

static bool parse_array(struct list *list, const char *name, const char *bytes, size_t count,
                        struct pyr_err *err) {
    json_error_t error;
    json_t *root = json_loadb(bytes, count, 0, &error);
    if (!root)
        return pyr_fail(err, PYR_E_INPUT, "%s:%d: %s", name, error.line, error.text);
    struct elements elements = begin_elements(bytes, count);
    bool ok = true;
    size_t i;
    json_t *value;
    json_array_foreach(root, i, value) {
        struct span raw = {"", 0};
        const char *cause;
        (void)next_element(&elements, &raw);
        /* Collections hold conversations without a single turn; they are no mistake. */
        const json_t *turns = json_object_get(value, "conversations");
        if (!ok || (json_is_array(turns) && json_array_size(turns) == 0))
            continue;
        if (!add_value(list, value, raw, &cause)) {
            char where[600];
            snprintf(where, sizeof where, "%s: entry %zu", name, i + 1);
            ok = refuse(list, where, cause, err);
        }
    }
    json_decref(root);
    return ok;
}

static bool parse_json_line(struct list *list, const char *where, struct span line,
                            struct pyr_err *err) {
    json_error_t error;
    const char *cause = NULL;
    json_t *value = json_loadb(line.from, line.bytes, JSON_DECODE_ANY, &error);
    bool ok = value && add_value(list, value, line, &cause);
    json_decref(value);
    return ok || refuse(list, where, value ? cause : error.text, err);
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
        if (json) {
            char where[600];
            snprintf(where, sizeof where, "%s:%zu", name, number);
            if (!parse_json_line(list, where, (struct span){line, length}, err))
                return false;
            continue;
        }
        if (memchr(line, '\0', length))
            return pyr_fail(err, PYR_E_INPUT, "%s:%zu: not text", name, number);
        add(list, text_prompt(list, line, length));
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
                       size_t *prompt_count, struct pyr_left_out *left, struct pyr_err *err) {
    struct list list = {.arena = arena, .use = use, .left = left};
    if (count >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) {
        bytes += 3;
        count -= 3;
    }
    enum layout layout = layout_of(name, bytes, count);
    bool ok = layout == LAYOUT_ARRAY
                  ? parse_array(&list, name, bytes, count, err)
                  : parse_lines(&list, name, bytes, count, layout == LAYOUT_LINES, err);
    if (ok && list.count == 0)
        ok = pyr_left_out_fail(left, name, "prompt", err);
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
                      struct pyr_file_prompt **prompts, size_t *prompt_count,
                      struct pyr_left_out *left, struct pyr_err *err) {
    struct pyr_buf buf = {0};
    bool ok = pyr_fs_read(NULL, path, FILE_BYTES_MAX, &buf, err) &&
              pyr_prompts_parse(arena, path, pyr_buf_text(&buf), buf.length, use, prompts,
                                prompt_count, left, err);
    pyr_buf_deinit(&buf);
    return ok;
}
