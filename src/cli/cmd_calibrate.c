/* SPDX-License-Identifier: MIT */
#include "cli/cmds.h"
#include "cli/signals.h"

#include "sample/machine.h"
#include "stats/quantile.h"
#include "suite/calibrate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TOKENS = 20, DURATION_S = 3 };
#define TOKEN_RATE 20
static const uint64_t default_streams[] = {100, 1000};

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* "12.3", or "-" where there are too few values for that quantile. */
static const char *quantile_us(const double *sorted, size_t n, double q, char *text, size_t size) {
    if (n == 0 || (double)n < 1 / (1 - q))
        snprintf(text, size, "-");
    else
        snprintf(text, size, "%.4g", sorted[pyr_quantile_rank(n, q) - 1] / 1e3);
    return text;
}

static void print_errors(struct pyr_arena *arena, const char *label,
                         const struct pyr_errors *errors) {
    char p50[32], p99[32], p999[32];
    double *sorted = pyr_arena_array(arena, errors->count + 1, sizeof *sorted);
    if (errors->count)
        memcpy(sorted, errors->ns, errors->count * sizeof *sorted);
    qsort(sorted, errors->count, sizeof *sorted, by_value);
    printf("  %-30s %9s %9s %9s  %8zu\n", label,
           quantile_us(sorted, errors->count, 0.5, p50, sizeof p50),
           quantile_us(sorted, errors->count, 0.99, p99, sizeof p99),
           quantile_us(sorted, errors->count, 0.999, p999, sizeof p999), errors->count);
}

static void print_level(struct pyr_arena *arena, const struct pyr_calibrate_options *options,
                        const struct pyr_calibration *seen) {
    printf("%u streams x %.4g tokens/s, %s\n", options->streams, options->tokens_per_s,
           options->uniform ? "each stepping by itself" : "stepping together");
    printf("  %-30s %9s %9s %9s  %8s\n", "microseconds", "p50", "p99", "p99.9", "n");
    print_errors(arena, "TTFT error", &seen->ttft);
    print_errors(arena, "ITL error", &seen->itl);
    print_errors(arena, "pacing lateness", &seen->pacing);
    print_errors(arena, "arrival error, kernel stamps", &seen->kernel);
    print_errors(arena, "arrival error, our own clock", &seen->user);
    printf("  %-30s %9.4g us: %.4g events/s on one core (computed)\n", "CPU per event",
           seen->cpu_ns_per_event / 1e3, pyr_calibrate_events_per_core(seen));
    printf("  %-30s %9.4g %% of the chunks came with others in one read: their stamps are bounds\n",
           "coalesced", 100 * seen->coalesced_share);
    if (seen->failed || seen->unmatched)
        printf("  ! %llu of %llu requests failed, %llu chunks have no true time\n",
               (unsigned long long)seen->failed, (unsigned long long)seen->requests,
               (unsigned long long)seen->unmatched);
    printf("\n");
    fflush(stdout);
}

int pyr_cmd_calibrate(struct pyr_cli *cli, struct pyr_err *err) {
    static const struct pyr_root root = {""};
    const struct pyr_option_value *v = cli->args.values;
    bool given = pyr_given(&cli->args, PYR_OPT_STREAMS);
    const uint64_t *levels = given ? v[PYR_OPT_STREAMS].list : default_streams;
    size_t count =
        given ? v[PYR_OPT_STREAMS].list_count : sizeof default_streams / sizeof *default_streams;
    struct pyr_machine_limits limits;
    pyr_machine_limits(&root, &limits);
    struct pyr_calibrate_options options = {
        .tokens_per_s =
            pyr_given(&cli->args, PYR_OPT_TOKEN_RATE) ? v[PYR_OPT_TOKEN_RATE].real : TOKEN_RATE,
        .tokens = TOKENS,
        .uniform = pyr_given(&cli->args, PYR_OPT_UNIFORM),
        .duration_ns = pyr_given(&cli->args, PYR_OPT_PASS_TIME) ? v[PYR_OPT_PASS_TIME].number
                                                                : DURATION_S * PYR_NS_PER_S,
        .spin = limits.cpus_allowed > 1,
        .stop = pyr_signals_install()};
    if (!(options.tokens_per_s >= 0.1) || options.tokens_per_s > 1e6) {
        pyr_fail(err, PYR_E_USAGE, "--token-rate: give 0.1 to 1000000 tokens a second");
        return PYR_CLI_FAILED;
    }
    for (size_t i = 0; i < count; i++) {
        struct pyr_calibration seen;
        options.streams = (uint32_t)levels[i];
        if (!pyr_calibrate_run(cli->arena, &options, &seen, err))
            return *options.stop ? 128 + (int)*options.stop : PYR_CLI_FAILED;
        print_level(cli->arena, &options, &seen);
    }
    return 0;
}
