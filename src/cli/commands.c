/* SPDX-License-Identifier: MIT */
#include "cli/commands.h"

#include "base/parse.h"
#include "cli/cmds.h"

#include <string.h>

#define EXAMPLES(...)                                                                              \
    (const char *const[]) {                                                                        \
        __VA_ARGS__, NULL                                                                          \
    }

const struct pyr_command pyr_commands[] = {
    {.name = "bench",
     .alias = "benchmark",
     .bit = PYR_CMD_BENCH,
     .summary = "measure a target: the main job",
     .operands = "[TARGET]",
     .operands_most = 1,
     .description =
         "Measures TARGET with a preset's suites, prints the result and saves it as results.json. "
         "TARGET is a model file (.gguf) or a folder with one, a server's URL "
         "(http://host:port/v1), sim:KEY=VALUE,... (a simulated engine of known law) or null: "
         "(costs nothing: measures the harness). Without one: --model, then BENCH_MODEL_PATH, then "
         "the first model in INFERNO_MODELS_DIR, then a model made here, of TinyLlama-1.1B's shape "
         "with random weights.",
     .examples = EXAMPLES("pyrometer bench model.gguf",
                          "pyrometer bench model.gguf --concurrency 1,8,32 --level-time 20s",
                          "pyrometer bench model.gguf --rate 2 --arrival poisson --duration 2m",
                          "pyrometer bench model.gguf --slo ttft_p90=2s,error=1%"),
     .options = &pyr_bench_set,
     .run = pyr_cmd_bench},
    {.name = "stress",
     .bit = PYR_CMD_STRESS,
     .summary = "patterns of load, pressure beside it, and how much the target carries",
     .operands = "[TARGET]",
     .operands_most = 1,
     .description = "Drives TARGET with a load that rises, spikes, wanders or holds, or searches "
                    "for the highest load that holds the goals (--breaking-point). Without --slo "
                    "the goals are at most 5 % errors and a p95 latency of one second. With "
                    "--rate the load is requests/s, else requests in flight.",
     .examples = EXAMPLES("pyrometer stress model.gguf --pattern ramp --duration 600 -c 100",
                          "pyrometer stress http://127.0.0.1:8000/v1 --breaking-point",
                          "pyrometer stress model.gguf --memory-stress --duration 300"),
     .options = &pyr_stress_set,
     .run = pyr_cmd_stress},
    {.name = "run",
     .bit = PYR_CMD_RUN,
     .summary = "one prompt, or N copies of it at once, through a target",
     .operands = "[TARGET]",
     .operands_most = 1,
     .description =
         "Writes the text to standard output and the timings to standard error. Greedy "
         "unless --temperature is given. With --concurrency N the prompt is sent N times "
         "at once, and texts that differ from the first are written below it.",
     .examples = EXAMPLES("pyrometer run model.gguf --prompt 'Once upon a time'",
                          "pyrometer run model.gguf -p 'Once upon a time' --concurrency 32 -n 60",
                          "pyrometer run model.gguf --prompt - <prompt.txt"),
     .options = &pyr_run_set,
     .run = pyr_cmd_run},
    {.name = "serve",
     .bit = PYR_CMD_SERVE,
     .summary = "a model behind an OpenAI-compatible API",
     .operands = "[MODEL]",
     .operands_most = 1,
     .description =
         "Prints one line, \"listening on http://HOST:PORT/v1 model NAME\", and serves "
         "/v1/chat/completions, /v1/completions, /v1/models, /tokenize, /health and /metrics until "
         "a signal; then it ends what is under way and leaves. MODEL as TARGET of bench; "
         "sim:real=1 and null: can be served too.",
     .examples = EXAMPLES("pyrometer serve model.gguf --port 8080",
                          "pyrometer serve model.gguf --sequences 32 --context 1024 --threads 2",
                          "pyrometer serve model.gguf --host 0.0.0.0 --api-key-file key.txt"),
     .options = &pyr_serve_set,
     .run = pyr_cmd_serve},
    {.name = "model synth",
     .bit = PYR_CMD_MODEL_SYNTH,
     .summary = "make a model file of a given shape with random weights",
     .operands = "SHAPE [FILE]",
     .operands_least = 1,
     .operands_most = 2,
     .description = "Writes a GGUF file that runs at the speed of its shape; its text means "
                    "nothing. The same shape, type and seed give the same bytes.",
     .examples = EXAMPLES("pyrometer model synth stories260k tiny.gguf",
                          "pyrometer model synth tinyllama-1.1b --weights q8_0 --output big.gguf"),
     .options = &pyr_synth_set,
     .run = pyr_cmd_model_synth},
    {.name = "model info",
     .bit = PYR_CMD_MODEL_INFO,
     .summary = "what a model file holds, and what it takes to run it",
     .operands = "FILE",
     .operands_least = 1,
     .operands_most = 1,
     .description = "Reads the file's own description; the weights are not touched.",
     .examples =
         EXAMPLES("pyrometer model info model.gguf", "pyrometer model info model.gguf --tensors"),
     .options = &pyr_info_set,
     .run = pyr_cmd_model_info},
    {.name = "baseline",
     .bit = PYR_CMD_BASELINE,
     .summary = "make the runs that later ones are judged against",
     .operands = "[TARGET]",
     .operands_most = 1,
     .description = "Runs the benchmark at least five times, each in a fresh process, and leaves "
                    "baseline_results.json with all of them, performance_targets.json and "
                    "baseline_report.md in performance_baseline/ (or --output). --duration is the "
                    "time of all runs together.",
     .examples =
         EXAMPLES("pyrometer baseline model.gguf --output performance_baseline --duration 60",
                  "pyrometer baseline model.gguf --runs 8 --preset regression"),
     .options = &pyr_baseline_set,
     .run = pyr_cmd_baseline},
    {.name = "compare",
     .bit = PYR_CMD_COMPARE,
     .summary = "judge a change: exit 3 when it is a regression",
     .operands = "[BASELINE CURRENT | --ab A B]",
     .operands_most = 2,
     .description =
         "Judges current runs against at least five baseline runs of the same environment. Each "
         "side is a baseline's file or folder, a results.json, a run file or its folder, an id of "
         "the history, group:NAME, or a result file of another tool (llama-bench, hyperfine, "
         "criterion, vLLM, GuideLLM, AIPerf). Verdicts: REGRESSED, IMPROVED, UNCHANGED (shown), "
         "INCONCLUSIVE, INCOMPARABLE.",
     .examples = EXAMPLES("pyrometer compare performance_baseline benchmark_results",
                          "pyrometer compare --current new.json --baseline old.json --report",
                          "pyrometer compare --ab './old --x' './new --x'",
                          "pyrometer compare --ab 'm.gguf engine_dir=a' 'm.gguf engine_dir=b'"),
     .options = &pyr_compare_set,
     .run = pyr_cmd_compare},
    {.name = "history",
     .bit = PYR_CMD_HISTORY,
     .summary = "the runs that were kept, and where their level changed",
     .operands = "[WORD] [RUN|COMMIT|FILE] [TEXT]",
     .operands_most = 3,
     .description = "WORD is list (the default), show, plot, changes, mark, merge, add or remove. "
                    "`show` takes a run, `mark` a commit and a text, `add` a "
                    "file. `changes` looks for steps in every number that a "
                    "comparison would gate; `mark` says that a change at a commit was meant, so "
                    "that the search starts anew there. `merge` puts the kept histograms of all "
                    "runs together; `add` takes a run or result file in, `remove` takes a run or "
                    "group:NAME out.",
     .examples = EXAMPLES("pyrometer history", "pyrometer history plot --metric ttft_sent",
                          "pyrometer history mark 4f2a91c 'longer answers'",
                          "pyrometer history merge --group nightly --metric ttft_sent"),
     .options = &pyr_history_set,
     .run = pyr_cmd_history},
    {.name = "metrics export",
     .bit = PYR_CMD_METRICS,
     .summary = "the newest run, or another, for Prometheus",
     .operands = "[RUN]",
     .operands_most = 1,
     .description = "Writes a run's metrics in the text format of Prometheus, or another format of "
                    "report. RUN is a run file, its folder or an id of the history.",
     .examples = EXAMPLES("pyrometer metrics export --format prometheus >metrics.txt"),
     .run = pyr_cmd_metrics_export},
    {.name = "report",
     .bit = PYR_CMD_REPORT,
     .summary = "any past run again, in any format",
     .operands = "RUN",
     .operands_least = 1,
     .operands_most = 1,
     .description = "RUN is a run file (run.pyr), its folder, or its name below "
                    "benchmark_results/history. Everything is worked out again from what was "
                    "recorded.",
     .examples = EXAMPLES("pyrometer report benchmark_results/history/20261120T235959Z",
                          "pyrometer report run.pyr --format json --output again.json",
                          "pyrometer report run.pyr --compat vllm"),
     .run = pyr_cmd_report},
    {.name = "doctor",
     .bit = PYR_CMD_DOCTOR,
     .summary = "whether this machine can be trusted to measure",
     .operands = "",
     .description =
         "Describes the machine, measures how late it wakes a thread, how much one fixed "
         "loop varies and how fast it reads memory, and names what disturbs.",
     .examples = EXAMPLES("pyrometer doctor", "pyrometer doctor --format json"),
     .options = &pyr_doctor_set,
     .run = pyr_cmd_doctor},
    {.name = "calibrate",
     .bit = PYR_CMD_CALIBRATE,
     .summary = "the instrument's own error on this machine",
     .operands = "",
     .description =
         "Starts a server whose tokens leave at known instants in a process of its own, drives it "
         "as bench drives any server, and holds the recorded times against the true ones. bench "
         "and stress do the same at the end of a run, at its own loads, unless --no-calibrate is "
         "given.",
     .examples = EXAMPLES("pyrometer calibrate",
                          "pyrometer calibrate --concurrency 1000 --token-rate 50 --uniform"),
     .options = &pyr_calibrate_set,
     .run = pyr_cmd_calibrate},
    {.name = "completion",
     .bit = PYR_CMD_COMPLETION,
     .summary = "completion for a shell: bash, zsh or fish",
     .operands = "SHELL",
     .operands_least = 1,
     .operands_most = 1,
     .description = "Writes a script for the shell to read.",
     .examples = EXAMPLES("source <(pyrometer completion bash)",
                          "pyrometer completion fish >~/.config/fish/completions/pyrometer.fish"),
     .run = pyr_cmd_completion},
    {0},
};

