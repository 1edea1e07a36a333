/* SPDX-License-Identifier: MIT
 *
 * The first requests to a server: when it answers one, and which of the fields that we would send
 * it takes. They ask what the user will ask (temperature, further fields) in four tokens.
 */
#include "base/hash.h"
#include "base/mem.h"
#include "codec/delta.h"
#include "codec/sse.h"
#include "target/http_probe.h"
#include "target/http_words.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { PROBE_TOKENS = 4, HOLD_BYTES = 65536, ROUNDS_MAX = 6, WORDS_KEPT = 4000 };
/* A server that hangs up does it at once: this is for one that waits for a processor. */
#define LINGER_NS (100 * PYR_NS_PER_MS)
/* A large model may take so long to its first answer. */
#define FIRST_ANSWER_NS (60 * PYR_NS_PER_S)
/* Nobody said how long to wait: so long for what may also be a wrong path. */
#define PATIENCE_404_NS (60 * PYR_NS_PER_S)

/* Plain words as prompts are made of: how a text begins decides whether it melts into a template.
 */
const char pyr_http_probe_prompt[] = "count one two three";

/* --- one request ------------------------------------------------------------------------------ */

static void read_event(const char *json, size_t bytes, struct pyr_http_verdict *verdict) {
    struct pyr_delta_layout layout = {0};
    struct pyr_text_sink sink = {.hash = PYR_FNV1A64_INIT};
    struct pyr_delta delta;
    if (pyr_delta_read(&layout, json, bytes, &delta, &sink) != PYR_DELTA_JSON)
        return;
    bool output = pyr_delta_output_bytes(&delta) > 0;
    verdict->error |= delta.error || delta.failed;
    verdict->answered |= output || delta.finished;
    verdict->embedding |= delta.embedding;
    if (delta.usage && delta.usage_output_tokens) {
        verdict->usage = true;
        verdict->tokens = delta.usage_output_tokens;
    } else if (!verdict->usage && output) {
        verdict->tokens++;
    }
    if (delta.usage && delta.usage_prompt_tokens)
        verdict->prompt_tokens = delta.usage_prompt_tokens;
    if (delta.error_text)
        pyr_http_words_decoded(delta.error_text, delta.error_text_bytes, verdict->message,
                               sizeof verdict->message);
}

static void read_events(const char *text, size_t bytes, struct pyr_http_verdict *verdict) {
    char *hold = pyr_xcalloc(1, HOLD_BYTES);
    struct pyr_sse sse;
    pyr_sse_init(&sse, hold, HOLD_BYTES);
    pyr_sse_feed(&sse, text, bytes);
    while (pyr_sse_next(&sse) == PYR_SSE_EVENT || pyr_sse_finish(&sse) == PYR_SSE_EVENT) {
        read_event(sse.data, sse.data_bytes, verdict);
        verdict->error |= strcmp(sse.name, "error") == 0;
    }
    pyr_free(hold);
}

static void read_answer(const struct pyr_fetched *fetched, struct pyr_http_verdict *verdict) {
    verdict->status = fetched->status;
    verdict->hung_up = fetched->hung_up;
    const char *text = pyr_buf_text(&fetched->body);
    size_t bytes = fetched->body.length;
    if (strncasecmp(fetched->content_type, "text/event-stream", 17) == 0) {
        read_events(text, bytes, verdict);
    } else {
        read_event(text, bytes, verdict);
        if (!verdict->message[0])
            pyr_http_words_body(text, bytes, verdict->message, sizeof verdict->message);
    }
    pyr_buf_clear(&verdict->body);
    if (fetched->status != 200 || verdict->error)
        pyr_buf_append(&verdict->body, text, bytes < WORDS_KEPT ? bytes : WORDS_KEPT);
}

static void forget(struct pyr_http_verdict *verdict) {
    struct pyr_buf body = verdict->body;
    pyr_buf_clear(&body);
    *verdict = (struct pyr_http_verdict){.body = body};
}

