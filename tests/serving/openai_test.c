/* SPDX-License-Identifier: MIT
 *
 * The server and raw clients on one thread, stepped in turn; the engine has its own, and stands
 * still while a test holds it. label: threads
 */
#include "support/support.h"

#include "base/buf.h"
#include "serving/openai.h"
#include "support/fake_engine.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONTEXT = 128, CLIENTS = 40 };

static struct world {
    struct fake_plan plan;
    struct pyr_engine engine;
    struct pyr_pieces *pieces;
    struct pyr_openai *server;
    pthread_mutex_t held; /* locked: the engine stands still */
    bool grammars;        /* the engine knows them, and refuses each after it was made */
    _Atomic int made, destroyed, made_here;
    _Atomic int steps; /* that the engine has begun */
    pthread_t here;
} world;

static bool make_grammar(const struct pyr_model *model, const char *rules,
                         struct pyr_grammar **grammar, struct pyr_err *err) {
    (void)model;
    assert_non_null(strstr(rules, "root ::="));
    world.made_here += pthread_equal(pthread_self(), world.here) != 0;
    if (++world.made == 3)
        return pyr_fail(err, PYR_E_INPUT, "three are too many");
    *grammar = (struct pyr_grammar *)&world;
    return true;
}

static void drop_grammar(struct pyr_grammar *grammar) {
    assert_ptr_equal(grammar, &world);
    world.destroyed++;
}

static void on_decode(void *context, const struct pyr_batch *batch) {
    struct world *w = context;
    (void)batch;
    w->steps++;
    pthread_mutex_lock(&w->held);
    pthread_mutex_unlock(&w->held);
}

static void open_world(uint32_t sequences, uint32_t queue_limit, const char *key,
                       struct fake_plan plan) {
    struct pyr_err err;
    world = (struct world){.grammars = world.grammars};
    pthread_mutex_init(&world.held, NULL);
    world.plan = plan;
    world.plan.mute_token = plan.mute_token ? plan.mute_token : -1;
    world.plan.real_time = true;
    world.plan.on_decode = on_decode;
    world.plan.context = &world;
    world.engine = fake_engine;
    world.engine.grammar_create = world.grammars ? make_grammar : NULL;
    world.engine.grammar_destroy = drop_grammar;
    assert_ok(err, pyr_pieces_create(&world.engine, fake_model(&world.plan), &world.pieces, &err));
    const struct pyr_openai_config config = {.engine = &world.engine,
                                             .model = fake_model(&world.plan),
                                             .pieces = world.pieces,
                                             .name = "fake",
                                             .key = key,
                                             .serving = {.sequences = sequences,
                                                         .tokens_per_sequence = CONTEXT,
                                                         .threads = 1,
                                                         .queue_limit = queue_limit,
                                                         .seed = 1}};
    assert_ok(err, pyr_openai_open(&config, &world.server, &err));
}

static void close_world(void) {
    pyr_openai_close(world.server);
    pyr_pieces_destroy(world.pieces);
    pthread_mutex_destroy(&world.held);
}

/* --- a raw client ---------------------------------------------------------------------------- */

struct client {
    int fd;
    bool over;
    struct pyr_buf got;
};

static void client_send_to(struct client *client, const char *host, const char *method,
                           const char *path, const char *fields, const char *body) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(pyr_openai_port(world.server)),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct pyr_buf text = {0};
    *client = (struct client){.fd = socket(AF_INET, SOCK_STREAM, 0)};
    assert_int_equal(connect(client->fd, (struct sockaddr *)&address, sizeof address), 0);
    fcntl(client->fd, F_SETFL, O_NONBLOCK);
    pyr_buf_printf(
        &text, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%sContent-Length: %zu\r\n\r\n",
        method, path, host, fields ? fields : "", strlen(body));
    pyr_buf_puts(&text, body);
    for (size_t at = 0; at < text.length;) {
        ssize_t sent = send(client->fd, text.data + at, text.length - at, MSG_NOSIGNAL);
        if (sent > 0)
            at += (size_t)sent;
        else
            pyr_openai_step(world.server, 0);
    }
    pyr_buf_deinit(&text);
}

static void client_send(struct client *client, const char *method, const char *path,
                        const char *fields, const char *body) {
    client_send_to(client, "localhost:1", method, path, fields, body);
}