/* Commands and options of the design that come later. They leave these tables when they land. */
static const char *const planned_commands[] = {"profile",   "memory-profile", "pgo", "monitor",
                                               "dashboard", "model convert",  NULL};

static const struct {
    const char *spelling, *instead;
} planned_options[] = {
    {"--profile", "run perf beside it"},
    {"--no-energy", "energy is read only where the machine has counters"},
};

const char *pyr_planned_option(const char *spelling) {
    for (size_t i = 0; i < sizeof planned_options / sizeof *planned_options; i++)
        if (strcmp(planned_options[i].spelling, spelling) == 0)
            return planned_options[i].instead;
    return NULL;
}

/* How many words of argv the name takes, 0 when it is another. */
static int matches(const char *name, int argc, char *const *argv) {
    const char *blank = strchr(name, ' ');
    if (!blank)
        return strcmp(name, argv[0]) == 0 ? 1 : 0;
    size_t length = (size_t)(blank - name);
    return argc > 1 && strlen(argv[0]) == length && strncmp(argv[0], name, length) == 0 &&
                   strcmp(blank + 1, argv[1]) == 0
               ? 2
               : 0;
}

static bool is_target(const char *word) {
    return strchr(word, '/') || strchr(word, ':') || strstr(word, ".gguf");
}

