/* SPDX-License-Identifier: MIT */
#include "cli/cmds.h"
#include "cli/resolve.h"
#include "cli/signals.h"

#include "base/fs.h"
#include "base/hash.h"
#include "base/mem.h"
#include "codec/escape.h"
#include "load/driver.h"
#include "load/workload.h"
#include "model/gguf_check.h"
#include "model/gguf_read.h"
#include "sample/machine.h"
#include "suite/bench_options.h"
#include "target/http_options.h"
#include "target/target.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PROMPT_BYTES_MAX = 1 << 24 };
#define SILENCE_NS (300 * PYR_NS_PER_S)
enum { LANE_LOAD, LANE_ENGINE, LANE_COUNT };

struct options {
    bool isolate;
    uint64_t threads, copies, output_tokens, seed;
    const char *engine_dir, *prompt;
    const struct pyr_option *pairs; /* of the engine and of servers */
    size_t pair_count;
    uint64_t timeout_ns, timeout_connect_ns, timeout_first_ns, timeout_between_ns;
    float temperature;
};

#define AT(field) offsetof(struct options, field)
static const struct pyr_option_row rows[] = {
    PYR_ROW_ISOLATE(AT(isolate)),
    PYR_ROW_THREAD_COUNT(AT(threads)),
    PYR_ROWS_ENGINE(AT(engine_dir), AT(pairs), AT(pair_count)),
    PYR_ROWS_TIMEOUTS(AT(timeout_ns), AT(timeout_connect_ns), AT(timeout_first_ns),
                      AT(timeout_between_ns)),
    PYR_ROW_SEED(AT(seed)),
    {.name = "--concurrency",
     .letter = 'c',
     .aliases = {"--concurrent", "--prompt-batchsize"},
     .kind = PYR_OPTION_WHOLE,
     .offset = AT(copies),
     .least = 1,
     .most = PYR_OPTION_MANY,
     .standard = "1",
     .argument = "N",
     .group = PYR_GROUP_REQUESTS,
     .help = "send it N times at once (default 1)"},
    {.name = "--prompt",
     .letter = 'p',
     .kind = PYR_OPTION_TEXT,
     .offset = AT(prompt),
     .argument = "TEXT",
     .group = PYR_GROUP_REQUESTS,
     .help = "the prompt; - reads it from standard input"},
    {.name = "--output-tokens",
     .letter = 'n',
     .aliases = {"--tokens", "--max-tokens"},
     .kind = PYR_OPTION_WHOLE,
     .offset = AT(output_tokens),
     .least = 1,
     .most = PYR_OPTION_VERY_MANY,
     .standard = "128",
     .argument = "N",
     .group = PYR_GROUP_REQUESTS,
     .help = "how many tokens at most (default 128)"},
    PYR_ROW_TEMPERATURE(AT(temperature)),
};
static const struct pyr_option_table table = PYR_OPTION_TABLE("run", rows);
const struct pyr_option_set pyr_run_set = {sizeof(struct options),
                                           {{&table, 0, false}, {&pyr_http_option_table, 0, true}}};

/* What is left of a request when it has ended. Texts stay with the target until it is closed. */
struct answer {
    struct pyr_request record;
    const char *text;
    size_t text_bytes;
};

struct answers {
    struct answer *list; /* (room) */
    size_t count, room;
    uint32_t prompt_tokens;
};

struct run {
    struct pyr_cli *cli;
    const struct options *options;
    const char *prompt;
    uint32_t copies, output_tokens;
    struct pyr_resolved resolved;
    const volatile sig_atomic_t *stop;
    uint64_t virtual_now_ns;
    struct pyr_target *target;
    struct pyr_target_info info;
    struct answers answers;
    struct pyr_load_result result;
};

static void on_ended(void *context, const struct pyr_slot *slot) {
    struct answers *answers = context;
    if (answers->count < answers->room)
        answers->list[answers->count++] = (struct answer){
            .record = slot->record, .text = slot->text, .text_bytes = slot->text_bytes};
}