bool pyr_http_try(struct http_target *target, unsigned endpoint, const char *text, size_t bytes,
                  struct pyr_http_verdict *verdict, struct pyr_err *err) {
    struct pyr_slot slot = {.prompt = {.text = text, .text_bytes = bytes},
                            .output_tokens = PROBE_TOKENS,
                            .exact_output = true,
                            .temperature = target->options.temperature,
                            .seed = 1};
    struct pyr_http_writer writer;
    struct pyr_buf request = {0};
    pyr_http_writer_prepare(target);
    pyr_http_writer_init(&writer, target, endpoint, &slot);
    char piece[512];
    for (size_t count; (count = pyr_http_writer_fill(&writer, piece, sizeof piece)) > 0;)
        pyr_buf_append(&request, piece, count);
    char path[512];
    snprintf(path, sizeof path, "%s%s", target->base_paths[endpoint],
             pyr_http_api_path(target->options.api));
    struct pyr_fetched fetched = {0};
    forget(verdict);
    uint64_t limit_ns = target->options.answer_timeout_ns;
    const struct pyr_fetch fetch = {.path = path,
                                    .body = strstr(pyr_buf_text(&request), "\r\n\r\n") + 4,
                                    .linger_ns = LINGER_NS,
                                    .timeout_ns = limit_ns ? limit_ns : FIRST_ANSWER_NS};
    bool there = pyr_http_post(target, endpoint, &fetch, &fetched, err);
    verdict->failure = fetched.failure;
    bool good = there && pyr_http_check_answer(target, endpoint, path, &fetched, err);
    if (good)
        read_answer(&fetched, verdict);
    verdict->answered |= verdict->embedding && target->options.api == PYR_HTTP_EMBEDDINGS;
    pyr_buf_deinit(&fetched.body);
    pyr_buf_deinit(&request);
    return good;
}

void pyr_http_verdict_free(struct pyr_http_verdict *verdict) {
    pyr_buf_deinit(&verdict->body);
}

/* --- which fields it takes -------------------------------------------------------------------- */

enum step {
    STEP_TAKEN,
    STEP_REFUSED, /* perhaps because of a field */
    STEP_BUSY,    /* not now, or not here */
    STEP_BROKEN   /* no answer, or none of which a measurement can be made: err says why */
};

struct search {
    struct http_target *target;
    struct pyr_http_verdict verdict;
    bool refused[PYR_HTTP_FIELDS], max_refused;
    bool named_max; /* the user chose its name */
};

static enum step ask(struct search *s, struct pyr_err *err) {
    const struct pyr_http_verdict *verdict = &s->verdict;
    const char *text = pyr_http_probe_prompt;
    if (!pyr_http_try(s->target, 0, text, strlen(text), &s->verdict, err))
        return STEP_BROKEN;
    if (verdict->status == 200)
        return verdict->error && !verdict->tokens ? STEP_REFUSED : STEP_TAKEN;
    /* A proxy may say 500 for what the server behind it refuses. */
    return verdict->status == 400 || verdict->status == 422 || verdict->status == 500 ? STEP_REFUSED
                                                                                      : STEP_BUSY;
}

/* As a word of its own. */
static bool names(const struct pyr_buf *body, const char *field) {
    const char *text = pyr_buf_text(body);
    size_t length = strlen(field);
    for (const char *at = text; (at = strstr(at, field)); at += length) {
        unsigned char before = at > text ? (unsigned char)at[-1] : ' ';
        unsigned char behind = (unsigned char)at[length];
        if (!isalnum(before) && before != '_' && !isalnum(behind) && behind != '_')
            return true;
    }
    return false;
}

static bool is_free(const struct search *s, int field) {
    return s->target->options.choice[field] == PYR_HTTP_FIELD_FOUND;
}

static const char *other_max(const struct search *s) {
    bool plain = strcmp(s->target->options.max_tokens_field, "max_tokens") == 0;
    return plain ? "max_completion_tokens" : "max_tokens";
}

static void set_max(struct search *s, const char *name) {
    snprintf(s->target->options.max_tokens_field, sizeof s->target->options.max_tokens_field, "%s",
             name);
}

