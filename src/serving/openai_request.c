/* SPDX-License-Identifier: MIT */
#include "serving/openai_request.h"

#include "base/buf.h"
#include "base/parse.h"
#include "serving/json_grammar.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { GRAMMARS_BYTES_MAX = 256 << 10 }; /* of all answers to a request */

/* What one parse shares. */
struct parse {
    struct pyr_arena *arena;
    struct pyr_openai_request *request;
    json_t *root;
    struct pyr_err *err;
};

static bool refuse(struct parse *p, const char *field, const char *why) {
    p->request->fault = field;
    return pyr_fail(p->err, PYR_E_INPUT, "%s: %s", field, why);
}

/* The field, NULL when it is absent or null. */
static json_t *field(const struct parse *p, const char *name) {
    json_t *value = json_object_get(p->root, name);
    return json_is_null(value) ? NULL : value;
}

static bool take_bool(struct parse *p, const char *name, bool *flag) {
    json_t *value = field(p, name);
    if (value && !json_is_boolean(value))
        return refuse(p, name, "wants true or false");
    if (value)
        *flag = json_is_true(value);
    return true;
}

static bool take_count(struct parse *p, const char *name, uint32_t least, uint32_t *count) {
    json_t *value = field(p, name);
    if (!value)
        return true;
    json_int_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < (json_int_t)least || number > INT32_MAX)
        return refuse(p, name,
                      least ? "wants a whole number of at least 1"
                            : "wants a whole number of at least 0");
    *count = (uint32_t)number;
    return true;
}

static bool take_real(struct parse *p, const char *name, int least, int most, float *real) {
    json_t *value = field(p, name);
    char why[48];
    if (!value)
        return true;
    double number = json_number_value(value);
    snprintf(why, sizeof why, "wants a number from %d to %d", least, most);
    if (!json_is_number(value) || !(number >= least && number <= most))
        return refuse(p, name, why);
    *real = (float)number;
    return true;
}

/* --- the prompt ------------------------------------------------------------------------------ */

static bool take_text(struct parse *p, const json_t *string) {
    p->request->text_bytes = json_string_length(string);
    p->request->text =
        pyr_arena_strndup(p->arena, json_string_value(string), p->request->text_bytes);
    return true;
}

static bool take_tokens(struct parse *p, const char *name, const json_t *array) {
    size_t count = json_array_size(array);
    int32_t *tokens = pyr_arena_array(p->arena, count, sizeof *tokens);
    for (size_t i = 0; i < count; i++) {
        json_t *one = json_array_get(array, i);
        json_int_t token = json_integer_value(one);
        if (!json_is_integer(one) || token < 0 || token > INT32_MAX)
            return refuse(p, name, "wants a string or a list of token numbers");
        tokens[i] = (int32_t)token;
    }
    p->request->tokens = tokens;
    p->request->token_count = (uint32_t)count;
    return true;
}

/* A string, a list of tokens, or a list with one of either. */
static bool take_prompt(struct parse *p, const char *name) {
    json_t *prompt = field(p, name);
    if (!prompt)
        return refuse(p, name, "is missing");
    if (json_is_array(prompt) && json_array_size(prompt) > 0) {
        json_t *first = json_array_get(prompt, 0);
        if (json_is_string(first) || json_is_array(first)) {
            if (json_array_size(prompt) > 1)
                return refuse(p, name, "holds several prompts; send each as a request of its own");
            prompt = first;
        }
    }
    if (json_is_string(prompt))
        return take_text(p, prompt);
    if (json_is_array(prompt) && json_array_size(prompt) > 0)
        return take_tokens(p, name, prompt);
    return refuse(p, name, "wants a string or a list of token numbers");
}

/* What roles are called by clients, by an engine, and in plain text. */
static const struct role {
    const char *asked, *role, *name;
} roles[] = {{"system", "system", "System"}, {"developer", "system", "System"},
             {"user", "user", "User"},       {"assistant", "assistant", "Assistant"},
             {"tool", "tool", "Tool"},       {"function", "tool", "Tool"}};