static void client_read(struct client *client) {
    char block[4096];
    ssize_t got;
    while (!client->over && (got = recv(client->fd, block, sizeof block, 0)) >= 0) {
        client->over = got == 0;
        pyr_buf_append(&client->got, block, (size_t)got);
    }
}

static const char *await_end(struct client *client) {
    for (int steps = 0; !client->over; steps++) {
        assert_true(steps < 100000);
        pyr_openai_step(world.server, PYR_NS_PER_MS);
        client_read(client);
    }
    return pyr_buf_text(&client->got);
}

static void client_close(struct client *client) {
    close(client->fd);
    pyr_buf_deinit(&client->got);
}

/* Asks, and asserts the status and a part of the answer. */
static void expect(const char *method, const char *path, const char *fields, const char *body,
                   int status, const char *part) {
    struct client client;
    client_send(&client, method, path, fields, body);
    const char *text = await_end(&client);
    if (atoi(text + strcspn(text, " ")) != status || !strstr(text, part))
        fail_msg("%s %s: not %d with '%s' but: %s", method, path, status, part, text);
    client_close(&client);
}

static void expect_host(const char *host, int status) {
    struct client client;
    client_send_to(&client, host, "GET", "/v1/models", NULL, "");
    const char *text = await_end(&client);
    assert_int_equal(atoi(text + strcspn(text, " ")), status);
    client_close(&client);
}

/* Every "text" or "content" of the answer, joined. */
static void gather(const char *answer, const char *key, char *text, size_t size) {
    size_t length = 0;
    for (const char *at = answer; (at = strstr(at, key));) {
        at += strlen(key);
        size_t count = strcspn(at, "\"");
        assert_true(length + count < size);
        memcpy(text + length, at, count);
        length += count;
    }
    text[length] = '\0';
}

static void expected_text(const int32_t *prompt, uint32_t prompt_tokens, uint32_t output_tokens,
                          char *text) {
    int32_t output[CONTEXT];
    fake_output(prompt, prompt_tokens, output, output_tokens);
    *text = '\0';
    for (uint32_t i = 0; i < output_tokens; i++)
        sprintf(text + strlen(text), "%03d", output[i]);
}

static uint64_t ended(enum pyr_openai_end end) {
    return pyr_openai_totals(world.server)->ends[end];
}

#define PROMPT "\"prompt\":[5,6,7],\"temperature\":0"
static const int32_t prompt[] = {5, 6, 7};

/* --- answers --------------------------------------------------------------------------------- */

static void a_whole_answer_is_the_engines_text(void **state) {
    (void)state;
    char seen[512], text[512];
    struct client client;
    open_world(4, 4, NULL, (struct fake_plan){0});
    client_send(&client, "POST", "/v1/completions", NULL,
                "{\"model\":\"fake\"," PROMPT ",\"max_tokens\":9,\"ignore_eos\":true}");
    const char *answer = await_end(&client);
    expected_text(prompt, 3, 9, text);
    gather(answer, "\"text\":\"", seen, sizeof seen);
    assert_string_equal(seen, text);
    assert_non_null(strstr(answer, "\"finish_reason\":\"length\""));
    assert_non_null(strstr(answer, "\"prompt_tokens\":3,\"completion_tokens\":9,"
                                   "\"total_tokens\":12"));
    client_close(&client);
    close_world();
}

static void a_stream_is_the_same_text_token_by_token(void **state) {
    (void)state;
    char seen[512], text[512];
    struct client client;
    open_world(4, 4, NULL, (struct fake_plan){0});
    client_send(&client, "POST", "/v1/completions", NULL,
                "{" PROMPT ",\"max_tokens\":9,\"ignore_eos\":true,\"stream\":true,"
                "\"stream_options\":{\"include_usage\":true}}");
    const char *answer = await_end(&client);
    expected_text(prompt, 3, 9, text);
    gather(answer, "\"text\":\"", seen, sizeof seen);
    assert_string_equal(seen, text);
    assert_non_null(strstr(answer, "text/event-stream"));
    assert_non_null(strstr(answer, "\"choices\":[],\"usage\":{\"prompt_tokens\":3,"
                                   "\"completion_tokens\":9"));
    assert_non_null(strstr(answer, "data: [DONE]\n\n"));
    size_t events = 0;
    for (const char *at = answer; (at = strstr(at, "data: {")); at++)
        events++;
    assert_int_equal(events, 9 + 2); /* and the finish, and the usage */
    client_close(&client);
    close_world();
}

