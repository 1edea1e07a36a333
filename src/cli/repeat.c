/* SPDX-License-Identifier: MIT */
#include "cli/repeat.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/process.h"
#include "cli/signals.h"
#include "judge/fingerprint.h"
#include "store/import.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { RESULTS_BYTES_MAX = 64 << 20, MOST_WORDS_ADDED = 16 };

/* What each run gets anew, or only the whole has. */
static const char *const own[] = {
    "--runs",     "--seed",      "--duration", "--output", "--group",  "--backends",
    "--baseline", "--threshold", "--gate",     "--vary",   "--single",
};

const char *pyr_repeat_group(struct pyr_cli *cli, const char *kind) {
    const char *said = cli->shared.group;
    char when[32];
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(when, sizeof when, "%Y%m%dT%H%M%SZ", &utc);
    return said ? said : pyr_arena_printf(cli->arena, "%s-%s", kind, when);
}

const char *pyr_repeat_folder(struct pyr_cli *cli, const char *said) {
    size_t length = strlen(said);
    while (length > 1 && said[length - 1] == '/')
        length--;
    return pyr_arena_strndup(cli->arena, said, length);
}

/* As people write it: "60s", "1500ms". */
static char *duration_word(struct pyr_cli *cli, uint64_t duration_ns) {
    static const struct {
        uint64_t ns;
        const char *unit;
    } units[] = {{PYR_NS_PER_S, "s"}, {1000000, "ms"}, {1, "ns"}};
    size_t i = 0;
    while (duration_ns % units[i].ns)
        i++;
    return pyr_arena_printf(cli->arena, "--duration=%llu%s",
                            (unsigned long long)(duration_ns / units[i].ns), units[i].unit);
}

/* argv of one run: this program, `bench`, the command's words but its name, and what is its own. */
static char **words_of(struct pyr_cli *cli, const struct pyr_repeat *repeat, uint64_t number) {
    size_t count, used = strchr(cli->command->name, ' ') ? 2 : 1;
    char **kept = pyr_args_without(cli->arena, cli->command, cli->argc - (int)used,
                                   cli->argv + used, own, sizeof own / sizeof *own, &count);
    char **words = pyr_arena_array(cli->arena, count + MOST_WORDS_ADDED, sizeof *words);
    size_t n = 0;
    words[n++] = pyr_arena_strdup(cli->arena, "pyrometer");
    words[n++] = pyr_arena_strdup(cli->arena, "bench");
    words[n++] =
        pyr_arena_printf(cli->arena, "--seed=%llu", (unsigned long long)(repeat->seed + number));
    words[n++] = pyr_arena_printf(cli->arena, "--output=%s/", repeat->output);
    words[n++] = pyr_arena_printf(cli->arena, "--group=%s", repeat->group);
    if (repeat->duration_ns)
        words[n++] = duration_word(cli, repeat->duration_ns);
    memcpy(words + n, kept, count * sizeof *words);
    words[n + count] = NULL;
    return words;
}

/* The exit code, 128 + signal, or -1. The run's own report is not shown. */
static int run_once(char **words, struct pyr_err *err) {
    const struct pyr_child run = {.argv = words,
                                  .in = PYR_CHILD_SAME,
                                  .out = PYR_CHILD_NOTHING,
                                  .err = PYR_CHILD_SAME,
                                  .extra = PYR_CHILD_NOTHING,
                                  .death_signal = SIGKILL};
    pid_t child;
    int status;
    if (!pyr_child_start(&run, &child, err))
        return -1;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) {
            pyr_fail_errno(err, errno, "waiting for a run");
            return -1;
        }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static bool take_result(struct pyr_cli *cli, const struct pyr_repeat *repeat,
                        struct pyr_repeated *repeated, struct pyr_kept_run *into,
                        struct pyr_err *err) {
    const char *path = pyr_arena_printf(cli->arena, "%s/results.json", repeat->output);
    struct pyr_buf text = {0};
    struct pyr_kept_run *run;
    size_t count;
    bool fine =
        pyr_fs_read_file(path, RESULTS_BYTES_MAX, &text, err) &&
        pyr_import_text(cli->arena, path, pyr_buf_text(&text), text.length, &run, &count, err);
    if (fine) {
        struct pyr_fingerprint fingerprint = pyr_fingerprint_make(cli->arena, run->meta_json);
        run->fingerprint_json = fingerprint.json;
        run->fingerprint_hash = fingerprint.hash;
        *into = *run;
        json_array_append_new(repeated->results, json_loadb(text.data, text.length, 0, NULL));
    }
    pyr_buf_deinit(&text);
    return fine;
}

static bool is_result(int code) {
    return code == 0 || (code >= 3 && code <= 5);
}

bool pyr_repeat_bench(struct pyr_cli *cli, const struct pyr_repeat *repeat,
                      struct pyr_repeated *repeated, struct pyr_err *err) {
    const volatile sig_atomic_t *stop = pyr_signals_install();
    struct pyr_kept_run *runs = pyr_arena_array(cli->arena, repeat->runs, sizeof *runs);
    *repeated = (struct pyr_repeated){.results = json_array(), .runs = runs};
    for (uint64_t i = 0; i < repeat->runs && !*stop; i++) {
        if (!cli->shared.quiet)
            fprintf(stderr, "run %llu of %llu\n", (unsigned long long)i + 1,
                    (unsigned long long)repeat->runs);
        int code = run_once(words_of(cli, repeat, i), err);
        if (code < 0)
            return false;
        if (code >= 128 || *stop)
            break;
        if (!is_result(code))
            return pyr_fail(err, PYR_E_ENGINE,
                            "run %llu of %llu ended with exit %d; its message stands above",
                            (unsigned long long)i + 1, (unsigned long long)repeat->runs, code);
        if (code > repeated->worst_exit)
            repeated->worst_exit = code;
        if (!take_result(cli, repeat, repeated, &runs[repeated->count], err))
            return pyr_err_prefix(err, "run %llu of %llu left nothing to keep%s",
                                  (unsigned long long)i + 1, (unsigned long long)repeat->runs,
                                  repeat->duration_ns
                                      ? " (--duration is the time of all runs together: give more)"
                                      : "");
        repeated->count++;
    }
    repeated->signal = *stop;
    if (repeated->count < repeat->runs && !repeated->signal)
        repeated->signal = SIGINT;
    return true;
}