static const struct role *find_role(const char *asked) {
    for (size_t i = 0; asked && i < sizeof roles / sizeof *roles; i++)
        if (strcmp(roles[i].asked, asked) == 0)
            return &roles[i];
    return NULL;
}

/* A message's content: a string, or text parts. */
static bool add_content(struct parse *p, json_t *content, struct pyr_buf *text) {
    if (!content || json_is_null(content))
        return true;
    if (json_is_string(content)) {
        pyr_buf_append(text, json_string_value(content), json_string_length(content));
        return true;
    }
    if (!json_is_array(content))
        return refuse(p, "messages", "content wants a string or a list of parts");
    for (size_t i = 0; i < json_array_size(content); i++) {
        json_t *part = json_array_get(content, i);
        json_t *words = json_object_get(part, "text");
        if (!json_is_string(words))
            return refuse(p, "messages", "only parts of text are served");
        pyr_buf_append(text, json_string_value(words), json_string_length(words));
    }
    return true;
}

static bool read_messages(struct parse *p, json_t *list, struct pyr_message *messages,
                          struct pyr_buf *text) {
    size_t count = json_array_size(list);
    for (size_t i = 0; i < count; i++) {
        json_t *message = json_array_get(list, i);
        const struct role *role = find_role(json_string_value(json_object_get(message, "role")));
        if (!role)
            return refuse(p, "messages",
                          "each wants a role: system, developer, user, assistant or tool");
        bool alone = count == 1 && strcmp(role->role, "user") == 0;
        if (!alone)
            pyr_buf_printf(text, "%s: ", role->name);
        size_t begin = text->length;
        if (!add_content(p, json_object_get(message, "content"), text))
            return false;
        if (memchr(pyr_buf_text(text) + begin, '\0', text->length - begin))
            return refuse(p, "messages", "the character U+0000 is not served");
        messages[i].role = role->role;
        messages[i].content =
            pyr_arena_strndup(p->arena, pyr_buf_text(text) + begin, text->length - begin);
        if (!alone)
            pyr_buf_puts(text, i + 1 < count ? "\n" : "\nAssistant:");
    }
    return true;
}

static bool take_messages(struct parse *p) {
    json_t *list = field(p, "messages");
    size_t count = json_array_size(list);
    if (!json_is_array(list) || count == 0)
        return refuse(p, "messages", "wants a list of at least one message");
    struct pyr_message *messages = pyr_arena_array(p->arena, count, sizeof *messages);
    struct pyr_buf text = {0};
    bool ok = read_messages(p, list, messages, &text);
    if (ok) {
        p->request->messages = messages;
        p->request->message_count = count;
        p->request->text_bytes = text.length;
        p->request->text = pyr_arena_strndup(p->arena, pyr_buf_text(&text), text.length);
    }
    pyr_buf_deinit(&text);
    return ok;
}

/* --- the rest -------------------------------------------------------------------------------- */

static bool add_stop(struct parse *p, const json_t *string) {
    size_t bytes = json_string_length(string);
    struct pyr_openai_request *request = p->request;
    if (!json_is_string(string) || bytes == 0 || bytes > PYR_OPENAI_STOP_BYTES_MAX)
        return refuse(p, "stop", "wants strings of 1 to 256 bytes");
    if (request->stop_count == PYR_OPENAI_STOPS_MAX)
        return refuse(p, "stop", "holds more than 16 strings");
    request->stops[request->stop_count++] = (struct pyr_openai_stop){
        .text = pyr_arena_strndup(p->arena, json_string_value(string), bytes), .bytes = bytes};
    return true;
}

static bool take_stops(struct parse *p) {
    json_t *stop = field(p, "stop");
    if (!stop)
        return true;
    if (!json_is_array(stop))
        return add_stop(p, stop);
    for (size_t i = 0; i < json_array_size(stop); i++)
        if (!add_stop(p, json_array_get(stop, i)))
            return false;
    return true;
}