static void a_conversation_is_answered_by_the_assistant(void **state) {
    (void)state;
    open_world(4, 4, NULL, (struct fake_plan){0});
    expect("POST", "/v1/chat/completions", NULL,
           "{\"messages\":[{\"role\":\"user\",\"content\":\"ab\"}],\"max_tokens\":2,"
           "\"ignore_eos\":true}",
           200, "\"message\":{\"role\":\"assistant\",\"content\":\"");
    expect("POST", "/v1/chat/completions", NULL,
           "{\"messages\":[{\"role\":\"user\",\"content\":\"ab\"}],\"max_tokens\":2,"
           "\"ignore_eos\":true,\"stream\":true}",
           200, "\"delta\":{\"role\":\"assistant\",\"content\":\"\"}");
    close_world();
}

static void an_end_token_ends_the_answer_unless_it_is_ignored(void **state) {
    (void)state;
    open_world(1, 0, NULL, (struct fake_plan){.ends = true});
    expect("POST", "/v1/completions", NULL, "{" PROMPT ",\"max_tokens\":120}", 200,
           "\"finish_reason\":\"stop\"");
    expect("POST", "/v1/completions", NULL, "{" PROMPT ",\"max_tokens\":120,\"ignore_eos\":true}",
           200, "\"completion_tokens\":120");
    expect("POST", "/v1/completions", NULL, "{" PROMPT ",\"max_tokens\":120,\"min_tokens\":120}",
           200, "\"completion_tokens\":120");
    close_world();
}

/* The fake engine's logits are 1 for its token and -1 for the 299 others. */
static void how_likely_tokens_were_is_told(void **state) {
    (void)state;
    open_world(1, 1, NULL, (struct fake_plan){0});
    static const char *const streams[] = {"false", "true"};
    for (int i = 0; i < 2; i++) {
        char body[300];
        snprintf(body, sizeof body, "{" PROMPT ",\"max_tokens\":2,\"logprobs\":2,\"stream\":%s}",
                 streams[i]);
        expect("POST", "/v1/completions", NULL, body, 200, "\"token_logprobs\":[-3.72486");
        expect("POST", "/v1/completions", NULL, body, 200,
               i ? "\"text_offset\":[3]" : "\"text_offset\":[0,3]");
        expect("POST", "/v1/completions", NULL, body, 200, "\"000\":-5.72486}");
        snprintf(body, sizeof body,
                 "{\"messages\":[{\"role\":\"user\",\"content\":\"ab\"}],\"max_tokens\":2,"
                 "\"logprobs\":true,\"top_logprobs\":2,\"stream\":%s}",
                 streams[i]);
        expect("POST", "/v1/chat/completions", NULL, body, 200,
               "{\"token\":\"000\",\"logprob\":-5.72486,\"bytes\":[48,48,48]}]}");
    }
    expect("POST", "/v1/completions", NULL, "{" PROMPT ",\"max_tokens\":1,\"logprobs\":0}", 200,
           "\"top_logprobs\":null");
    close_world();
}

static void a_conversation_has_the_format_of_its_model(void **state) {
    (void)state;
    static const char body[] = "{\"messages\":[{\"role\":\"system\",\"content\":\"a\"},"
                               "{\"role\":\"user\",\"content\":\"b\"}],\"max_tokens\":1}";
    open_world(1, 1, NULL, (struct fake_plan){.chats = true});
    expect("POST", "/tokenize", NULL, body, 200, "\"tokens\":[1,5,118,100,5,120,101]");
    expect("POST", "/v1/chat/completions", NULL, body, 200, "\"prompt_tokens\":7,");
    close_world();
    open_world(1, 1, NULL, (struct fake_plan){0});
    expect("POST", "/v1/chat/completions", NULL, body, 200, "\"prompt_tokens\":29,");
    close_world();
}

