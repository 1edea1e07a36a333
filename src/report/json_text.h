/* SPDX-License-Identifier: MIT
 *
 * JSON as our reports write it, on top of jansson: unknown numbers are null, broken UTF-8 is
 * replaced, and a container that fits on a line stands on one.
 */
#ifndef PYR_REPORT_JSON_TEXT_H
#define PYR_REPORT_JSON_TEXT_H

#include "base/buf.h"

#include <jansson.h>
#include <stdint.h>

json_t *pyr_json_number(double value);   /* null unless finite */
json_t *pyr_json_count(uint64_t count);  /* an integer; a real above 2^63 */
json_t *pyr_json_text(const char *text); /* null for NULL */
void pyr_json_put(json_t *object, const char *key, json_t *value); /* takes the reference */

/* On one line. */
void pyr_json_compact(struct pyr_buf *buf, const json_t *value);
/* Indented by two blanks a level; ends with a newline. */
void pyr_json_pretty(struct pyr_buf *buf, const json_t *value);

#endif