static bool may_rename_max(const struct search *s) {
    return !s->named_max && !s->max_refused;
}

/* Leaves out what the refusal names; dropped says what. False when it names nothing of ours. */
static bool drop_named(struct search *s, bool dropped[PYR_HTTP_FIELDS]) {
    struct pyr_http_options *options = &s->target->options;
    bool any = false;
    for (int i = 0; i < PYR_HTTP_FIELDS; i++) {
        dropped[i] =
            options->sends[i] && is_free(s, i) && names(&s->verdict.body, pyr_http_field_names[i]);
        options->sends[i] &= !dropped[i];
        any |= dropped[i];
    }
    if (may_rename_max(s) && names(&s->verdict.body, options->max_tokens_field)) {
        s->max_refused = any = true;
        set_max(s, other_max(s));
    }
    return any;
}

/* Each of the fields by itself: kept where the server takes it. */
static enum step try_each(struct search *s, const bool fields[PYR_HTTP_FIELDS],
                          struct pyr_err *err) {
    struct pyr_http_options *options = &s->target->options;
    for (int i = 0; i < PYR_HTTP_FIELDS; i++) {
        if (!fields[i])
            continue;
        struct search one = *s;
        one.verdict = (struct pyr_http_verdict){0};
        options->sends[i] = true;
        enum step step = ask(&one, err);
        if (step == STEP_TAKEN) {
            pyr_http_verdict_free(&s->verdict);
            s->verdict = one.verdict;
            continue;
        }
        pyr_http_verdict_free(&one.verdict);
        if (step == STEP_BROKEN)
            return step;
        options->sends[i] = false;
        s->refused[i] = true;
    }
    return STEP_TAKEN;
}

/* What no refusal named: the plainest request, and then each field for itself. */
static enum step search_from_plain(struct search *s, struct pyr_err *err) {
    struct pyr_http_options *options = &s->target->options;
    bool dropped[PYR_HTTP_FIELDS];
    for (int i = 0; i < PYR_HTTP_FIELDS; i++) {
        dropped[i] = options->sends[i] && is_free(s, i);
        options->sends[i] &= !dropped[i];
    }
    enum step step = ask(s, err);
    if (step == STEP_REFUSED && may_rename_max(s)) {
        struct search again = *s;
        again.verdict = (struct pyr_http_verdict){0};
        set_max(s, other_max(s));
        enum step renamed = ask(&again, err);
        if (renamed == STEP_TAKEN) {
            pyr_http_verdict_free(&s->verdict);
            s->verdict = again.verdict;
            s->max_refused = true;
            step = renamed;
        } else {
            /* The words of the first are of more use: it was the usual request. */
            pyr_http_verdict_free(&again.verdict);
            set_max(s, other_max(s));
            step = renamed == STEP_BROKEN ? renamed : step;
        }
    }
    return step == STEP_TAKEN ? try_each(s, dropped, err) : step;
}

static void begin(struct search *s) {
    struct pyr_http_options *options = &s->target->options;
    for (int i = 0; i < PYR_HTTP_FIELDS; i++) {
        options->sends[i] = options->choice[i] != PYR_HTTP_FIELD_OFF;
        s->refused[i] = false;
    }
    s->max_refused = false;
    if (!s->named_max)
        set_max(s, "max_tokens");
}

static enum step search(struct search *s, struct pyr_err *err) {
    begin(s);
    bool doubted[PYR_HTTP_FIELDS] = {false}, any_doubt = false;
    for (int round = 0; round < ROUNDS_MAX; round++) {
        bool dropped[PYR_HTTP_FIELDS];
        enum step step = ask(s, err);
        if (step == STEP_TAKEN)
            return any_doubt ? try_each(s, doubted, err) : step;
        if (step != STEP_REFUSED)
            return step;
        if (!drop_named(s, dropped))
            break;
        /* A refusal that names one field means it; one that names several may just repeat the
         * request. */
        int count = 0;
        for (int i = 0; i < PYR_HTTP_FIELDS; i++)
            count += dropped[i];
        for (int i = 0; i < PYR_HTTP_FIELDS; i++) {
            s->refused[i] |= dropped[i] && count == 1;
            doubted[i] |= dropped[i] && count > 1;
            any_doubt |= doubted[i];
        }
    }
    return search_from_plain(s, err);
}

