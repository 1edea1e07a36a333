/* SPDX-License-Identifier: MIT
 *
 * The progress of a benchmark on standard error: on a terminal one line drawn in place, at most
 * four times a second, gone at the end; else a plain line every ten seconds. Allocates nothing.
 */
#ifndef PYR_CLI_PROGRESS_H
#define PYR_CLI_PROGRESS_H

#include "base/clock.h"
#include "suite/bench.h"

#include <stdbool.h>
#include <stdint.h>

enum pyr_progress_style { PYR_PROGRESS_NONE, PYR_PROGRESS_LINES, PYR_PROGRESS_BAR };

struct pyr_progress {
    enum pyr_progress_style style;
    int fd;                        /* standard error's */
    unsigned width;                /* of the terminal, asked anew at each draw where it is one */
    const struct pyr_clock *clock; /* of the person who watches: real time, whatever is measured */
    uint64_t due_ns;               /* not drawn before */
    const char *stage;             /* the last one */
    bool drawn;                    /* a line stands on the terminal */
};

void pyr_progress_init(struct pyr_progress *progress, enum pyr_progress_style style, int fd,
                       unsigned width, const struct pyr_clock *clock);
/* A pyr_bench_progress_fn; context is the struct pyr_progress. */
void pyr_progress_update(void *context, const struct pyr_bench_progress *figures);
/* Takes the line off the terminal. Also before anything else is written there. */
void pyr_progress_clear(struct pyr_progress *progress);

/* The line itself, without its end, cut to width - 1 columns; for tests. */
void pyr_progress_format(const struct pyr_bench_progress *figures, bool bar, unsigned width,
                         char *line, size_t size);

#endif
