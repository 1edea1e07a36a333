/* SPDX-License-Identifier: MIT */
#include "suite/calibrate.h"
#include "suite/session.h"

#include <string.h>

/* How large the load is for which the instrument's error is asked. */
enum { STREAMS_LEAST = 16, STREAMS_MOST = 1000, TOKENS = 20 };
static const double token_rate = 20;

void pyr_session_calibrate(struct pyr_session *s, double load) {
    if (s->options->no_calibrate || strcmp(s->info.kind, "http") != 0)
        return;
    uint32_t streams = load < STREAMS_LEAST  ? STREAMS_LEAST
                       : load > STREAMS_MOST ? STREAMS_MOST
                                             : (uint32_t)load;
    const struct pyr_calibrate_options options = {.streams = streams,
                                                  .tokens_per_s = token_rate,
                                                  .tokens = TOKENS,
                                                  .duration_ns = 2 * PYR_NS_PER_S,
                                                  .spin = s->cpus_allowed > 1,
                                                  .stop = s->options->stop};
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_calibration seen;
    struct pyr_err err;
    if (pyr_calibrate_run(arena, &options, &seen, &err))
        pyr_calibrate_observe(&seen, pyr_session_lane(s));
    else if (!pyr_session_stopped(s))
        pyr_session_warn(s, PYR_NO_CASE, "the instrument's own error is not known: %s", err.text);
    pyr_arena_destroy(arena);
}
