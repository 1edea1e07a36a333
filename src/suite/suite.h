/* SPDX-License-Identifier: MIT
 *
 * A benchmark is a row: what a user names with --suite, as one constant in a file of its own and
 * one line in the table below. Help, completion, presets, `--suite all`, goals, tables and the
 * suite's own result file follow from the row; nothing else knows a suite by its name.
 *
 * A suite with requests plans cases that pyr_cases_run drives on the open target. One without gives
 * `run` of its own, which writes each case with pyr_session_record_case and then observations or
 * histograms of it to pyr_session_lane; these are judged, kept and shown like any other metric, in
 * the table that `columns` names.
 */
#ifndef PYR_SUITE_SUITE_H
#define PYR_SUITE_SUITE_H

#include "base/err.h"
#include "suite/presets.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pyr_bench_options;
struct pyr_planner;
struct pyr_session;

enum pyr_suite_needs {
    PYR_NEEDS_TARGET,        /* opened, in the variant of the cases */
    PYR_NEEDS_TARGET_CLOSED, /* a target is named and known, and `run` opens it itself */
    PYR_NEEDS_NOTHING        /* no target at all: none is looked for, none is open beside it */
};

struct pyr_suite {
    const char *name, *summary;
    /* The suite that this one is a part of: it runs whenever that one is asked for, and its cases
     * are recorded and shown under that name. NULL: it stands for itself. */
    const char *part_of;
    enum pyr_suite_needs needs;
    /* Adds the suite's cases for a variant (pyr_planner_add), in the order in which they run; none
     * is no failure. A suite that needs nothing is asked for variant 0 alone. */
    bool (*plan)(struct pyr_planner *p, uint32_t variant, struct pyr_err *err);
    /* Runs the cases [first, last) of the session's plan, which are all of this suite and of one
     * variant, on the thread that drives the run. A failure of the world goes into s->broken where
     * it ends the run and is a warning of the case where it does not. It looks at
     * pyr_session_stopped between its parts. */
    void (*run)(struct pyr_session *s, size_t first, size_t last);
    /* Goals of its own, as pyr_goals_parse reads them: unless the user named some, its cases are
     * held against these and not against the preset's. NULL: the preset's. */
    const char *goals;
    /* The table that reports show of it: "METRIC[:STATISTIC][=HEADER],...", of metric.def, with
     * value, mean or a quantile; NULL: what is known of requests (report/figures.c). */
    const char *columns;
    const char *result_file; /* of the suite by itself; NULL: NAME_benchmark.json */
    bool by_load;            /* its cases differ by their load: a list of levels in the config */
    const char *missing;     /* why this version cannot run it; else NULL. Then no plan and run */
};

/* The one table, in the order in which suites run; NULL ends it. */
extern const struct pyr_suite *const pyr_suites[];

/* NULL: there is none of that name. */
const struct pyr_suite *pyr_suite_find(const char *name);
/* Fails for a name that is none, with the nearest and all others. */
bool pyr_suite_fail(const char *name, struct pyr_err *err);

/* What --suite means: the user's list, else the preset's; "all" spelled out. In `list`. */
void pyr_suite_list(const char *asked, const struct pyr_preset *preset, char *list, size_t size);
/* True when the suite is to run for that list: it is named there, or what it is a part of is. */
bool pyr_suite_wanted(const struct pyr_suite *suite, const char *list);
/* True when one of the list has to know a target. */
bool pyr_suites_need_target(const char *list);

#endif