/* The first word of several commands ("model"): says which there are. */
static bool fail_incomplete(const char *word, struct pyr_err *err) {
    char list[256] = "";
    size_t length = strlen(word);
    for (const struct pyr_command *c = pyr_commands; c->name; c++)
        if (strncmp(c->name, word, length) == 0 && c->name[length] == ' ')
            snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", *list ? " or " : "",
                     c->name);
    return *list != '\0' && !pyr_fail(err, PYR_E_USAGE, "%s: wants a second word: %s", word, list);
}

static void fail_unknown(int argc, char *const *argv, struct pyr_err *err) {
    const char *names[64];
    size_t count = 0;
    for (const struct pyr_command *c = pyr_commands; c->name; c++) {
        names[count++] = c->name;
        if (strncmp(c->name, "model ", 6) == 0)
            names[count++] = "model";
        if (c->alias)
            names[count++] = c->alias;
    }
    for (const char *const *planned = planned_commands; *planned; planned++) {
        if (matches(*planned, argc, argv)) {
            pyr_fail(err, PYR_E_USAGE,
                     "%s: not built yet in this version; pyrometer --help lists what there is",
                     *planned);
            return;
        }
    }
    if (fail_incomplete(argv[0], err))
        return;
    const char *near = pyr_nearest(argv[0], names, count);
    if (near)
        pyr_fail(err, PYR_E_USAGE, "%s: unknown command; did you mean %s?", argv[0], near);
    else if (is_target(argv[0]))
        pyr_fail(err, PYR_E_USAGE, "%s: is no command; to measure it: pyrometer bench %s", argv[0],
                 argv[0]);
    else
        pyr_fail(err, PYR_E_USAGE, "%s: unknown command; pyrometer --help lists them", argv[0]);
}

const struct pyr_command *pyr_command_find(int argc, char *const *argv, int *used,
                                           struct pyr_err *err) {
    for (const struct pyr_command *c = pyr_commands; c->name; c++) {
        *used = matches(c->name, argc, argv);
        if (!*used && c->alias)
            *used = matches(c->alias, argc, argv);
        if (*used)
            return c;
    }
    fail_unknown(argc, argv, err);
    return NULL;
}
