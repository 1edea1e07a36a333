/* SPDX-License-Identifier: MIT
 *
 * What a suite's `plan` is given (suite/suite.h): the user's options, the preset, and the plan so
 * far, whose classes, variants, arrivals and trace are complete. Private to the suites.
 */
#ifndef PYR_SUITE_PLANNER_H
#define PYR_SUITE_PLANNER_H

#include "suite/plan.h"
#include "suite/suite.h"

struct pyr_planner {
    const struct pyr_bench_options *options;
    const struct pyr_preset *preset;
    struct pyr_arena *arena;
    struct pyr_plan *plan;
    bool target_is_file;           /* it can be loaded cold */
    const struct pyr_suite *suite; /* whose cases are being planned */
    size_t capacity;
};

/* A new case of the suite, with the requests, warm-up and time that the user or the preset asks
 * for; NULL, with err, when there are too many. Its id and params are still to be set. */
struct pyr_plan_case *pyr_planner_add(struct pyr_planner *p, uint32_t variant, struct pyr_err *err);

/* id = `name` and the variant's label; params = `format` and the same label. `format` makes
 * "key=value;key=value". */
void pyr_planner_name(struct pyr_planner *p, struct pyr_plan_case *one, const char *name,
                      const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Gives the case a class of prompts, and names it: class and load ("/c8", or ""). */
void pyr_planner_describe(struct pyr_planner *p, struct pyr_plan_case *one,
                          const struct pyr_prompt_class *prompt_class, const char *load);

/* A case in closed loop with that many users; NULL as pyr_planner_add. */
struct pyr_plan_case *pyr_planner_add_closed(struct pyr_planner *p, uint32_t variant,
                                             const struct pyr_prompt_class *prompt_class,
                                             uint64_t users, const char *load, struct pyr_err *err);

#endif