/* {"TOKEN": BIAS, ...} */
static bool take_biases(struct parse *p) {
    static const char why[] = "wants an object of token numbers, each with a number from -100 to "
                              "100";
    json_t *map = field(p, "logit_bias"), *value;
    struct pyr_sampling *sampling = &p->request->sampling;
    const char *name;
    if (!map)
        return true;
    if (!json_is_object(map))
        return refuse(p, "logit_bias", why);
    struct pyr_bias *biases = pyr_arena_array(p->arena, json_object_size(map) + 1, sizeof *biases);
    json_object_foreach(map, name, value) {
        uint64_t token;
        double bias = json_number_value(value);
        if (!pyr_parse_u64(name, &token, NULL) || token > INT32_MAX || !json_is_number(value) ||
            !(bias >= -100 && bias <= 100))
            return refuse(p, "logit_bias", why);
        biases[sampling->bias_count++] = (struct pyr_bias){(int32_t)token, (float)bias};
    }
    sampling->biases = biases;
    return true;
}

static bool take_sampling(struct parse *p) {
    struct pyr_sampling *sampling = &p->request->sampling;
    json_t *seed = field(p, "seed");
    *sampling = (struct pyr_sampling){.temperature = 1}; /* OpenAI's own default */
    if (seed && !json_is_integer(seed))
        return refuse(p, "seed", "wants a whole number of at most 63 bits");
    /* -1 is how some clients say "all". */
    if (json_integer_value(field(p, "top_k")) == -1)
        json_object_del(p->root, "top_k");
    p->request->seeded = seed != NULL;
    sampling->seed = (uint64_t)json_integer_value(seed);
    return take_real(p, "temperature", 0, 2, &sampling->temperature) &&
           take_real(p, "top_p", 0, 1, &sampling->top_p) &&
           take_real(p, "min_p", 0, 1, &sampling->min_p) &&
           take_count(p, "top_k", 0, &sampling->top_k) &&
           take_real(p, "presence_penalty", -2, 2, &sampling->presence) &&
           take_real(p, "frequency_penalty", -2, 2, &sampling->frequency) &&
           take_real(p, "repeat_penalty", 0, 2, &sampling->repetition) &&
           take_real(p, "repetition_penalty", 0, 2, &sampling->repetition) && take_biases(p);
}

/* Whole numbers that were read as reals, as whole numbers again. Takes over `value`. */
static json_t *narrow(json_t *value) {
    const double exact = 9007199254740992; /* 2^53 */
    double real = json_real_value(value);
    if (json_is_real(value) && real == floor(real) && fabs(real) < exact) {
        json_decref(value);
        return json_integer((json_int_t)real);
    }
    for (size_t i = 0; i < json_array_size(value); i++)
        json_array_set_new(value, i, narrow(json_incref(json_array_get(value, i))));
    for (void *at = json_object_iter(value); at; at = json_object_iter_next(value, at))
        json_object_iter_set_new(value, at, narrow(json_incref(json_object_iter_value(at))));
    return value;
}

/* A body with a number that no json_int_t holds: the field that it stands in is to be told. */
static json_t *load_wide(const char *body, size_t bytes, size_t flags, json_error_t *where) {
    json_t *root = json_loadb(body, bytes, flags | JSON_DECODE_INT_AS_REAL, where);
    return root ? narrow(root) : NULL;
}

/* Whether a value asks for what everybody gets: absent, null, false, 0, empty. */
static bool is_nothing(const json_t *value) {
    return !value || json_is_null(value) || json_is_false(value) ||
           (json_is_number(value) && !(fabs(json_number_value(value)) > 0)) ||
           (json_is_array(value) && json_array_size(value) == 0) ||
           (json_is_object(value) && json_object_size(value) == 0) ||
           (json_is_string(value) && json_string_length(value) == 0);
}

