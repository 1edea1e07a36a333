/* SPDX-License-Identifier: MIT */
#include "suite/suite.h"

#include "base/buf.h"
#include "base/parse.h"
#include "suite/concurrent.h"
#include "suite/inference.h"
#include "suite/startup.h"
#include "suite/stress.h"

#include <stdio.h>
#include <string.h>

/* Promised by name: presets and configuration files ask for them. */
static const struct pyr_suite memory = {.name = "memory",
                                        .summary = "memory over load and unload cycles, leaks",
                                        .missing = "this version has no memory suite"};
static const struct pyr_suite cache = {.name = "cache",
                                       .summary =
                                           "response and prefix caches: hits, throughput, eviction",
                                       .missing = "this version has no cache suite"};
static const struct pyr_suite retrieval = {.name = "retrieval",
                                           .summary = "vector search: latency, recall, bandwidth",
                                           .missing = "this version has no retrieval suite"};
static const struct pyr_suite locks = {.name = "locks",
                                       .summary = "locks under contention",
                                       .missing = "this version has no lock suite"};

const struct pyr_suite *const pyr_suites[] = {&pyr_suite_startup,
                                              &pyr_suite_inference,
                                              &pyr_suite_concurrent,
                                              &pyr_suite_stress,
                                              &memory,
                                              &cache,
                                              &retrieval,
                                              &locks,
                                              NULL};

const struct pyr_suite *pyr_suite_find(const char *name) {
    for (size_t i = 0; pyr_suites[i]; i++)
        if (strcmp(pyr_suites[i]->name, name) == 0)
            return pyr_suites[i];
    return NULL;
}

bool pyr_suite_fail(const char *name, struct pyr_err *err) {
    enum { SUITES_MAX = 32 };
    const char *names[SUITES_MAX];
    size_t count = 0;
    struct pyr_buf list = {0};
    for (; pyr_suites[count] && count < SUITES_MAX - 1; count++) {
        names[count] = pyr_suites[count]->name;
        pyr_buf_printf(&list, "%s, ", names[count]);
    }
    names[count++] = "all";
    const char *near = pyr_nearest(name, names, count);
    pyr_fail(err, PYR_E_USAGE, "--suite %s: there is no such suite%s%s; there are %sall", name,
             near ? "; did you mean " : "", near ? near : "", pyr_buf_text(&list));
    pyr_buf_deinit(&list);
    return false;
}

static bool names(const char *list, const char *name) {
    size_t length = strlen(name);
    for (const char *at = list; (at = strstr(at, name)); at += length)
        if ((at == list || at[-1] == ',') && (at[length] == ',' || at[length] == '\0'))
            return true;
    return false;
}

void pyr_suite_list(const char *asked, const struct pyr_preset *preset, char *list, size_t size) {
    if (!asked || strcmp(asked, "all") != 0) {
        snprintf(list, size, "%s", asked ? asked : preset->suites);
        return;
    }
    list[0] = '\0';
    for (size_t i = 0; pyr_suites[i]; i++)
        if (!pyr_suites[i]->missing && !pyr_suites[i]->part_of)
            snprintf(list + strlen(list), size - strlen(list), "%s%s", *list ? "," : "",
                     pyr_suites[i]->name);
}

bool pyr_suite_wanted(const struct pyr_suite *suite, const char *list) {
    return !suite->missing &&
           (names(list, suite->name) || (suite->part_of && names(list, suite->part_of)));
}

bool pyr_suites_need_target(const char *list) {
    for (size_t i = 0; pyr_suites[i]; i++)
        if (pyr_suite_wanted(pyr_suites[i], list) && pyr_suites[i]->needs != PYR_NEEDS_NOTHING)
            return true;
    return false;
}
