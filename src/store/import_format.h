/* SPDX-License-Identifier: MIT
 *
 * What the importers share. Private to src/store/import*.c.
 */
#ifndef PYR_STORE_IMPORT_FORMAT_H
#define PYR_STORE_IMPORT_FORMAT_H

#include "base/buf.h"
#include "store/kept.h"

#include <jansson.h>

/* A run in the making. */
struct pyr_import {
    struct pyr_arena *arena;
    const char *name;   /* the file's, for errors */
    const char *source; /* of each metric: "hyperfine", ... */
    struct pyr_kept_run *run;
    size_t case_capacity;
    const char **asked;  /* (case_capacity) the names that the cases were to have */
    const char *failure; /* why something in it measured nothing: the first such, or NULL */
};

/* A new case. A second result of one name is a case of its own, "NAME #2", and never takes the
 * first one's place. Texts are copied. Valid until the next call. */
struct pyr_kept_case *pyr_import_case(struct pyr_import *import, const char *suite, const char *id);
/* Its metric, made with nothing known when it is not there. Valid until the next call. */
struct pyr_kept_metric *pyr_import_metric(struct pyr_import *import, struct pyr_kept_case *kept,
                                          enum pyr_metric metric);

/* What whoever reads the comparison must know of the file; kept once. */
void pyr_import_caution(struct pyr_import *import, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Why a part measured nothing: what is said when nothing in the file did. Also a caution. */
void pyr_import_failed(struct pyr_import *import, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* How many of a case's requests or runs went well; NaN where the file does not say. Gives the error
 * rate with Wilson's interval where both are known. A case of which none went well measured
 * nothing: false then, and its figures are not to be read. */
bool pyr_import_outcomes(struct pyr_import *import, struct pyr_kept_case *kept, double ok,
                         double failed);

/* A number that is at least 0. null and absent give NaN, and so do NaN and infinity, with a
 * caution; what is no number or below 0 fails. */
bool pyr_import_number(struct pyr_import *import, const json_t *value, const char *what,
                       double *number, struct pyr_err *err);
/* The same, of what is counted: at most 2^53, up to which a double holds every integer. */
bool pyr_import_count(struct pyr_import *import, const json_t *value, const char *what,
                      double *count, struct pyr_err *err);

/* Where a key's number goes, beside the statistics of kept.h. */
enum { PYR_IMPORT_SD = PYR_KEPT_COUNT, PYR_IMPORT_MIN, PYR_IMPORT_MAX };

struct pyr_import_key {
    const char *key;
    enum pyr_metric metric;
    int statistic;
    double scale; /* to the metric's unit */
};

/* Puts every number that the object has under one of the keys into the case. `n`: values behind
 * each; 0 unknown. */
bool pyr_import_keys(struct pyr_import *import, struct pyr_kept_case *kept, const json_t *object,
                     const struct pyr_import_key *keys, size_t key_count, uint64_t n,
                     struct pyr_err *err);

/* One statistic of a metric. */
void pyr_import_put(struct pyr_import *import, struct pyr_kept_case *kept, enum pyr_metric metric,
                    int statistic, double value);

/* Gives the mean its 95 % interval from sd and n by Student's t, where both are known. */
void pyr_import_bound_mean(struct pyr_kept_metric *metric);

/* An array of measured values into mean, sd, min, max, p50 and n. A value below 0 fails. */
bool pyr_import_values(struct pyr_import *import, struct pyr_kept_case *kept,
                       enum pyr_metric metric, const json_t *values, double scale,
                       struct pyr_err *err);

/* As text: strings as they are, numbers and booleans as JSON; NULL for all else. */
const char *pyr_import_text_of(struct pyr_import *import, const json_t *value);
const char *pyr_import_member_text(struct pyr_import *import, const json_t *object,
                                   const char *key);

/* "key=value" of every key that the object has, each behind `between` ("", ";"), as they stand in
 * an id or in params; null, "" and lists of several values are left out, a list of one is its
 * value. */
void pyr_import_settings(struct pyr_import *import, const json_t *object, const char *const *keys,
                         size_t key_count, char between, struct pyr_buf *text);
/* The first member of that name at any depth, or NULL: tools move their settings about. */
const json_t *pyr_import_search(const json_t *root, const char *key);

/* A format: `is` says by the content alone, `read` may rely on what `is` saw. */
struct pyr_import_format {
    bool (*is)(const json_t *root);
    bool (*read)(struct pyr_import *import, const json_t *root, struct pyr_err *err);
};

extern const struct pyr_import_format pyr_import_pyrometer, pyr_import_flat, pyr_import_array,
    pyr_import_nested, pyr_import_llama_bench, pyr_import_hyperfine, pyr_import_criterion,
    pyr_import_vllm, pyr_import_vllm_throughput, pyr_import_guidellm, pyr_import_aiperf,
    pyr_import_llmperf;

#endif