/* Bodies that are too long to be read between two tokens of others. */
static void a_long_body_is_answered_like_a_short_one(void **state) {
    (void)state;
    enum { LONG = 20000 };
    struct pyr_buf body = {0};
    struct client client;
    open_world(2, 16, NULL, (struct fake_plan){0});
    pyr_buf_printf(&body, "{" PROMPT ",\"max_tokens\":5,\"user\":\"%*s\"}", LONG, "");
    expect("POST", "/v1/completions", NULL, body.data, 200, "\"completion_tokens\":5");
    for (int i = 0; i < 3; i++) { /* gone before it could be looked at, or not */
        client_send(&client, "POST", "/v1/completions", NULL, body.data);
        client_close(&client);
    }
    expect("POST", "/v1/completions", NULL, body.data, 200, "\"completion_tokens\":5");
    pyr_buf_clear(&body);
    pyr_buf_printf(&body, "{\"prompt\":\"%*s\"}", LONG, "");
    expect("POST", "/v1/completions", NULL, body.data, 400, "context_length_exceeded");
    expect("POST", "/tokenize", NULL, body.data, 200, "{\"count\":20001,");
    body.length -= 2;
    body.data[body.length] = '\0';
    expect("POST", "/tokenize", NULL, body.data, 400, "is not JSON");
    pyr_buf_deinit(&body);
    close_world();
}

static void a_stop_string_ends_the_answer_before_it(void **state) {
    (void)state;
    char text[512], body[256], seen[512];
    static const char *const streams[] = {"false", "true"};
    open_world(1, 1, NULL, (struct fake_plan){0});
    expected_text(prompt, 3, 60, text);
    for (int i = 0; i < 2; i++) {
        struct client client;
        snprintf(body, sizeof body,
                 "{" PROMPT ",\"max_tokens\":60,\"ignore_eos\":true,\"stream\":%s,"
                 "\"stop\":\"%.7s\"}",
                 streams[i], text + 10);
        client_send(&client, "POST", "/v1/completions", NULL, body);
        const char *answer = await_end(&client);
        gather(answer, "\"text\":\"", seen, sizeof seen);
        assert_int_equal(strlen(seen), 10);
        assert_memory_equal(seen, text, 10);
        assert_non_null(strstr(answer, "\"finish_reason\":\"stop\""));
        client_close(&client);
    }
    close_world();
}

static void several_answers_to_one_prompt_share_a_request(void **state) {
    (void)state;
    char text[512], seen[2048], thrice[2048];
    static const char *const streams[] = {"false", "true"};
    open_world(2, 4, NULL, (struct fake_plan){0});
    expected_text(prompt, 3, 20, text);
    for (int i = 0; i < 2; i++) {
        struct client client;
        char body[256];
        snprintf(body, sizeof body,
                 "{" PROMPT ",\"n\":3,\"max_tokens\":20,\"ignore_eos\":true,\"stream\":%s,"
                 "\"stream_options\":{\"include_usage\":true}}",
                 streams[i]);
        client_send(&client, "POST", "/v1/completions", NULL, body);
        const char *answer = await_end(&client);
        gather(answer, "\"text\":\"", seen, sizeof seen);
        assert_int_equal(strlen(seen), 3 * strlen(text));
        snprintf(thrice, sizeof thrice, "%s%s%s", text, text, text);
        if (i == 0)
            assert_string_equal(seen, thrice);
        for (int k = 0; k < 3; k++) {
            char index[32];
            snprintf(index, sizeof index, "\"index\":%d,", k);
            assert_non_null(strstr(answer, index));
        }
        assert_non_null(strstr(answer, "\"prompt_tokens\":3,\"completion_tokens\":60"));
        client_close(&client);
    }
    expect("POST", "/v1/completions", NULL, "{" PROMPT ",\"n\":7}", 400,
           "n: at most 6 are served at once");
    assert_int_equal(ended(PYR_OPENAI_OK), 2);
    close_world();
}

/* All or none: what is left of the queue would do for fewer. */
/* More than sockets hold, to a client that reads only when the engine has long been done. */
static void a_slow_reader_gets_all_of_several_answers(void **state) {
    (void)state;
    enum { CHOICES = 60, TOKENS = 110 };
    struct client client;
    char body[256];
    size_t events = 0;
    open_world(CHOICES, 0, NULL, (struct fake_plan){0});
    snprintf(body, sizeof body,
             "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"n\":%d,\"max_tokens\":%d,"
             "\"ignore_eos\":true,\"stream\":true,\"logprobs\":true,\"top_logprobs\":20}",
             CHOICES, TOKENS);
    client_send(&client, "POST", "/v1/chat/completions", NULL, body);
    const uint64_t *given = &pyr_openai_totals(world.server)->output_tokens;
    uint64_t before = 0;
    for (int still = 0; still<50; still = *given> 0 && *given == before ? still + 1 : 0) {
        before = *given;
        pyr_openai_step(world.server, PYR_NS_PER_MS);
    }
    assert_int_equal(ended(PYR_OPENAI_OK), 0);
    const char *at = await_end(&client), *end = at + client.got.length;
    while ((at = memmem(at, (size_t)(end - at), "\ndata: ", 7))) {
        events++;
        at++;
    }
    assert_int_equal(events, CHOICES * (TOKENS + 2) + 1); /* a role, an end */
    assert_int_equal(ended(PYR_OPENAI_OK), 1);
    client_close(&client);
    close_world();
}