/* --- what is said of it ----------------------------------------------------------------------- */

static void add_name(char *text, size_t size, const char *name) {
    size_t used = strlen(text);
    snprintf(text + used, size - used, "%s%s", used ? " and " : "", name);
}

static void note_exactness(const struct search *s) {
    struct http_target *target = s->target;
    const struct pyr_http_options *options = &target->options;
    char sent[64] = "", left[64] = "", text[300];
    for (int i = PYR_HTTP_IGNORE_EOS; i <= PYR_HTTP_MIN_TOKENS; i++)
        add_name(options->sends[i] ? sent : left, sizeof sent, pyr_http_field_names[i]);
    bool exact = sent[0] && s->verdict.tokens == PROBE_TOKENS;
    bool refused = s->refused[PYR_HTTP_IGNORE_EOS] || s->refused[PYR_HTTP_MIN_TOKENS];
    if (!sent[0])
        snprintf(text, sizeof text, "%s %s: outputs may end before the asked length.",
                 refused ? "The server refuses" : "Left out as asked:", left);
    else if (exact)
        snprintf(text, sizeof text, "Exact output lengths: by %s (asked %d tokens, got %u).", sent,
                 PROBE_TOKENS, s->verdict.tokens);
    else
        snprintf(text, sizeof text,
                 "%s is accepted but not honoured (asked %d tokens, got %u): outputs may end "
                 "before the asked length.",
                 sent, PROBE_TOKENS, s->verdict.tokens);
    pyr_http_add_line(exact ? &target->notes : &target->cautions, text);
    if (sent[0] && refused) {
        snprintf(text, sizeof text, "The server refuses %s: it is left out.", left);
        pyr_http_add_line(&target->notes, text);
    }
}

static void note_dialect(const struct search *s) {
    struct http_target *target = s->target;
    const struct pyr_http_options *options = &target->options;
    char text[200];
    note_exactness(s);
    if (s->refused[PYR_HTTP_SEED])
        pyr_http_add_line(&target->notes, "The server refuses seed: it is left out, and answers at "
                                          "a temperature above 0 differ from run to run.");
    if (s->refused[PYR_HTTP_STREAM_OPTIONS])
        pyr_http_add_line(&target->notes, "The server refuses stream_options: it is left out.");
    if (s->max_refused) {
        snprintf(text, sizeof text, "The server refuses %s: %s is sent.", other_max(s),
                 options->max_tokens_field);
        pyr_http_add_line(&target->notes, text);
    }
    for (int i = 0; i < PYR_HTTP_FIELDS; i++)
        if (options->choice[i] == PYR_HTTP_FIELD_OFF && i > PYR_HTTP_MIN_TOKENS) {
            snprintf(text, sizeof text, "Left out as asked: %s.", pyr_http_field_names[i]);
            pyr_http_add_line(&target->notes, text);
        }
    if (options->stream && !s->verdict.usage)
        pyr_http_add_line(&target->cautions,
                          "The server reports no token counts for a stream: output tokens are the "
                          "events with text.");
    if (s->verdict.hung_up)
        pyr_http_add_line(&target->notes,
                          "The server closes the connection after each answer, although it says "
                          "that it would keep it: every request has one of its own.");
}

/* --- until it answers ------------------------------------------------------------------------- */

static bool is_waiting(const struct http_target *target, uint64_t waited_ns, unsigned status) {
    uint64_t limit_ns = target->options.wait_ready_ns;
    bool perhaps_wrong = status == 404 && target->options.wait_is_usual;
    if (perhaps_wrong && limit_ns > PATIENCE_404_NS)
        limit_ns = PATIENCE_404_NS;
    return waited_ns < limit_ns;
}