static bool read_prompt(struct run *run, struct pyr_err *err) {
    const char *prompt = run->options->prompt;
    if (!prompt)
        return pyr_fail(err, PYR_E_USAGE,
                        "run: wants --prompt TEXT (or --prompt - for standard "
                        "input)");
    run->prompt = prompt;
    if (strcmp(prompt, "-") != 0)
        return *run->prompt || pyr_fail(err, PYR_E_USAGE, "--prompt: is empty");
    struct pyr_buf text = {0};
    char block[4096];
    size_t got;
    while ((got = fread(block, 1, sizeof block, stdin)) > 0 && text.length < PROMPT_BYTES_MAX)
        pyr_buf_append(&text, block, got);
    while (text.length > 0 && text.data[text.length - 1] == '\n')
        text.data[--text.length] = '\0';
    run->prompt = pyr_arena_strndup(run->cli->arena, pyr_buf_text(&text), text.length);
    pyr_buf_deinit(&text);
    return *run->prompt || pyr_fail(err, PYR_E_INPUT, "standard input: holds no prompt");
}

/* Room for the prompt, whose tokens are known only once the model is loaded: a token takes at
 * least a byte, and a begin token and a leading blank may come on top; but no more than the model
 * was trained for. */
static uint32_t tokens_needed(const struct run *run) {
    uint64_t needed = strlen(run->prompt) + 2 + run->output_tokens;
    struct pyr_gguf_file file;
    struct pyr_gguf_shape shape;
    if (pyr_fs_is_file(run->resolved.target) && pyr_gguf_open(run->resolved.target, &file, NULL)) {
        if (pyr_gguf_check(&file.gguf, run->resolved.target, &shape, NULL) && shape.context &&
            needed > shape.context)
            needed = shape.context;
        pyr_gguf_close(&file);
    }
    return needed < UINT32_MAX ? (uint32_t)needed : UINT32_MAX;
}

static bool open_target(struct run *run, struct pyr_err *err) {
    const struct options *o = run->options;
    struct pyr_option *pairs = pyr_arena_array(run->cli->arena, o->pair_count + 1, sizeof *pairs);
    size_t count = o->pair_count;
    if (count)
        memcpy(pairs, o->pairs, count * sizeof *pairs);
    if (o->engine_dir)
        pairs[count++] = (struct pyr_option){.key = "engine_dir", .value = o->engine_dir};
    struct pyr_machine_limits limits;
    pyr_machine_limits(&pyr_root_live, &limits);
    const struct pyr_target_config config = {
        .spec = run->resolved.target,
        .model = run->resolved.model,
        .options = pairs,
        .option_count = count,
        .threads = o->threads ? (uint32_t)o->threads : limits.compute_threads,
        .tokens_per_sequence = run->resolved.in_process ? tokens_needed(run) : 0,
        .timeout_ns = o->timeout_ns,
        .timeout_connect_ns = o->timeout_connect_ns,
        .seed = o->seed,
        .attempt = true,
        .temperature = o->temperature,
        .virtual_now_ns =
            strncmp(run->resolved.target, "sim:", 4) == 0 ? &run->virtual_now_ns : NULL};
    if (!pyr_target_open(&config, o->isolate, &run->target, err))
        return false;
    run->target->ops->describe(run->target, &run->info);
    return true;
}

/* A server that says nothing for minutes is stuck, and nobody may be there to end the wait. */
static struct pyr_limits limits_of(const struct run *run) {
    const struct options *o = run->options;
    struct pyr_limits limits = {o->timeout_connect_ns, o->timeout_first_ns, o->timeout_between_ns,
                                o->timeout_ns};
    if (!run->resolved.in_process && !limits.total_ns) {
        limits.first_token_ns = limits.first_token_ns ? limits.first_token_ns : SILENCE_NS;
        limits.between_tokens_ns = limits.between_tokens_ns ? limits.between_tokens_ns : SILENCE_NS;
    }
    return limits;
}

static bool drive(struct run *run, struct pyr_workload *workload, struct pyr_recorder *recorder,
                  struct pyr_err *err) {
    struct pyr_load *load;
    const struct pyr_load_config config = {
        .target = run->target,
        .max_in_flight = run->copies,
        .recorder = recorder,
        .lane = pyr_recorder_lane(recorder, LANE_LOAD),
        .engine_lane = pyr_recorder_lane(recorder, LANE_ENGINE),
        .virtual_now_ns = run->info.virtual_time ? &run->virtual_now_ns : NULL};
    const struct pyr_load_plan plan = {.concurrency = run->copies,
                                       .requests = run->copies,
                                       .limits = limits_of(run),
                                       .capture_text = true,
                                       .temperature = run->options->temperature,
                                       .seed = run->options->seed,
                                       .stop = run->stop,
                                       .ended = on_ended,
                                       .ended_context = &run->answers};
    if (!pyr_load_open(&config, &load, err))
        return false;
    bool ok = pyr_load_run(load, &plan, workload, &run->result, err);
    /* Texts belong to the handle, which load closes: they are copied first. */
    for (size_t i = 0; i < run->answers.count; i++) {
        struct answer *answer = &run->answers.list[i];
        answer->text = pyr_arena_strndup(run->cli->arena, answer->text ? answer->text : "",
                                         answer->text ? answer->text_bytes : 0);
    }
    pyr_load_close(load);
    return ok;
}

