/* SPDX-License-Identifier: MIT */
#include "suite/bench_options.h"

#include "base/parse.h"
#include "report/formats.h"
#include "suite/suite.h"

#include <string.h>

#define AT(field) offsetof(struct pyr_bench_options, field)

static const char *preset_name(size_t index) {
    return index < pyr_preset_count ? pyr_presets[index].name : NULL;
}

/* Those that this version has, and all of them together. */
static const char *suite_name(size_t index) {
    for (size_t i = 0; pyr_suites[i]; i++)
        if (!pyr_suites[i]->missing && index-- == 0)
            return pyr_suites[i]->name;
    return index == 0 ? "all" : NULL;
}

static const char *const starts[] = {"spread", "burst", NULL};
static const char *const arrivals[] = {"constant", "poisson", "gamma", "burst", NULL};

/* "20": requests; "5s": time. */
static bool read_warmup(const char *text, void *into, struct pyr_arena *arena,
                        struct pyr_err *err) {
    struct pyr_bench_options *o = into;
    (void)arena;
    o->warmup_set = true;
    o->warmup_requests = o->warmup_ns = 0;
    return text[strspn(text, "0123456789")] ? pyr_parse_duration_ns(text, &o->warmup_ns, err)
                                            : pyr_parse_u64(text, &o->warmup_requests, err);
}

static const struct pyr_option_row target_rows[] = {
    PYR_ROW_ISOLATE(AT(isolate)),
    {.name = "--threads",
     .kind = PYR_OPTION_LIST,
     .offset = AT(threads),
     .count_offset = AT(threads_count),
     .least = 1,
     .most = PYR_OPTION_MANY,
     .argument = "LIST",
     .group = PYR_GROUP_TARGET,
     .help = "compute threads; a list is swept (default: the cores this process may use)"},
    PYR_ROWS_ENGINE(AT(engine_dir), AT(target_options), AT(target_option_count)),
};
const struct pyr_option_table pyr_bench_target_options = PYR_OPTION_TABLE("target", target_rows);

static const struct pyr_option_row case_rows[] = {
    {.name = "--suite",
     .letter = 'b',
     .aliases = {"--bench-type"},
     .kind = PYR_OPTION_TEXT,
     .offset = AT(suite),
     .word = suite_name,
     .argument = "NAME,...",
     .group = PYR_GROUP_LOAD,
     .help = "which benchmarks (below)"},
    {.name = "--concurrency",
     .aliases = {"--concurrent", "--prompt-batchsize"},
     .kind = PYR_OPTION_LIST,
     .offset = AT(concurrency),
     .count_offset = AT(concurrency_count),
     .least = 1,
     .most = PYR_OPTION_VERY_MANY,
     .argument = "LIST",
     .group = PYR_GROUP_LOAD,
     .help = "requests in flight, one case for each number"},
    {.name = "--requests",
     .letter = 'i',
     .aliases = {"--iterations", "--repetitions"},
     .kind = PYR_OPTION_WHOLE,
     .offset = AT(requests),
     .least = 1,
     .argument = "N",
     .group = PYR_GROUP_LOAD,
     .help = "requests of each case, at most"},
    {.name = "--runs",
     .kind = PYR_OPTION_WHOLE,
     .offset = AT(runs),
     .least = 1,
     .most = 1000,
     .argument = "N",
     .group = PYR_GROUP_LOAD,
     .help = "the same several times, each in a fresh process"},
};
const struct pyr_option_table pyr_bench_case_options = PYR_OPTION_TABLE("cases", case_rows);