/* Whether what came may be a server's that is not ready yet. */
static bool may_be_starting(enum step step, const struct pyr_http_verdict *verdict) {
    if (step == STEP_BROKEN)
        return verdict->failure == PYR_CONN_REFUSED || verdict->failure == PYR_CONN_RESET ||
               verdict->failure == PYR_CONN_TIMEOUT;
    if (step == STEP_TAKEN)
        return !verdict->answered;
    return verdict->status == 404 || verdict->status == 425 || verdict->status == 424 ||
           verdict->status / 100 == 5 || verdict->error;
}

static void note_ready(struct http_target *target) {
    char text[100];
    snprintf(text, sizeof text,
             target->launched.pid
                 ? "The server was launched for this run and answered a request after %.3g s."
                 : "The server answered a request after %.3g s of waiting.",
             (double)target->ready_ns / 1e9);
    pyr_http_add_line(&target->notes, text);
}

static bool rest(const struct http_target *target, struct pyr_err *err) {
    struct timespec pause = {.tv_nsec = target->launched.pid ? 50000000 : 250000000};
    return nanosleep(&pause, NULL) == 0 ||
           pyr_fail(err, PYR_E_INTERRUPTED, "%s: ended by a signal while waiting for the server",
                    target->endpoints[0].text);
}

/* The search, again and again until the server is ready; what came last is in *step. */
static bool search_until_ready(struct search *s, enum step *step, struct pyr_err *err) {
    struct http_target *target = s->target;
    bool waits = target->options.wait_ready_ns > 0;
    uint64_t start_ns = target->wait_start_ns;
    target->ready_ns = 0;
    for (bool first = true;; first = false) {
        char how[300];
        *step = search(s, err);
        uint64_t waited_ns = waits ? pyr_clock_real_ns() - start_ns : 0;
        if (*step == STEP_TAKEN && s->verdict.answered && waits) {
            target->ready_ns = waited_ns;
            if (target->launched.pid || !first)
                note_ready(target);
        }
        if (!waits || !may_be_starting(*step, &s->verdict) ||
            !is_waiting(target, waited_ns, s->verdict.status))
            return true;
        if (target->launched.pid && !pyr_launch_is_alive(&target->launched, how, sizeof how))
            return pyr_fail(err, PYR_E_IO, "the launched server ended before it was ready, %s",
                            how);
        if (!rest(target, err))
            return false;
    }
}

/* --- all of it -------------------------------------------------------------------------------- */

static bool fail_not_ready(const struct search *s, struct pyr_err *err) {
    const struct http_target *target = s->target;
    const struct pyr_http_verdict *verdict = &s->verdict;
    char words[200] = "";
    if (target->launched.pid)
        pyr_launch_last_words(&target->launched, words, sizeof words);
    return pyr_fail(err, PYR_E_IO,
                    "%s: the server lists its models but has answered no request within %.3g s "
                    "(HTTP %u%s%s; --wait-ready TIME waits longer)%s%s",
                    target->endpoints[0].text, (double)target->options.wait_ready_ns / 1e9,
                    verdict->status, verdict->message[0] ? ": " : "", verdict->message,
                    words[0] ? "; its last words: " : "", words);
}

static bool fail_unlisted(const struct http_target *target, unsigned endpoint,
                          const struct pyr_http_verdict *verdict, struct pyr_err *err) {
    return pyr_fail(err, PYR_E_INPUT,
                    "%s: model %s is not served here (HTTP %u%s%s); this server has: %s",
                    target->endpoints[endpoint].text, target->options.model, verdict->status,
                    verdict->message[0] ? ": " : "", verdict->message, target->unlisted[endpoint]);
}

static bool fail_refused(const struct search *s, struct pyr_err *err) {
    const struct http_target *target = s->target;
    const struct pyr_http_verdict *verdict = &s->verdict;
    const char *where = target->endpoints[0].text, *path = pyr_http_api_path(target->options.api);
    const char *colon = verdict->message[0] ? ": " : "";
    if (target->unlisted[0][0])
        return fail_unlisted(target, 0, verdict, err);
    bool elsewhere = verdict->status == 404 || verdict->status == 405 || verdict->status == 501;
    return pyr_fail(err, PYR_E_INPUT, "%s%s: the server refuses a plain request (HTTP %u%s%s)%s%s",
                    where, path, verdict->status, colon, verdict->message,
                    elsewhere ? "; has it another API? --endpoint " : "",
                    !elsewhere                             ? ""
                    : target->options.api == PYR_HTTP_CHAT ? "completions or embeddings"
                                                           : "chat or embeddings");
}

