/* SPDX-License-Identifier: MIT */
#include "serving/openai_prompt.h"

#include "base/mem.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

static bool refuse(struct pyr_openai_prompt *prompt, unsigned status, const char *param,
                   const char *code) {
    prompt->status = status;
    prompt->param = param;
    prompt->code = code;
    return false;
}

static bool check_model(const struct pyr_openai_source *source, struct pyr_openai_prompt *prompt) {
    const char *model = prompt->request.model;
    if (!model || strcmp(model, source->name) == 0)
        return true;
    pyr_fail(&prompt->why, PYR_E_INPUT, "there is no model %s here; there is %s", model,
             source->name);
    return refuse(prompt, 404, "model", "model_not_found");
}

/* One try; as the engine's own functions. */
static int try_tokenize(const struct pyr_openai_source *source,
                        const struct pyr_openai_request *request, int32_t *tokens, int capacity) {
    const struct pyr_engine *engine = source->engine;
    int made = 0;
    if (request->messages && engine->chat)
        made = engine->chat(source->model, request->messages, request->message_count, tokens,
                            capacity);
    return made != 0 ? made
                     : engine->tokenize(source->model, request->text, request->text_bytes,
                                        request->special, tokens, capacity);
}

static bool check_length(const struct pyr_openai_source *source, struct pyr_openai_prompt *prompt) {
    /* No tokenizer makes fewer tokens than that. */
    size_t longest = source->pieces->longest ? source->pieces->longest : 1;
    size_t bytes = prompt->request.text_bytes;
    if (prompt->api == PYR_OPENAI_TOKENIZE || bytes / longest <= source->context)
        return true;
    pyr_fail(&prompt->why, PYR_E_INPUT,
             "the prompt of %zu bytes does not fit a context of %u tokens; send less", bytes,
             source->context);
    return refuse(prompt, 400, "prompt", "context_length_exceeded");
}

static bool tokenize(const struct pyr_openai_source *source, struct pyr_openai_prompt *prompt) {
    const struct pyr_openai_request *request = &prompt->request;
    prompt->tokens = request->tokens;
    prompt->count = request->token_count;
    if (request->tokens)
        return true;
    if (!check_length(source, prompt))
        return false;
    int capacity = (int)request->text_bytes + 64; /* and the marks of a conversation's format */
    int32_t *list = pyr_arena_array(prompt->arena, (size_t)capacity, sizeof *list);
    int made = try_tokenize(source, request, list, capacity);
    if (made < 0) {
        capacity = -made;
        list = pyr_arena_array(prompt->arena, (size_t)capacity, sizeof *list);
        made = try_tokenize(source, request, list, capacity);
    }
    prompt->tokens = list;
    prompt->count = made > 0 ? (uint32_t)made : 0;
    return true;
}

/* Whether the engine can take them. */
static void check_tokens(const struct pyr_openai_source *source, struct pyr_openai_prompt *prompt) {
    if (prompt->count == 0) {
        pyr_fail(&prompt->why, PYR_E_INPUT, "the prompt is empty; give it some text");
        refuse(prompt, 400, "prompt", NULL);
    }
    for (uint32_t i = 0; i < prompt->count; i++)
        if ((uint32_t)prompt->tokens[i] >= source->pieces->count) {
            pyr_fail(&prompt->why, PYR_E_INPUT, "prompt: %d is no token of this model",
                     prompt->tokens[i]);
            refuse(prompt, 400, "prompt", NULL);
            return;
        }
}

static void put_tokens(const struct pyr_openai_source *source, struct pyr_openai_prompt *prompt) {
    pyr_buf_printf(&prompt->answer, "{\"count\":%u,\"max_model_len\":%u,\"tokens\":[",
                   prompt->count, source->context);
    for (uint32_t i = 0; i < prompt->count; i++)
        pyr_buf_printf(&prompt->answer, "%s%d", i ? "," : "", prompt->tokens[i]);
    pyr_buf_puts(&prompt->answer, "]}");
}

void pyr_openai_prompt_make(const struct pyr_openai_source *source,
                            struct pyr_openai_prompt *prompt) {
    prompt->status = 0;
    prompt->made = true;
    if (!pyr_openai_request_parse(prompt->arena, prompt->api, prompt->body, prompt->body_bytes,
                                  &prompt->request, &prompt->why))
        refuse(prompt, 400, prompt->request.fault, NULL);
    else if (!check_model(source, prompt) || !tokenize(source, prompt))
        return;
    else if (prompt->api == PYR_OPENAI_TOKENIZE)
        put_tokens(source, prompt);
    else
        check_tokens(source, prompt);
}

