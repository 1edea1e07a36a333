/* SPDX-License-Identifier: MIT
 *
 * The one table of options: name, other spellings, kind of argument, help, and which commands take
 * it. Parsing, --help and shell completion are all made from it, so that they cannot disagree.
 */
#ifndef PYR_CLI_OPTIONS_H
#define PYR_CLI_OPTIONS_H

#include "base/arena.h"
#include "base/err.h"
#include "target/target.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One bit a command, for struct pyr_option_row. */
enum pyr_command_bit {
    PYR_CMD_BENCH = 1 << 0,
    PYR_CMD_RUN = 1 << 1,
    PYR_CMD_MODEL_SYNTH = 1 << 2,
    PYR_CMD_MODEL_INFO = 1 << 3,
    PYR_CMD_DOCTOR = 1 << 4,
    PYR_CMD_REPORT = 1 << 5,
    PYR_CMD_COMPLETION = 1 << 6,
    PYR_CMD_STRESS = 1 << 7,
    PYR_CMD_SERVE = 1 << 8,
    PYR_CMD_BASELINE = 1 << 9,
    PYR_CMD_COMPARE = 1 << 10,
    PYR_CMD_HISTORY = 1 << 11,
    PYR_CMD_CALIBRATE = 1 << 12,
    PYR_CMD_METRICS = 1 << 13,
    PYR_CMD_ALL = (1 << 14) - 1
};

enum pyr_option_kind {
    PYR_KIND_FLAG,
    PYR_KIND_TEXT,
    PYR_KIND_U64,
    PYR_KIND_DOUBLE,
    PYR_KIND_SHARE,    /* 0..1, or a percentage: "0.25", "25%" */
    PYR_KIND_DURATION, /* nanoseconds in `number` */
    PYR_KIND_LIST,     /* of whole numbers */
    PYR_KIND_WARMUP,   /* "20": requests in `number`; "5s": nanoseconds, with is_time */
    PYR_KIND_PAIRS,    /* KEY=VALUE,...; may be given several times */
    PYR_KIND_PAIR      /* the value of one key of the target (target_key); likewise */
};

enum pyr_cli_option {
    /* what is measured */
    PYR_OPT_MODEL,
    PYR_OPT_ISOLATE,
    PYR_OPT_THREADS,      /* a list */
    PYR_OPT_THREAD_COUNT, /* commands that sweep nothing spell it the same */
    PYR_OPT_ENGINE_DIR,
    PYR_OPT_ENGINE_OPTION,
    /* servers */
    PYR_OPT_ENDPOINT,
    PYR_OPT_NO_STREAM,
    PYR_OPT_API_KEY_FILE,
    PYR_OPT_HEADER,
    PYR_OPT_BODY,
    PYR_OPT_CONNECTIONS,
    PYR_OPT_LAUNCH,
    PYR_OPT_WAIT_READY,
    PYR_OPT_CA_FILE,
    PYR_OPT_CLIENT_CERT,
    PYR_OPT_CLIENT_KEY,
    PYR_OPT_INSECURE,
    PYR_OPT_HTTP2,
    PYR_OPT_HTTP1,
    /* serving */
    PYR_OPT_PORT,
    PYR_OPT_HOST,
    PYR_OPT_KEY_FILE, /* serve's --api-key-file */
    PYR_OPT_SEQUENCES,
    PYR_OPT_SERVED_CONTEXT,
    PYR_OPT_QUEUE_LIMIT,
    /* calibration */
    PYR_OPT_STREAMS, /* calibrate's --concurrency */
    PYR_OPT_TOKEN_RATE,
    PYR_OPT_UNIFORM,
    PYR_OPT_UNIX_SOCKET,
    PYR_OPT_IN_PROCESS,
    PYR_OPT_PASS_TIME, /* calibrate's --duration */
    /* how */
    PYR_OPT_CONFIG,
    PYR_OPT_PRESET,
    PYR_OPT_SUITE,
    PYR_OPT_CONCURRENCY,
    PYR_OPT_COPIES, /* run's --concurrency: one number */
    PYR_OPT_RATE,
    PYR_OPT_CLIENTS,
    PYR_OPT_ARRIVAL,
    PYR_OPT_ARRIVAL_CV,
    PYR_OPT_REQUESTS,
    PYR_OPT_DURATION,
    PYR_OPT_LEVEL_TIME,
    PYR_OPT_WARMUP,
    PYR_OPT_THINK_TIME,
    PYR_OPT_RETRY_AFTER,
    PYR_OPT_TIMEOUT,
    PYR_OPT_TIMEOUT_CONNECT,
    PYR_OPT_TIMEOUT_FIRST,
    PYR_OPT_TIMEOUT_BETWEEN,
    PYR_OPT_DRAIN,
    PYR_OPT_RUNS,
    PYR_OPT_SEED,
    /* stress */
    PYR_OPT_PATTERN,
    PYR_OPT_MAX_CONCURRENCY,
    PYR_OPT_BREAKING_POINT,
    PYR_OPT_SWEEP,
    PYR_OPT_LEVELS,
    PYR_OPT_PRODUCTION_LOAD,
    PYR_OPT_SPIKE_HEIGHT,
    PYR_OPT_SPIKE_PERIOD,
    PYR_OPT_SPIKE_WIDTH,
    PYR_OPT_CPU_STRESS,
    PYR_OPT_MEMORY_STRESS,
    PYR_OPT_IO_STRESS,
    /* requests */
    PYR_OPT_PROMPT,
    PYR_OPT_PROMPT_TOKENS,
    PYR_OPT_OUTPUT_TOKENS,
    PYR_OPT_OUTPUT_COUNT, /* run's: one number */
    PYR_OPT_PROMPTS,
    PYR_OPT_SESSIONS,
    PYR_OPT_TRACE,
    PYR_OPT_TRACE_SPEED,
    PYR_OPT_SHARED_PREFIX,
    PYR_OPT_CANCEL_SHARE,
    PYR_OPT_CANCEL_AFTER,
    PYR_OPT_EXACT_OUTPUT,
    PYR_OPT_TEMPERATURE,
    /* judging */
    PYR_OPT_SLO,
    PYR_OPT_TARGETS,
    PYR_OPT_STRICT,
    PYR_OPT_STRICT_MACHINE,
    PYR_OPT_NO_CALIBRATE,
    PYR_OPT_BASELINE,
    PYR_OPT_CURRENT,
    PYR_OPT_THRESHOLD,
    PYR_OPT_GATE,
    PYR_OPT_VARY,
    PYR_OPT_SINGLE,
    PYR_OPT_STRICT_COMPARE,
    PYR_OPT_BACKENDS,
    PYR_OPT_AB,
    PYR_OPT_CONFIRM,
    PYR_OPT_PAIRS,
    PYR_OPT_AB_TIME,        /* compare's --duration */
    PYR_OPT_AB_CONCURRENCY, /* one number */
    PYR_OPT_AB_PROMPT,      /* --prompt-tokens, one number */
    PYR_OPT_AB_OUTPUT,
    PYR_OPT_CI,
    /* history */
    PYR_OPT_HISTORY,
    PYR_OPT_NO_HISTORY,
    PYR_OPT_RUN_GROUP,
    PYR_OPT_CASE,
    PYR_OPT_METRIC,
    PYR_OPT_LIMIT,
    /* model */
    PYR_OPT_WEIGHTS,
    PYR_OPT_LAYERS,
    PYR_OPT_VOCABULARY,
    PYR_OPT_CONTEXT,
    PYR_OPT_METADATA,
    PYR_OPT_TENSORS,
    /* output */
    PYR_OPT_OUTPUT,
    PYR_OPT_OUTPUT_FILE,
    PYR_OPT_FORMATS,
    PYR_OPT_FORMAT,
    PYR_OPT_MACHINE_FORMAT,
    PYR_OPT_COMPARE_FORMAT,
    PYR_OPT_HISTORY_FORMAT,
    PYR_OPT_WRITE_REPORT,
    PYR_OPT_REQUESTS_LOG,
    PYR_OPT_COMMIT,
    PYR_OPT_COMPAT,
    PYR_OPT_QUIET,
    PYR_OPT_VERBOSE,
    PYR_OPT_NO_COLOR,
    PYR_OPT_HELP,
    PYR_OPT_COUNT
};