static void several_answers_need_room_for_all(void **state) {
    (void)state;
    struct client first;
    open_world(1, 2, NULL, (struct fake_plan){0});
    pthread_mutex_lock(&world.held);
    client_send(&first, "POST", "/v1/completions", NULL,
                "{" PROMPT ",\"n\":2,\"max_tokens\":5,\"ignore_eos\":true}");
    pyr_openai_step(world.server, PYR_NS_PER_MS);
    pyr_openai_step(world.server, PYR_NS_PER_MS);
    expect("POST", "/v1/completions", NULL, "{" PROMPT ",\"n\":2}", 429, "Retry-After: 1");
    pthread_mutex_unlock(&world.held);
    assert_non_null(strstr(await_end(&first), "completion_tokens\":10"));
    client_close(&first);
    expect("POST", "/v1/completions", NULL, "{" PROMPT ",\"n\":3,\"max_tokens\":2}", 200, "");
    close_world();
}

static void an_echo_begins_with_the_prompt(void **state) {
    (void)state;
    char text[512], seen[512];
    static const char *const streams[] = {"false", "true"};
    open_world(1, 1, NULL, (struct fake_plan){0});
    strcpy(text, "005006007");
    expected_text(prompt, 3, 4, text + 9);
    for (int i = 0; i < 2; i++) {
        struct client client;
        char body[256];
        snprintf(body, sizeof body,
                 "{" PROMPT ",\"echo\":true,\"max_tokens\":4,\"ignore_eos\":true,\"stream\":%s}",
                 streams[i]);
        client_send(&client, "POST", "/v1/completions", NULL, body);
        gather(await_end(&client), "\"text\":\"", seen, sizeof seen);
        assert_string_equal(seen, text);
        client_close(&client);
    }
    close_world();
}

static void a_bias_changes_what_is_said(void **state) {
    (void)state;
    char text[512], body[256];
    open_world(1, 1, NULL, (struct fake_plan){0});
    expected_text(prompt, 3, 2, text);
    snprintf(body, sizeof body, "{" PROMPT ",\"max_tokens\":1,\"logit_bias\":{\"%d\":100}}",
             atoi(text) == 123 ? 124 : 123);
    expect("POST", "/v1/completions", NULL, body, 200,
           atoi(text) == 123 ? "\"text\":\"124\"" : "\"text\":\"123\"");
    close_world();
}

static void many_clients_at_once_get_each_their_own(void **state) {
    (void)state;
    struct client clients[CLIENTS];
    char body[256], seen[512], text[512];
    open_world(8, CLIENTS, NULL, (struct fake_plan){0});
    for (int32_t i = 0; i < CLIENTS; i++) {
        snprintf(body, sizeof body,
                 "{\"prompt\":[%d,9],\"temperature\":0,\"max_tokens\":%d,\"ignore_eos\":true,"
                 "\"stream\":%s}",
                 10 + i, 5 + i, i % 2 ? "true" : "false");
        client_send(&clients[i], "POST", "/v1/completions", NULL, body);
    }
    for (int32_t i = 0; i < CLIENTS; i++) {
        const int32_t own[] = {10 + i, 9};
        expected_text(own, 2, (uint32_t)(5 + i), text);
        gather(await_end(&clients[i]), "\"text\":\"", seen, sizeof seen);
        assert_string_equal(seen, text);
        client_close(&clients[i]);
    }
    assert_int_equal(ended(PYR_OPENAI_OK), CLIENTS);
    close_world();
}

/* --- limits and failures --------------------------------------------------------------------- */