static bool answer_all(struct run *run, struct pyr_err *err) {
    const struct pyr_prompt_class class = {.name = "prompt",
                                           .prompt_tokens = pyr_length_fixed(1),
                                           .output_tokens = pyr_length_fixed(run->output_tokens)};
    const struct pyr_workload_options options = {.classes = &class,
                                                 .class_count = 1,
                                                 .texts = &run->prompt,
                                                 .text_count = 1,
                                                 .requests = run->copies,
                                                 .max_in_flight = run->copies,
                                                 .seed = 1};
    const struct pyr_clock clock = {run->info.virtual_time ? &run->virtual_now_ns : NULL};
    const struct pyr_recorder_config recording = {
        .lanes = LANE_COUNT, .inline_writer = true, .meta_json = "{}"};
    struct pyr_workload *workload;
    struct pyr_recorder *recorder;
    if (!pyr_workload_create(&options, run->target, &workload, err))
        return false;
    if (!pyr_recorder_open(&recording, &clock, &recorder, err)) {
        pyr_workload_destroy(workload);
        return false;
    }
    run->answers.room = run->copies;
    run->answers.list =
        pyr_arena_array(run->cli->arena, run->answers.room, sizeof *run->answers.list);
    bool ok = drive(run, workload, recorder, err);
    (void)pyr_recorder_close(recorder, NULL);
    pyr_workload_destroy(workload);
    return ok;
}

/* As it is into a file or a pipe; what could act on a terminal does not reach one. */
static void write_text(const char *text, size_t bytes) {
    bool terminal = isatty(STDOUT_FILENO);
    for (size_t i = 0; terminal && i < bytes;) {
        size_t length = pyr_utf8_length(text + i, bytes - i), taken = length ? length : 1;
        bool kept =
            length && (text[i] == '\n' || text[i] == '\t' || !pyr_utf8_is_active(text + i, length));
        fwrite(kept ? text + i : "?", 1, kept ? length : 1, stdout);
        i += taken;
    }
    if (!terminal)
        fwrite(text, 1, bytes, stdout);
    putchar('\n');
}