/* One request to each of the others, in the dialect of the first. */
static bool ask_others(const struct search *s, struct pyr_err *err) {
    struct http_target *target = s->target;
    const char *text = pyr_http_probe_prompt;
    bool good = true;
    for (unsigned i = 1; i < target->endpoint_count && good; i++) {
        struct pyr_http_verdict verdict = {0};
        good = pyr_http_try(target, i, text, strlen(text), &verdict, err) ||
               pyr_err_prefix(err, "first request");
        bool busy = verdict.status == 429 || verdict.status / 100 == 5;
        bool refused = !busy && (verdict.status != 200 || !verdict.answered);
        if (good && refused && target->unlisted[i][0])
            good = fail_unlisted(target, i, &verdict, err);
        else if (good && refused)
            good = pyr_fail(err, PYR_E_INPUT, "%s: the server refuses a request (HTTP %u%s%s)",
                            target->endpoints[i].text, verdict.status,
                            verdict.message[0] ? ": " : "", verdict.message);
        pyr_http_verdict_free(&verdict);
    }
    return good;
}

static bool conclude(struct search *s, enum step step, struct pyr_err *err) {
    struct http_target *target = s->target;
    const struct pyr_http_verdict *verdict = &s->verdict;
    if (step == STEP_BROKEN)
        return pyr_err_prefix(err, "first request");
    bool waits = target->options.wait_ready_ns > 0;
    if (step != STEP_TAKEN && waits && may_be_starting(step, verdict) && verdict->status != 404)
        return fail_not_ready(s, err);
    if (step == STEP_TAKEN) {
        target->options.hangs_up = verdict->hung_up;
        if (target->options.api != PYR_HTTP_EMBEDDINGS)
            note_dialect(s);
        return ask_others(s, err);
    }
    if (verdict->status == 429 || verdict->status >= 500 || verdict->status == 200) {
        begin(s);
        pyr_http_add_line(
            &target->cautions,
            "The server was busy or failing when it was asked for its dialect: nothing is "
            "known about exact output lengths.");
        return true;
    }
    return fail_refused(s, err);
}

bool pyr_http_find_dialect(struct http_target *target, uint32_t *prompt_tokens,
                           struct pyr_err *err) {
    struct search s = {.target = target, .named_max = target->options.max_tokens_field[0] != '\0'};
    enum step step;
    bool good = search_until_ready(&s, &step, err) && conclude(&s, step, err);
    *prompt_tokens = good ? s.verdict.prompt_tokens : 0;
    pyr_http_verdict_free(&s.verdict);
    return good;
}

bool pyr_http_probe(struct http_target *target, struct pyr_err *err) {
    struct pyr_http_options *options = &target->options;
    if (!pyr_http_find_models(target, err))
        return false;
    uint32_t said = 0;
    if (options->probe || options->wait_ready_ns) {
        if (!pyr_http_find_dialect(target, &said, err))
            return false;
    } else {
        if (!options->max_tokens_field[0])
            memcpy(options->max_tokens_field, "max_tokens", sizeof "max_tokens");
        for (int i = 0; i < PYR_HTTP_FIELDS; i++)
            options->sends[i] = options->choice[i] != PYR_HTTP_FIELD_OFF;
        if (options->api != PYR_HTTP_EMBEDDINGS)
            pyr_http_add_line(
                &target->notes,
                "The server's dialect was not looked for: ignore_eos and min_tokens are sent where "
                "an exact output length is asked.");
    }
    pyr_http_find_tokenizer(target);
    if (options->probe && options->api != PYR_HTTP_EMBEDDINGS)
        pyr_http_find_framing(target, said);
    return true;
}