bool pyr_openai_prompt_wants_desk(const struct pyr_openai_prompt *prompt) {
    return prompt->status == 0 && prompt->request.grammar && !prompt->grammars;
}

/* An engine takes milliseconds for one, and each answer has its own. */
static void make_grammars(const struct pyr_openai_source *source,
                          struct pyr_openai_prompt *prompt) {
    const struct pyr_engine *engine = source->engine;
    if (prompt->request.choices > source->choices)
        return; /* refused before it needs any */
    bool ok = engine->grammar_create ||
              pyr_fail(&prompt->why, PYR_E_INPUT,
                       "response_format: only text is served with the engine %s", engine->name);
    prompt->grammars =
        pyr_arena_array(prompt->arena, prompt->request.choices, sizeof(struct pyr_grammar *));
    for (uint32_t i = 0; ok && i < prompt->request.choices; i++)
        ok = engine->grammar_create(source->model, prompt->request.grammar, &prompt->grammars[i],
                                    &prompt->why);
    if (!ok)
        refuse(prompt, 400, "response_format", NULL);
}

/* --- the desk -------------------------------------------------------------------------------- */

struct pyr_openai_desk {
    const struct pyr_openai_source *source;
    void (*wake)(void *user);
    void *user;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t work;
    /* Under the lock. */
    struct pyr_openai_prompt *first, **end;
    bool stop;
};

static struct pyr_openai_prompt *next_prompt(struct pyr_openai_desk *desk) {
    pthread_mutex_lock(&desk->lock);
    while (!desk->stop && !desk->first)
        pthread_cond_wait(&desk->work, &desk->lock);
    struct pyr_openai_prompt *prompt = desk->stop ? NULL : desk->first;
    if (prompt) {
        desk->first = prompt->next;
        if (!desk->first)
            desk->end = &desk->first;
    }
    pthread_mutex_unlock(&desk->lock);
    return prompt;
}

static void *desk_thread(void *argument) {
    struct pyr_openai_desk *desk = argument;
    struct pyr_openai_prompt *prompt;
    while ((prompt = next_prompt(desk))) {
        if (!prompt->made)
            pyr_openai_prompt_make(desk->source, prompt);
        if (pyr_openai_prompt_wants_desk(prompt))
            make_grammars(desk->source, prompt);
        atomic_store_explicit(&prompt->done, true, memory_order_release);
        desk->wake(desk->user);
    }
    return NULL;
}

static void release(struct pyr_openai_desk *desk) {
    pthread_cond_destroy(&desk->work);
    pthread_mutex_destroy(&desk->lock);
    pyr_free(desk);
}

bool pyr_openai_desk_start(const struct pyr_openai_source *source, void (*wake)(void *user),
                           void *user, struct pyr_openai_desk **result, struct pyr_err *err) {
    struct pyr_openai_desk *desk = pyr_xcalloc(1, sizeof *desk);
    desk->source = source;
    desk->wake = wake;
    desk->user = user;
    desk->end = &desk->first;
    pthread_mutex_init(&desk->lock, NULL);
    pthread_cond_init(&desk->work, NULL);
    /* Signals belong to the thread that called us. */
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int failed = pthread_create(&desk->thread, NULL, desk_thread, desk);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (failed) {
        release(desk);
        return pyr_fail_errno(err, failed, "tokenizer thread");
    }
    pthread_setname_np(desk->thread, "pyr-tokenizer");
    *result = desk;
    return true;
}

void pyr_openai_desk_stop(struct pyr_openai_desk *desk) {
    if (!desk)
        return;
    pthread_mutex_lock(&desk->lock);
    desk->stop = true;
    pthread_cond_signal(&desk->work);
    pthread_mutex_unlock(&desk->lock);
    pthread_join(desk->thread, NULL);
    release(desk);
}

void pyr_openai_desk_give(struct pyr_openai_desk *desk, struct pyr_openai_prompt *prompt) {
    prompt->next = NULL;
    pthread_mutex_lock(&desk->lock);
    *desk->end = prompt;
    desk->end = &prompt->next;
    pthread_cond_signal(&desk->work);
    pthread_mutex_unlock(&desk->lock);
}