/* Chat: logprobs true, and top_logprobs. Completions: logprobs is their number, 0 too. */
static bool take_chances(struct parse *p, enum pyr_openai_api api) {
    bool chat = api == PYR_OPENAI_CHAT, wanted = false;
    json_t *value = field(p, "logprobs");
    uint32_t likeliest = 0;
    if (chat && !take_bool(p, "logprobs", &wanted))
        return false;
    if (!chat && value && !json_is_false(value)) /* as some clients say "none" */
        wanted = true;
    if (!wanted)
        return is_nothing(field(p, "top_logprobs")) ||
               refuse(p, "top_logprobs", "wants logprobs too");
    if (!take_count(p, chat ? "top_logprobs" : "logprobs", 0, &likeliest))
        return false;
    if (likeliest > PYR_OPENAI_CHANCES_MAX)
        return refuse(p, chat ? "top_logprobs" : "logprobs", "wants at most 20");
    p->request->chances = likeliest + 1;
    return true;
}

/* What would change the answer and is not served, beside what asks for nothing (is_nothing) and the
 * number that means the same. */
static const struct unserved {
    const char *name;
    double neutral;
} unserved[] = {{"tools", 0},
                {"functions", 0},
                {"suffix", 0},
                {"audio", 0},
                {"best_of", 1},
                {"use_beam_search", 0},
                {"length_penalty", 1},
                {"typical_p", 1},
                {"tfs_z", 1},
                {"top_a", 0},
                {"mirostat", 0},
                {"dry_multiplier", 0},
                {"xtc_probability", 0},
                {"dynatemp_range", 0},
                {"top_n_sigma", -1},
                {"grammar", 0},
                {"json_schema", 0},
                {"guided_json", 0},
                {"guided_regex", 0},
                {"guided_choice", 0},
                {"guided_grammar", 0},
                {"structured_outputs", 0},
                {"stop_token_ids", 0},
                {"bad_words", 0},
                {"allowed_token_ids", 0},
                {"include_stop_str_in_output", 0},
                {"continue_final_message", 0},
                {"chat_template", 0},
                {"truncate_prompt_tokens", 0},
                {"prompt_logprobs", 0},
                {"lora", 0}};

static bool check_unserved(struct parse *p) {
    for (size_t i = 0; i < sizeof unserved / sizeof *unserved; i++) {
        json_t *value = field(p, unserved[i].name);
        bool neutral =
            json_is_number(value) && !(fabs(json_number_value(value) - unserved[i].neutral) > 0);
        if (!is_nothing(value) && !neutral)
            return refuse(p, unserved[i].name, "is not served here; leave it out");
    }
    return true;
}

/* {"type":"text"}, "json_object", or "json_schema" with json_schema.schema */
static bool take_format(struct parse *p) {
    struct pyr_openai_request *request = p->request;
    json_t *format = field(p, "response_format"), *schema = NULL;
    const char *type = json_string_value(json_object_get(format, "type"));
    if (!format || (type && strcmp(type, "text") == 0))
        return true;
    bool by_schema = type && strcmp(type, "json_schema") == 0;
    if (by_schema)
        schema = json_object_get(json_object_get(format, "json_schema"), "schema");
    else if (!type || strcmp(type, "json_object") != 0)
        return refuse(p, "response_format", "wants the type text, json_object or json_schema");
    if (by_schema && !json_is_object(schema))
        return refuse(p, "response_format", "wants json_schema.schema, an object");
    if (request->ignore_end || request->least_tokens)
        return refuse(p, "response_format", "goes not with ignore_eos and min_tokens");
    struct pyr_buf grammar = {0};
    p->request->fault = "response_format";
    uint32_t alternatives = 0;
    bool ok = pyr_json_grammar(schema, &grammar, &alternatives, p->err);
    /* Each answer is held to a grammar of its own. */
    if (ok && (uint64_t)alternatives * request->choices > PYR_JSON_GRAMMAR_ALTERNATIVES_MAX)
        ok = pyr_fail(p->err, PYR_E_INPUT,
                      "response_format: %u alternatives in each of %u answers are too many; at "
                      "most %d in all are served",
                      alternatives, request->choices, PYR_JSON_GRAMMAR_ALTERNATIVES_MAX);
    if (ok && (uint64_t)grammar.length * request->choices > GRAMMARS_BYTES_MAX)
        ok = pyr_fail(p->err, PYR_E_INPUT,
                      "response_format: the schema is too large for %u answers; ask for fewer",
                      request->choices);
    if (ok) {
        request->grammar = pyr_arena_strndup(p->arena, grammar.data, grammar.length);
        request->fault = NULL;
    }
    pyr_buf_deinit(&grammar);
    return ok;
}

