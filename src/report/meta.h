/* SPDX-License-Identifier: MIT
 *
 * The plan of a run as reports read it: the JSON text of the run file's META block, whose keys
 * docs/formats/results.md lists. Everything is optional: a missing or mistyped key is NULL or NaN,
 * and text that is no JSON object counts as an empty one.
 */
#ifndef PYR_REPORT_META_H
#define PYR_REPORT_META_H

#include <jansson.h>

struct pyr_report_meta {
    json_t *root; /* an object, never NULL */
    const char *command, *repeat_command;
    double started_unix_s;                 /* NaN: unknown */
    json_t *config, *system_info, *target; /* borrowed; NULL when absent or no object */
    /* Of target: */
    const char *name, *spec, *kind, *engine, *description, *note, *notes;
    double threads;        /* of the target, or the only one that the configuration tried; NaN */
    const char *cpu_model; /* of system_info */
};

void pyr_report_meta_open(const char *meta_json, struct pyr_report_meta *meta);
void pyr_report_meta_close(struct pyr_report_meta *meta);

/* A member of an object (which may be NULL) as text or number; NULL and NaN when it is not. */
const char *pyr_report_meta_text(const json_t *object, const char *key);
double pyr_report_meta_number(const json_t *object, const char *key);

/* Seconds since 1970 as "2024-01-01T12:00:00Z", "" for NaN and for what is no date. */
void pyr_report_iso_time(double unix_s, char *out, size_t size);

#endif