static void more_than_fit_are_sent_away_until_one_is_over(void **state) {
    (void)state;
    struct client first, second;
    static const char body[] = "{" PROMPT ",\"max_tokens\":100,\"ignore_eos\":true}";
    open_world(1, 1, NULL, (struct fake_plan){0});
    pthread_mutex_lock(&world.held);
    client_send(&first, "POST", "/v1/completions", NULL, body);
    client_send(&second, "POST", "/v1/completions", NULL, body);
    pyr_openai_step(world.server, PYR_NS_PER_MS);
    pyr_openai_step(world.server, PYR_NS_PER_MS);
    expect("POST", "/v1/completions", NULL, body, 429, "Retry-After: 1");
    expect("GET", "/metrics", NULL, "", 200, "pyrometer_serve_requests_running 1\n");
    expect("GET", "/metrics", NULL, "", 200, "pyrometer_serve_requests_waiting 1\n");
    assert_int_equal(ended(PYR_OPENAI_REJECTED), 1);
    pthread_mutex_unlock(&world.held);
    assert_non_null(strstr(await_end(&first), " 200 "));
    assert_non_null(strstr(await_end(&second), " 200 "));
    expect("GET", "/metrics", NULL, "", 200, "pyrometer_serve_requests_waiting 0\n");
    client_close(&first);
    client_close(&second);
    expect("POST", "/v1/completions", NULL, body, 200, "completion_tokens\":100");
    close_world();
}

static void a_client_that_goes_away_frees_its_place(void **state) {
    (void)state;
    struct client client;
    static const char body[] =
        "{" PROMPT ",\"max_tokens\":100,\"ignore_eos\":true,\"stream\":true}";
    open_world(1, 0, NULL, (struct fake_plan){0});
    pthread_mutex_lock(&world.held);
    client_send(&client, "POST", "/v1/completions", NULL, body);
    pyr_openai_step(world.server, PYR_NS_PER_MS);
    pyr_openai_step(world.server, PYR_NS_PER_MS);
    client_close(&client);
    while (ended(PYR_OPENAI_GONE) == 0)
        pyr_openai_step(world.server, PYR_NS_PER_MS);
    pthread_mutex_unlock(&world.held);
    /* The next one is refused until the engine has let go of the first. */
    bool taken = false;
    for (int tries = 0; !taken && tries < 10000; tries++) {
        struct client next;
        client_send(&next, "POST", "/v1/completions", NULL, body);
        taken = strstr(await_end(&next), " 200 ") != NULL;
        client_close(&next);
    }
    assert_true(taken);
    close_world();
}

/* A step of a long prompt may take seconds: it is given up when nobody wants any of it. */
static void a_step_that_nobody_wants_is_given_up(void **state) {
    (void)state;
    struct client clients[3];
    static const char body[] = "{" PROMPT ",\"max_tokens\":20,\"ignore_eos\":true}";
    open_world(2, 4, NULL, (struct fake_plan){0});
    for (int round = 0; round < 2; round++) {
        pthread_mutex_lock(&world.held);
        int before = world.steps;
        for (int i = 0; i < 3; i++)
            client_send(&clients[i], "POST", "/v1/completions", NULL, body);
        for (int i = 0; i < 10 || world.steps == before; i++)
            pyr_openai_step(world.server, PYR_NS_PER_MS);
        for (int i = round; i < 3; i++)
            client_close(&clients[i]);
        while (ended(PYR_OPENAI_GONE) < (round ? 5 : 3))
            pyr_openai_step(world.server, PYR_NS_PER_MS);
        pthread_mutex_unlock(&world.held);
        if (round) { /* the first is still there: it loses nothing */
            assert_non_null(strstr(await_end(&clients[0]), "completion_tokens\":20"));
            client_close(&clients[0]);
        }
        expect("POST", "/v1/completions", NULL, body, 200, "completion_tokens\":20");
    }
    assert_int_equal(ended(PYR_OPENAI_FAILED), 0);
    pyr_openai_close(world.server); /* the engine's thread is over: its counts may be read */
    world.server = NULL;
    assert_int_equal(world.plan.interrupted, 1);
    close_world();
}

static void an_engine_that_fails_is_told_as_such(void **state) {
    (void)state;
    open_world(1, 0, NULL, (struct fake_plan){.fail_decode = 1});
    expect("POST", "/v1/completions", NULL, "{" PROMPT ",\"stream\":true}", 500,
           "\"type\":\"server_error\"");
    expect("POST", "/v1/completions", NULL, "{" PROMPT "}", 200, "usage");
    close_world();
    open_world(1, 0, NULL, (struct fake_plan){.fail_decode = 3});
    expect("POST", "/v1/completions", NULL, "{" PROMPT ",\"ignore_eos\":true,\"stream\":true}", 200,
           "data: {\"error\":{");
    assert_int_equal(ended(PYR_OPENAI_FAILED), 1);
    close_world();
}