static bool take_echo(struct parse *p, enum pyr_openai_api api) {
    struct pyr_openai_request *request = p->request;
    if (!take_bool(p, "echo", &request->echo))
        return false;
    if (request->echo && api == PYR_OPENAI_CHAT)
        return refuse(p, "echo", "is served for /v1/completions only");
    return !request->echo || !request->chances ||
           refuse(p, "echo", "is not served together with logprobs");
}

static bool take_generation(struct parse *p, enum pyr_openai_api api) {
    struct pyr_openai_request *request = p->request;
    json_t *options = field(p, "stream_options");
    if (options && !json_is_object(options))
        return refuse(p, "stream_options", "wants an object");
    request->include_usage = json_is_true(json_object_get(options, "include_usage"));
    request->special = true;
    request->choices = 1;
    return (api == PYR_OPENAI_CHAT ? take_messages(p) : take_prompt(p, "prompt")) &&
           take_count(p, "max_tokens", 1, &request->output_tokens) &&
           take_count(p, "max_completion_tokens", 1, &request->output_tokens) &&
           take_count(p, "min_tokens", 0, &request->least_tokens) &&
           take_bool(p, "ignore_eos", &request->ignore_end) &&
           take_bool(p, "stream", &request->stream) && take_sampling(p) && take_stops(p) &&
           take_chances(p, api) && take_count(p, "n", 1, &request->choices) && take_echo(p, api) &&
           check_unserved(p) && take_format(p);
}

static bool take_all(struct parse *p, enum pyr_openai_api api) {
    json_t *model = field(p, "model");
    if (!json_is_object(p->root))
        return pyr_fail(p->err, PYR_E_INPUT, "the body is JSON but no object");
    if (model && !json_is_string(model))
        return refuse(p, "model", "wants a string");
    if (model)
        p->request->model = pyr_arena_strdup(p->arena, json_string_value(model));
    if (api != PYR_OPENAI_TOKENIZE)
        return take_generation(p, api);
    p->request->special = !field(p, "content"); /* as the servers that use each name */
    return take_bool(p, "add_special", &p->request->special) &&
           take_bool(p, "add_special_tokens", &p->request->special) &&
           (field(p, "messages") ? take_messages(p)
                                 : take_prompt(p, field(p, "content") ? "content" : "prompt"));
}

bool pyr_openai_request_parse(struct pyr_arena *arena, enum pyr_openai_api api, const char *body,
                              size_t bytes, struct pyr_openai_request *request,
                              struct pyr_err *err) {
    json_error_t where;
    *request = (struct pyr_openai_request){0};
    struct parse p = {.arena = arena, .request = request, .err = err};
    const size_t flags = JSON_DECODE_ANY | JSON_ALLOW_NUL;
    p.root = json_loadb(body, bytes, flags, &where);
    /* Numbers beyond 63 bits are JSON too: as reals they reach the field that cannot take them. */
    if (!p.root && json_error_code(&where) == json_error_numeric_overflow)
        p.root = load_wide(body, bytes, flags, &where);
    if (!p.root)
        return pyr_fail(err, PYR_E_INPUT, "the body is not JSON: %s (line %d, column %d)",
                        where.text, where.line, where.column);
    bool ok = take_all(&p, api);
    json_decref(p.root);
    return ok;
}
