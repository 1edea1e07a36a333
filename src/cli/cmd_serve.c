/* SPDX-License-Identifier: MIT */
#include "cli/cmds.h"
#include "cli/resolve.h"
#include "cli/signals.h"

#include "base/fs.h"
#include "codec/escape.h"
#include "net/url.h"
#include "sample/machine.h"
#include "serving/openai.h"
#include "suite/bench_options.h"
#include "target/loaded.h"

#include <stdlib.h>
#include <string.h>

enum {
    DEFAULT_CONTEXT_MOST = 2048, /* sequences x context is memory: 0.7 GB for a 1.1B model */
    KEY_BYTES_MAX = 200          /* what our HTTP keeps of the field is a little more */
};
#define DRAIN_NS (30 * PYR_NS_PER_S)

struct options {
    const char *engine_dir;
    const struct pyr_option *pairs;
    size_t pair_count;
    uint64_t threads, port, sequences, context, queue_limit, seed;
    const char *host, *key_file;
};

#define SERVING "Serving"
#define AT(field) offsetof(struct options, field)
static const struct pyr_option_row rows[] = {
    PYR_ROW_THREAD_COUNT(AT(threads)),
    PYR_ROWS_ENGINE(AT(engine_dir), AT(pairs), AT(pair_count)),
    {.name = "--port",
     .kind = PYR_OPTION_WHOLE,
     .offset = AT(port),
     .most = 65535,
     .standard = "8080",
     .argument = "N",
     .group = SERVING,
     .help = "to listen on (default 8080); 0 takes a free one and prints it"},
    {.name = "--host",
     .kind = PYR_OPTION_TEXT,
     .offset = AT(host),
     .argument = "ADDRESS",
     .group = SERVING,
     .help = "to listen on (default 127.0.0.1); others want --api-key-file"},
    {.name = "--api-key-file",
     .kind = PYR_OPTION_TEXT,
     .offset = AT(key_file),
     .argument = "FILE",
     .group = SERVING,
     .help = "its first line is the key that clients must send"},
    {.name = "--sequences",
     .kind = PYR_OPTION_WHOLE,
     .offset = AT(sequences),
     .least = 1,
     .most = PYR_OPTION_MANY,
     .standard = "16",
     .argument = "N",
     .group = SERVING,
     .help = "requests decoded together (default 16)"},
    {.name = "--context",
     .kind = PYR_OPTION_WHOLE,
     .offset = AT(context),
     .least = 2,
     .most = INT32_MAX,
     .argument = "N",
     .group = SERVING,
     .help = "tokens of each, prompt and output together (default: what the model was trained for, "
             "2048 at most)"},
    {.name = "--queue-limit",
     .kind = PYR_OPTION_WHOLE,
     .offset = AT(queue_limit),
     .most = PYR_OPTION_VERY_MANY,
     .standard = "256",
     .argument = "N",
     .group = SERVING,
     .help = "requests that may wait beside them; more get 429 (default 256)"},
    PYR_ROW_SEED(AT(seed)),
};
static const struct pyr_option_table table = PYR_OPTION_TABLE("serve", rows);
const struct pyr_option_set pyr_serve_set = {sizeof(struct options), {{&table, 0, false}}};

/* The first line of the file; NULL when no file was named. */
static bool read_key(const struct pyr_cli *cli, const char **key, struct pyr_err *err) {
    const char *path = ((const struct options *)cli->options)->key_file;
    struct pyr_buf text = {0};
    *key = NULL;
    if (!path)
        return true;
    bool ok = pyr_fs_read(&pyr_root_live, path, 4096, &text, err);
    size_t length = strcspn(pyr_buf_text(&text), "\r\n");
    for (size_t i = 0; ok && i < length; i++)
        if (text.data[i] <= ' ' || text.data[i] > '~')
            ok =
                pyr_fail(err, PYR_E_INPUT, "%s: the key holds a blank or is not plain ASCII", path);
    if (ok && (length == 0 || length > KEY_BYTES_MAX))
        ok = pyr_fail(err, PYR_E_INPUT, "%s: its first line is no key; give 1 to %d characters",
                      path, KEY_BYTES_MAX);
    if (ok)
        *key = pyr_arena_strndup(cli->arena, text.data, length);
    pyr_buf_deinit(&text);
    return ok;
}

static bool check_host(const char *host, const char *key, struct pyr_err *err) {
    return key || !host || pyr_host_is_loopback(host) ||
           pyr_fail(err, PYR_E_USAGE,
                    "--host %s: other machines could use this server; give --api-key-file FILE so "
                    "that only those with the key can",
                    host);
}

/* An IPv6 address may be written as in a URL: "[::1]". */
static const char *bare_host(struct pyr_arena *arena, const char *host) {
    size_t length = host ? strlen(host) : 0;
    return length > 2 && host[0] == '[' && host[length - 1] == ']'
               ? pyr_arena_strndup(arena, host + 1, length - 2)
               : host;
}

/* What requests call the model: the file's name without its extension, or the engine. */
static const char *model_name(struct pyr_cli *cli, const char *target) {
    size_t length = strlen(target);
    if (pyr_target_is_builtin(target))
        return pyr_arena_strndup(cli->arena, target, strcspn(target, ":"));
    while (length > 1 && target[length - 1] == '/')
        length--;
    const char *name = pyr_arena_strndup(cli->arena, target, length), *slash = strrchr(name, '/');
    if (slash && slash[1])
        name = slash + 1;
    const char *dot = strrchr(name, '.');
    return dot && dot > name && strcmp(dot, ".gguf") == 0
               ? pyr_arena_strndup(cli->arena, name, (size_t)(dot - name))
               : name;
}