static const struct pyr_option_row run_rows[] = {
    {.name = "--preset",
     .letter = 't',
     .aliases = {"--type"},
     .kind = PYR_OPTION_TEXT,
     .offset = AT(preset),
     .word = preset_name,
     .argument = "NAME",
     .group = PYR_GROUP_LOAD,
     .help = "what decides everything that is not said (below)"},
    {.name = "--rate",
     .letter = 'r',
     .kind = PYR_OPTION_REAL,
     .offset = AT(rate),
     .argument = "R",
     .group = PYR_GROUP_LOAD,
     .help = "requests a second, sent on time whatever happened to those before"},
    {.name = "--clients",
     .kind = PYR_OPTION_WHOLE,
     .offset = AT(clients),
     .least = 1,
     .most = PYR_OPTION_VERY_MANY,
     .meta = "clients",
     .null_at_zero = true,
     .argument = "N",
     .group = PYR_GROUP_LOAD,
     .help = "--rate is of each of N clients, not the total"},
    {.name = "--arrival",
     .kind = PYR_OPTION_TEXT,
     .offset = AT(arrival),
     .choices = arrivals,
     .argument = "KIND",
     .group = PYR_GROUP_LOAD,
     .help = "constant, poisson, gamma or burst (with --rate)"},
    {.name = "--arrival-cv",
     .kind = PYR_OPTION_REAL,
     .offset = AT(arrival_cv),
     .meta = "arrival_cv",
     .null_at_zero = true,
     .argument = "CV",
     .group = PYR_GROUP_LOAD,
     .help = "variation of gamma arrivals; 1 is poisson"},
    {.name = "--duration",
     .letter = 'd',
     .kind = PYR_OPTION_DURATION,
     .offset = AT(duration_ns),
     .argument = "TIME",
     .group = PYR_GROUP_LOAD,
     .help = "the whole run takes no longer: 90, 90s, 5m"},
    {.name = "--level-time",
     .kind = PYR_OPTION_DURATION,
     .offset = AT(level_time_ns),
     .argument = "TIME",
     .group = PYR_GROUP_LOAD,
     .help = "one case takes no longer"},
    {.name = "--warmup",
     .kind = PYR_OPTION_OWN,
     .read = read_warmup,
     .argument = "N|TIME",
     .group = PYR_GROUP_LOAD,
     .help = "requests or time before each case that do not count"},
    {.name = "--start",
     .kind = PYR_OPTION_CHOICE,
     .offset = AT(start_burst),
     .choices = starts,
     .argument = "spread|burst",
     .group = PYR_GROUP_LOAD,
     .help = "the users in flight begin spread over one answer (the default), or all at once"},
    {.name = "--think-time",
     .kind = PYR_OPTION_DURATION,
     .offset = AT(think_ns),
     .meta = "think_s",
     .argument = "TIME",
     .group = PYR_GROUP_LOAD,
     .help = "pause of each of the users in flight between requests"},
    {.name = "--heed-retry-after",
     .kind = PYR_OPTION_FLAG,
     .offset = AT(heed_retry_after),
     .meta = "heed_retry_after",
     .group = PYR_GROUP_LOAD,
     .help = "a user who is turned away (429, 503) pauses as long as the server asks; without it "
             "none does"},
    PYR_ROWS_TIMEOUTS(AT(timeout_ns), AT(timeout_connect_ns), AT(timeout_first_ns),
                      AT(timeout_between_ns)),
    {.name = "--drain",
     .kind = PYR_OPTION_DURATION,
     .offset = AT(drain_ns),
     .meta = "drain_s",
     .argument = "TIME",
     .group = PYR_GROUP_LOAD,
     .help = "how long requests in flight may still end after a case"},
    PYR_ROW_SEED(AT(seed)),
    {.name = "--trace",
     .kind = PYR_OPTION_TEXT,
     .offset = AT(trace),
     .meta = "trace",
     .argument = "FILE",
     .group = PYR_GROUP_LOAD,
     .help = "play recorded traffic: its instants, lengths and shared prefixes (Mooncake JSON "
             "lines or Azure CSV)"},
    {.name = "--trace-speed",
     .kind = PYR_OPTION_REAL,
     .offset = AT(trace_speed),
     .argument = "X",
     .group = PYR_GROUP_LOAD,
     .help = "play it so many times as fast (default 1)"},

    {.name = "--prompt-tokens",
     .aliases = {"--n-prompt"},
     .kind = PYR_OPTION_TEXT,
     .offset = AT(prompt_tokens),
     .argument = "N|DIST",
     .group = PYR_GROUP_REQUESTS,
     .help = "prompt length: 128, 64-256, normal:128,32, lognormal:128,96, exponential:128"},
    {.name = "--output-tokens",
     .letter = 'n',
     .aliases = {"--tokens", "--max-tokens", "--n-gen"},
     .kind = PYR_OPTION_TEXT,
     .offset = AT(output_tokens),
     .argument = "N|DIST",
     .group = PYR_GROUP_REQUESTS,
     .help = "output length, likewise"},
    {.name = "--prompts",
     .kind = PYR_OPTION_TEXT,
     .offset = AT(prompts_path),
     .meta = "prompts",
     .argument = "FILE",
     .group = PYR_GROUP_REQUESTS,
     .help = "your own prompts: one a line, or JSON lines"},
    {.name = "--sessions",
     .kind = PYR_OPTION_TEXT,
     .offset = AT(sessions),
     .meta = "sessions",
     .argument = "FILE",
     .group = PYR_GROUP_REQUESTS,
     .help = "conversations (JSON lines) held turn by turn, each user one at a time"},
    {.name = "--shared-prefix",
     .kind = PYR_OPTION_SHARE,
     .offset = AT(shared_prefix),
     .meta = "shared_prefix",
     .argument = "SHARE",
     .group = PYR_GROUP_REQUESTS,
     .help = "of each prompt that all have in common (default 0: every prompt is unique)"},
    {.name = "--cancel-share",
     .kind = PYR_OPTION_SHARE,
     .offset = AT(cancel_share),
     .meta = "cancel_share",
     .argument = "SHARE",
     .group = PYR_GROUP_REQUESTS,
     .help = "of the requests that are cancelled (with --cancel-after)"},
    {.name = "--cancel-after",
     .kind = PYR_OPTION_DURATION,
     .offset = AT(cancel_after_ns),
     .meta = "cancel_after_s",
     .null_at_zero = true,
     .argument = "TIME",
     .group = PYR_GROUP_REQUESTS,
     .help = "how long after they were sent"},
    {.name = "--exact-output",
     .kind = PYR_OPTION_FLAG,
     .offset = AT(exact_output),
     .meta = "exact_output",
     .group = PYR_GROUP_REQUESTS,
     .help = "fewer tokens than asked is an error"},
    PYR_ROW_TEMPERATURE(AT(temperature)),

    {.name = "--slo",
     .kind = PYR_OPTION_TEXT,
     .offset = AT(slo),
     .argument = "LIST",
     .group = PYR_GROUP_JUDGING,
     .help = "goals, or a name from below; missing one is exit 3: "
             "ttft_p99=500ms,itl_p99=50ms,error=1%"},
    {.name = "--no-calibrate",
     .kind = PYR_OPTION_FLAG,
     .offset = AT(no_calibrate),
     .group = PYR_GROUP_JUDGING,
     .help = "skip the measurement of the instrument's own error"},

    {.name = "--output",
     .letter = 'o',
     .aliases = {"--output-dir"},
     .kind = PYR_OPTION_TEXT,
     .offset = AT(output),
     .argument = "PATH",
     .group = PYR_GROUP_OUTPUT,
     .help = "where to write; a folder when it is one, ends in / or has no extension"},
    {.name = "--format",
     .letter = 'f',
     .kind = PYR_OPTION_TEXT,
     .offset = AT(format),
     .word = pyr_report_format_name,
     .argument = "NAME,...",
     .group = PYR_GROUP_OUTPUT,
     .help = "further files beside results.json (below)"},
    {.name = "--requests-log",
     .kind = PYR_OPTION_TEXT,
     .offset = AT(requests_log),
     .argument = "FILE",
     .group = PYR_GROUP_OUTPUT,
     .help = "every request with its raw stamps, as JSON lines"},
};
const struct pyr_option_table pyr_bench_run_options = PYR_OPTION_TABLE("run", run_rows);

static const struct pyr_option_table *const tables[] = {
    &pyr_bench_target_options, &pyr_bench_case_options, &pyr_bench_run_options};

const struct pyr_option_row *pyr_bench_option_at(size_t index) {
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        if (index < tables[i]->count)
            return &tables[i]->rows[index];
        index -= tables[i]->count;
    }
    return NULL;
}

const struct pyr_option_row *pyr_bench_option(const char *name) {
    const struct pyr_option_row *row;
    const char *bare = name + strspn(name, "-");
    for (size_t i = 0; (row = pyr_bench_option_at(i)); i++)
        if (strcmp(row->name + 2, bare) == 0)
            return row;
    return NULL;
}