static void what_cannot_be_served_is_said_why(void **state) {
    (void)state;
    open_world(1, 4, NULL, (struct fake_plan){0});
    expect("POST", "/v1/completions", NULL, "{\"prompt\":", 400, "not JSON");
    expect("POST", "/v1/completions", NULL, "{\"prompt\":\"\"}", 200, "usage");
    expect("POST", "/v1/completions", NULL,
           "{" PROMPT ",\"response_format\":{\"type\":\"json_object\"}}", 400,
           "only text is served with the engine fake");
    expect("POST", "/v1/completions", NULL, "{\"model\":\"gpt\"," PROMPT "}", 404,
           "no model gpt here; there is fake");
    expect("POST", "/v1/completions", NULL, "{" PROMPT ",\"max_tokens\":127}", 400,
           "do not fit a context of 128");
    expect("POST", "/v1/completions", NULL, "{\"prompt\":[300]}", 400,
           "300 is no token of this model");
    expect("GET", "/v1/completions", NULL, "", 405, "Allow: POST");
    expect("GET", "/v2", NULL, "", 404, "/v1/chat/completions");
    expect("GET", "/v1/models/gpt", NULL, "", 404, "no such path");
    expect("!", "/v2", NULL, "", 400, "\"type\":\"invalid_request_error\"");
    expect("POST", "/v1/completions", "Origin: http://example.org\r\n", "{" PROMPT "}", 403,
           "other sites");
    close_world();
}

static void the_other_paths_answer(void **state) {
    (void)state;
    open_world(1, 4, NULL, (struct fake_plan){0});
    expect("GET", "/health", NULL, "", 200, "{\"status\":\"ok\"}");
    expect("GET", "/v1/models", NULL, "", 200, "\"data\":[{\"id\":\"fake\"");
    expect("GET", "/v1/models/fake", NULL, "", 200, "\r\n\r\n{\"id\":\"fake\"");
    expect("POST", "/tokenize", NULL, "{\"prompt\":[1,2]}", 200,
           "{\"count\":2,\"max_model_len\":128,\"tokens\":[1,2]}");
    expect("POST", "/v1/completions", NULL, "{" PROMPT ",\"max_tokens\":3,\"ignore_eos\":true}",
           200, "");
    expect("GET", "/metrics", NULL, "", 200, "version=0.0.4");
    expect("GET", "/metrics", NULL, "", 200, "pyrometer_serve_requests_total{outcome=\"ok\"} 1\n");
    expect("GET", "/metrics", NULL, "", 200, "pyrometer_serve_output_tokens_total 3\n");
    close_world();
}

static void without_the_key_only_health_is_told(void **state) {
    (void)state;
    open_world(1, 4, "secret", (struct fake_plan){0});
    expect("GET", "/v1/models", NULL, "", 401, "WWW-Authenticate: Bearer");
    expect("GET", "/nowhere", NULL, "", 401, "invalid_api_key");
    expect("GET", "/v1/models", "Authorization: Bearer secreT\r\n", "", 401, "invalid_api_key");
    expect("GET", "/v1/models", "Authorization: Bearer secret1\r\n", "", 401, "invalid_api_key");
    expect("GET", "/v1/models", "Authorization: Bearer secret\r\n", "", 200, "fake");
    expect("GET", "/health", NULL, "", 200, "ok");
    close_world();
}

/* A page whose own name was made to lead here (DNS rebinding) is of the same origin. */
static void a_name_that_is_not_ours_is_refused(void **state) {
    (void)state;
    open_world(1, 1, NULL, (struct fake_plan){0});
    expect_host("evil.example", 403);
    expect_host("evil.example:80", 403);
    expect_host("localhost.evil.example", 403);
    expect_host("LOCALHOST:8080", 200);
    expect_host("127.0.0.1:8080", 200);
    expect_host("[::1]:8080", 200);
    close_world();
    open_world(1, 1, "key", (struct fake_plan){0});
    expect_host("any.example", 401); /* who has the key may call it as he likes */
    close_world();
}