/* The first text, then those that differ from it, each once. */
static void write_texts(const struct run *run) {
    const struct answer *first = NULL;
    size_t same = 0, ended = 0;
    for (size_t i = 0; i < run->answers.count; i++) {
        const struct answer *answer = &run->answers.list[i];
        if (answer->text_bytes == 0)
            continue;
        ended++;
        bool equal = first && first->text_bytes == answer->text_bytes &&
                     memcmp(first->text, answer->text, answer->text_bytes) == 0;
        same += !first || equal;
        if (equal)
            continue;
        first = first ? first : answer;
        write_text(answer->text, answer->text_bytes);
    }
    fflush(stdout);
    if (run->copies > 1 && ended > 0 && !run->cli->shared.quiet)
        fprintf(stderr, "%zu of %zu texts are the same\n", same, ended);
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static const char *time_text(double ns, char *text, size_t size) {
    if (ns < 1e6)
        snprintf(text, size, "%.4g us", ns / 1e3);
    else if (ns < 1e9)
        snprintf(text, size, "%.4g ms", ns / 1e6);
    else
        snprintf(text, size, "%.4g s", ns / 1e9);
    return text;
}

/* "12.3 ms", or over several "median 12.3 ms, 10.1 ms to 15 ms". */
static void write_times(const char *label, double *ns, size_t count) {
    char least[32], median[32], most[32];
    if (count == 0)
        return;
    qsort(ns, count, sizeof *ns, by_value);
    time_text(ns[count / 2], median, sizeof median);
    if (count == 1)
        fprintf(stderr, "  %-14s %s\n", label, median);
    else
        fprintf(stderr, "  %-14s median %s, %s to %s\n", label, median,
                time_text(ns[0], least, sizeof least), time_text(ns[count - 1], most, sizeof most));
}

static void write_timings(const struct run *run) {
    size_t count = run->answers.count, first_count = 0, gap_count = 0, all_count = 0;
    double *first = pyr_arena_array(run->cli->arena, count, sizeof *first);
    double *gap = pyr_arena_array(run->cli->arena, count, sizeof *gap);
    double *all = pyr_arena_array(run->cli->arena, count, sizeof *all);
    uint64_t tokens = 0, start_ns = UINT64_MAX, end_ns = 0;
    uint32_t prompt_tokens = 0;
    for (size_t i = 0; i < count; i++) {
        const struct pyr_request *r = &run->answers.list[i].record;
        if (r->outcome != PYR_OUTCOME_OK || r->first_content_ns == 0)
            continue;
        prompt_tokens = r->prompt_tokens;
        tokens += pyr_request_tokens(r);
        start_ns = r->sent_ns < start_ns ? r->sent_ns : start_ns;
        end_ns = r->last_content_ns > end_ns ? r->last_content_ns : end_ns;
        first[first_count++] = (double)(r->first_content_ns - r->sent_ns);
        all[all_count++] = (double)(r->last_content_ns - r->sent_ns);
        uint32_t streamed = pyr_request_streamed_tokens(r);
        if (streamed > 1 && r->chunks > 1)
            gap[gap_count++] = (double)(r->last_content_ns - r->first_content_ns) / (streamed - 1);
    }
    if (all_count == 0)
        return;
    fprintf(stderr, "%s%s%s", run->info.name, *run->info.engine ? ", " : "", run->info.engine);
    if (run->info.threads) /* of a server none are known */
        fprintf(stderr, ", %u threads", run->info.threads);
    fprintf(stderr, "%s\n", run->info.simulated ? " (simulated)" : "");
    fprintf(stderr, "  %-14s %zu of %u ok, %u prompt tokens each, %llu output tokens\n", "requests",
            all_count, run->copies, prompt_tokens, (unsigned long long)tokens);
    if (run->info.load_ns)
        write_times("model load", &(double){(double)run->info.load_ns}, 1);
    write_times("first token", first, first_count);
    write_times("each next", gap, gap_count);
    write_times("whole answer", all, all_count);
    if (end_ns > start_ns)
        fprintf(stderr, "  %-14s %.4g output tokens/s\n", "together",
                (double)tokens / ((double)(end_ns - start_ns) / 1e9));
}

/* Says why requests failed; true when all are fine or were cancelled by a signal. */
static bool check_outcomes(const struct run *run, struct pyr_err *err) {
    for (int i = 0; i < PYR_OUTCOME_COUNT; i++) {
        if (run->result.outcomes[i] == 0 || i == PYR_OUTCOME_OK || i == PYR_OUTCOME_CANCELLED)
            continue;
        const char *why = run->result.first_error[i];
        enum pyr_errc code = i == PYR_OUTCOME_TOO_LONG ? PYR_E_INPUT : PYR_E_ENGINE;
        return pyr_fail(err, code, "%llu of %u requests failed (%s)%s%s",
                        (unsigned long long)run->result.outcomes[i], run->copies,
                        pyr_outcome_name((enum pyr_outcome)i), *why ? ": " : "", why);
    }
    return true;
}

int pyr_cmd_run(struct pyr_cli *cli, struct pyr_err *err) {
    const struct options *options = cli->options;
    bool quiet = cli->shared.quiet;
    struct run run = {.cli = cli,
                      .options = options,
                      .copies = (uint32_t)options->copies,
                      .output_tokens = (uint32_t)options->output_tokens,
                      .stop = pyr_signals_install()};
    const struct pyr_resolve_input input = {
        .operand = cli->args.operand_count ? cli->args.operands[0] : NULL,
        .model = cli->shared.model,
        .environment = getenv,
        .announce = !quiet};
    if (!read_prompt(&run, err) || !pyr_resolve_target(cli->arena, &input, &run.resolved, err) ||
        !pyr_check_target(&cli->args, options->pairs, options->pair_count, &run.resolved, err))
        return PYR_CLI_FAILED;
    if (run.resolved.note)
        fprintf(stderr, "no model was named: running %s, %s\n", run.resolved.target,
                run.resolved.note);
    if (!open_target(&run, err))
        return PYR_CLI_FAILED;
    bool ok = answer_all(&run, err);
    write_texts(&run);
    if (!quiet)
        write_timings(&run);
    run.target->ops->close(run.target);
    if (run.result.signal)
        return 128 + run.result.signal;
    return ok && check_outcomes(&run, err) ? 0 : PYR_CLI_FAILED;
}
