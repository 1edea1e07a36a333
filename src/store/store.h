/* SPDX-License-Identifier: MIT
 *
 * The history of runs. Two kinds behind one set of functions: an SQLite file of this user, and a
 * PostgreSQL database that a team shares, with the same schema (docs/formats/history.md).
 *
 * A run is in it whole or not at all, also after kill -9: it goes in by one transaction. Errors of
 * the world (a full disk, a folder that cannot be written, a lock that does not go away, a damaged
 * file, a schema newer than this program) are sentences with the mend. One thread at a time.
 */
#ifndef PYR_STORE_STORE_H
#define PYR_STORE_STORE_H

#include "base/arena.h"
#include "base/err.h"
#include "store/kept.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pyr_store; /* opaque */

struct pyr_store_config {
    const char *where; /* a file, or postgresql://... (libpq reads passwords from its own places) */
    bool write;        /* makes the file and its folder, brings the schema up to date */
    uint32_t busy_ms;  /* how long to wait for another process's lock; 0: 5000 */
};

/* Where the history of this user lies: $PYROMETER_HISTORY, else
 * $XDG_STATE_HOME/pyrometer/history.db, else ~/.local/state/pyrometer/history.db. The three values
 * of the environment are arguments and may be NULL; a relative XDG_STATE_HOME is ignored, as the
 * XDG Base Directory Specification 0.8 wants. Fails when none of them leads anywhere. */
bool pyr_store_default(struct pyr_arena *arena, const char *history, const char *xdg_state_home,
                       const char *home, const char **where, struct pyr_err *err);

/* Without `write`, a history that does not exist yet is PYR_E_INPUT. */
bool pyr_store_open(const struct pyr_store_config *config, struct pyr_store **store,
                    struct pyr_err *err);
void pyr_store_close(struct pyr_store *store); /* NULL is allowed */
/* The file, or words that hide a URL's password; lives as long as the store. */
const char *pyr_store_name(const struct pyr_store *store);

/* Adds a run with everything in it. Fails when its id is there already. */
bool pyr_store_add(struct pyr_store *store, const struct pyr_kept_run *run, struct pyr_err *err);

/* Which runs: those that agree with everything that is not NULL. */
struct pyr_store_filter {
    const char *fingerprint_hash, *group, *revision, *origin;
    size_t newest; /* at most so many, the newest; 0: all */
};

/* Runs without their cases, oldest first. */
bool pyr_store_list(struct pyr_store *store, struct pyr_arena *arena,
                    const struct pyr_store_filter *filter, struct pyr_kept_run **runs,
                    size_t *count, struct pyr_err *err);

/* One run with its cases, by id or the unique beginning of one; "latest" is the newest. Histograms
 * only when asked. */
bool pyr_store_load(struct pyr_store *store, struct pyr_arena *arena, const char *id,
                    bool histograms, struct pyr_kept_run **run, struct pyr_err *err);

/* One number over all runs that have it, oldest first. */
struct pyr_store_point {
    const char *run_id, *revision, *fingerprint_hash;
    double time_unix_s;
    struct pyr_estimate at;
    uint64_t n;
    const char *expected;      /* the text of a mark on its revision, or NULL */
    const char *reference;     /* what was measured beside it, or NULL */
    struct pyr_estimate ratio; /* to that; unknown without one */
};
bool pyr_store_series(struct pyr_store *store, struct pyr_arena *arena, const char *suite,
                      const char *case_id, enum pyr_metric metric, int statistic,
                      const struct pyr_store_filter *filter, struct pyr_store_point **points,
                      size_t *count, struct pyr_err *err);

/* Says that a change at this revision was meant: change points start anew there. A second mark on
 * the same revision replaces the first. */
bool pyr_store_mark(struct pyr_store *store, const char *revision, const char *text,
                    double time_unix_s, struct pyr_err *err);

/* The whole revision that begins with `text`, in the arena: `text` itself when no run has one, with
 * `runs` 0. Fails when it begins several. */
bool pyr_store_revision(struct pyr_store *store, struct pyr_arena *arena, const char *text,
                        const char **revision, size_t *runs, struct pyr_err *err);

/* Takes runs out, all of them or none. An id that is not there fails. */
bool pyr_store_remove(struct pyr_store *store, const char *const *ids, size_t count,
                      struct pyr_err *err);

/* Adds the histograms of one metric of one case over all runs of the filter into `hist`;
 * `runs` counts those that had one. */
bool pyr_store_merge(struct pyr_store *store, const char *suite, const char *case_id,
                     enum pyr_metric metric, const struct pyr_store_filter *filter,
                     struct pyr_hist *hist, size_t *runs, struct pyr_err *err);

#endif