enum { PYR_OPTION_ALIASES_MAX = 3 };

struct pyr_option_row {
    const char *name;                            /* with its dashes */
    char letter;                                 /* "-m"; 0: none */
    const char *aliases[PYR_OPTION_ALIASES_MAX]; /* other spellings, NULL-filled */
    enum pyr_option_kind kind;
    unsigned commands;                     /* PYR_CMD_* that take it */
    uint64_t least, most;                  /* U64, LIST: of each number; most 0: no bound */
    const char *argument;                  /* as --help names it; NULL for flags */
    const char *target_key, *target_value; /* PAIR: goes to the target under this key; a value
                                              makes it a flag that stands for that value */
    const char *group;                     /* heading in --help */
    const char *help;                      /* a sentence without its stop */
};

/* Two rows may share a name when no command takes both. */
extern const struct pyr_option_row pyr_option_rows[PYR_OPT_COUNT];

struct pyr_option_value {
    const char *spelling; /* as typed ("--concurrent"); NULL: not given */
    const char *text;     /* as typed; NULL for flags */
    uint64_t number;      /* U64, DURATION (ns), WARMUP */
    double real;          /* DOUBLE, SHARE */
    const uint64_t *list;
    size_t list_count;
    bool is_time; /* WARMUP: number is nanoseconds */
};

/* What was typed behind a command. Lives in the arena that parsed it; texts are argv's own. */
struct pyr_args {
    struct pyr_option_value values[PYR_OPT_COUNT];
    const char **operands; /* what is no option, in order */
    size_t operand_count;
    const struct pyr_target_option *pairs; /* of --engine-option and the servers', in order */
    size_t pair_count;
};

static inline bool pyr_given(const struct pyr_args *args, enum pyr_cli_option option) {
    return args->values[option].spelling != 0;
}

/* Reads "--opt value", "--opt=value", "-o value", flags, operands, and "--" before operands that
 * begin with a dash. `command` (a PYR_CMD_* bit) is named `command_name` in errors. Fails with
 * PYR_E_USAGE: an unknown option (with the nearest one, or the command that has it), a missing,
 * malformed or unwanted value, one option twice with two values. */
bool pyr_args_parse(struct pyr_arena *arena, unsigned command, const char *command_name, int argc,
                    char *const *argv, struct pyr_args *args, struct pyr_err *err);

/* Names which two of the options given cannot go together, and why; true when there is none. Only
 * what can be told from the options alone. */
bool pyr_args_check(const struct pyr_args *args, struct pyr_err *err);

/* The words of argv[0..argc) without the options in `drop` and their values, for starting the
 * command again: an array of *count words in the arena. argv was parsed before. */
char **pyr_args_without(struct pyr_arena *arena, unsigned command, int argc, char *const *argv,
                        const enum pyr_cli_option *drop, size_t drop_count, size_t *count);

#endif