static void a_page_of_this_machine_may_ask(void **state) {
    (void)state;
    static const char here[] = "Origin: http://localhost:3000\r\n",
                      there[] = "Origin: http://example.org\r\n";
    open_world(1, 4, NULL, (struct fake_plan){0});
    expect("OPTIONS", "/v1/completions", here, "", 204, "Access-Control-Allow-Methods: POST");
    expect("OPTIONS", "/v1/models", here, "", 204, "Access-Control-Allow-Headers: Authorization");
    expect("OPTIONS", "/v1/models", there, "", 403, "other sites");
    expect("GET", "/v1/models", here, "", 200, "Access-Control-Allow-Origin: *");
    close_world();
    /* With a key it is the key that counts, which a browser's question does not carry. */
    open_world(1, 4, "secret", (struct fake_plan){0});
    expect("OPTIONS", "/v1/completions", there, "", 204, "Access-Control-Allow-Methods: POST");
    expect("OPTIONS", "/v2", there, "", 401, "");
    expect("POST", "/v1/completions", there, "{" PROMPT "}", 401, "");
    close_world();
}

/* It takes milliseconds for each answer, in which nobody would be answered. */
static void grammars_are_not_made_where_http_is_talked(void **state) {
    (void)state;
    world.grammars = true;
    open_world(4, 4, NULL, (struct fake_plan){0});
    world.here = pthread_self();
    expect("POST", "/v1/completions", NULL,
           "{" PROMPT ",\"n\":4,\"response_format\":{\"type\":\"json_object\"}}", 400,
           "three are too many");
    assert_int_equal(world.made, 3);
    assert_int_equal(world.destroyed, 2);
    assert_int_equal(world.made_here, 0);
    /* And none for more answers than there may be. */
    expect("POST", "/v1/completions", NULL,
           "{" PROMPT ",\"n\":900,\"response_format\":{\"type\":\"json_object\"}}", 400, "");
    assert_int_equal(world.made, 3);
    close_world();
    world.grammars = false;
}

static void a_stop_ends_what_is_under_way(void **state) {
    (void)state;
    static const volatile sig_atomic_t stop = 1;
    struct client client;
    open_world(1, 1, NULL, (struct fake_plan){0});
    pthread_mutex_lock(&world.held);
    client_send(&client, "POST", "/v1/completions", NULL,
                "{" PROMPT ",\"max_tokens\":50,\"ignore_eos\":true,\"stream\":true}");
    pyr_openai_step(world.server, PYR_NS_PER_MS);
    pyr_openai_step(world.server, PYR_NS_PER_MS);
    pthread_mutex_unlock(&world.held);
    pyr_openai_run(world.server, &stop, 60 * PYR_NS_PER_S);
    client_read(&client);
    assert_non_null(strstr(pyr_buf_text(&client.got), "[DONE]"));
    assert_int_equal(ended(PYR_OPENAI_OK), 1);
    client_close(&client);
    close_world();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_answer_is_the_engines_text),
        cmocka_unit_test(a_stream_is_the_same_text_token_by_token),
        cmocka_unit_test(a_conversation_is_answered_by_the_assistant),
        cmocka_unit_test(an_end_token_ends_the_answer_unless_it_is_ignored),
        cmocka_unit_test(a_stop_string_ends_the_answer_before_it),
        cmocka_unit_test(a_long_body_is_answered_like_a_short_one),
        cmocka_unit_test(how_likely_tokens_were_is_told),
        cmocka_unit_test(a_conversation_has_the_format_of_its_model),
        cmocka_unit_test(several_answers_to_one_prompt_share_a_request),
        cmocka_unit_test(a_slow_reader_gets_all_of_several_answers),
        cmocka_unit_test(several_answers_need_room_for_all),
        cmocka_unit_test(an_echo_begins_with_the_prompt),
        cmocka_unit_test(a_bias_changes_what_is_said),
        cmocka_unit_test(a_page_of_this_machine_may_ask),
        cmocka_unit_test(a_name_that_is_not_ours_is_refused),
        cmocka_unit_test(grammars_are_not_made_where_http_is_talked),
        cmocka_unit_test(many_clients_at_once_get_each_their_own),
        cmocka_unit_test(more_than_fit_are_sent_away_until_one_is_over),
        cmocka_unit_test(a_client_that_goes_away_frees_its_place),
        cmocka_unit_test(a_step_that_nobody_wants_is_given_up),
        cmocka_unit_test(an_engine_that_fails_is_told_as_such),
        cmocka_unit_test(what_cannot_be_served_is_said_why),
        cmocka_unit_test(the_other_paths_answer),
        cmocka_unit_test(without_the_key_only_health_is_told),
        cmocka_unit_test(a_stop_ends_what_is_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