static void configure(const struct options *options, const struct pyr_loaded *loaded,
                      struct pyr_serving_config *serving) {
    struct pyr_machine_limits limits;
    pyr_machine_limits(&pyr_root_live, &limits);
    uint32_t trained = loaded->info.trained_context;
    uint32_t context = trained && trained < DEFAULT_CONTEXT_MOST ? trained : DEFAULT_CONTEXT_MOST;
    *serving = (struct pyr_serving_config){
        .sequences = (uint32_t)options->sequences,
        .tokens_per_sequence = options->context ? (uint32_t)options->context : context,
        .threads = options->threads ? (uint32_t)options->threads : limits.compute_threads,
        .queue_limit = (uint32_t)options->queue_limit,
        .seed = options->seed,
        .policy = loaded->policy,
    };
}

/* Whether conversations have a format of the model's own. */
static bool has_format(const struct pyr_loaded *loaded) {
    static const struct pyr_message hello = {"user", "hello"};
    int32_t tokens[64];
    return loaded->engine->chat && loaded->engine->chat(loaded->model, &hello, 1, tokens, 64) != 0;
}

static void announce(const struct pyr_openai *server, const struct pyr_openai_config *config,
                     const struct pyr_loaded *loaded, bool quiet) {
    const char *host = config->host ? config->host : "127.0.0.1";
    bool v6 = strchr(host, ':') != NULL;
    struct pyr_serving_info info;
    char name[256];
    pyr_plain_text(name, sizeof name, config->name, strlen(config->name));
    printf("listening on http://%s%s%s:%u/v1 model %s\n", v6 ? "[" : "", host, v6 ? "]" : "",
           pyr_openai_port(server), name);
    fflush(stdout);
    pyr_openai_describe(server, &info);
    if (!quiet)
        fprintf(stderr, "%s %s: %s%s, %u sequences of %u tokens, %u threads%s, conversations %s\n",
                loaded->info.engine, loaded->info.engine_version, loaded->info.description,
                loaded->info.simulated ? " (simulated)" : "", info.sequences,
                info.tokens_per_sequence, info.threads, config->key ? ", key required" : "",
                has_format(loaded) ? "in the model's own format" : "as plain lines");
}

static bool serve(struct pyr_cli *cli, const struct pyr_openai_config *config,
                  const struct pyr_loaded *loaded, const volatile sig_atomic_t *stop,
                  struct pyr_err *err) {
    bool quiet = cli->shared.quiet;
    struct pyr_openai *server;
    if (!pyr_openai_open(config, &server, err))
        return false;
    announce(server, config, loaded, quiet);
    pyr_openai_run(server, stop, DRAIN_NS);
    const struct pyr_openai_totals *totals = pyr_openai_totals(server);
    if (!quiet)
        fprintf(stderr, "served %llu requests, %llu tokens\n",
                (unsigned long long)totals->ends[PYR_OPENAI_OK],
                (unsigned long long)totals->output_tokens);
    pyr_openai_close(server);
    return true;
}

static bool load(struct pyr_cli *cli, const char *target, struct pyr_loaded *loaded,
                 struct pyr_err *err) {
    const struct options *o = cli->options;
    struct pyr_option *options = pyr_arena_array(cli->arena, o->pair_count + 1, sizeof *options);
    size_t count = o->pair_count;
    if (count)
        memcpy(options, o->pairs, count * sizeof *options);
    if (o->engine_dir)
        options[count++] = (struct pyr_option){.key = "engine_dir", .value = o->engine_dir};
    const struct pyr_target_config config = {
        .spec = target, .options = options, .option_count = count};
    if (!pyr_target_attempt(&config, err) || !pyr_loaded_open(&config, loaded, err))
        return false;
    if (!loaded->info.virtual_time)
        return true;
    pyr_loaded_close(loaded);
    return pyr_fail(err, PYR_E_USAGE, "%s: runs in virtual time, which clients do not; add real=1",
                    target);
}

int pyr_cmd_serve(struct pyr_cli *cli, struct pyr_err *err) {
    const struct options *options = cli->options;
    const volatile sig_atomic_t *stop = pyr_signals_install();
    const struct pyr_resolve_input input = {
        .operand = cli->args.operand_count ? cli->args.operands[0] : NULL,
        .model = cli->shared.model,
        .environment = getenv,
        .announce = !cli->shared.quiet};
    struct pyr_openai_config config = {.host = bare_host(cli->arena, options->host),
                                       .port = (uint16_t)options->port};
    struct pyr_resolved resolved;
    struct pyr_loaded loaded;
    if (!read_key(cli, &config.key, err) || !check_host(config.host, config.key, err) ||
        !pyr_resolve_target(cli->arena, &input, &resolved, err))
        return PYR_CLI_FAILED;
    if (!resolved.in_process)
        return pyr_fail(err, PYR_E_USAGE, "%s: is a server already; give a model of this machine",
                        resolved.target)
                   ? 0
                   : PYR_CLI_FAILED;
    if (!load(cli, resolved.target, &loaded, err))
        return PYR_CLI_FAILED;
    configure(options, &loaded, &config.serving);
    config.engine = loaded.engine;
    config.model = loaded.model;
    config.pieces = loaded.pieces;
    config.name = model_name(cli, resolved.target);
    bool ok = serve(cli, &config, &loaded, stop, err);
    pyr_loaded_close(&loaded);
    return ok ? 0 : PYR_CLI_FAILED;
}
