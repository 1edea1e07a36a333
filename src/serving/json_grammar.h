/* SPDX-License-Identifier: MIT
 *
 * JSON as a grammar that an engine can be held to (GBNF, the notation of llama.cpp), for
 * `response_format`. Pure.
 *
 * Of JSON Schema: type, properties, required, additionalProperties (never any where properties are
 * named), items, minItems, maxItems, minLength, maxLength, enum, const, anyOf, oneOf (as anyOf),
 * $ref to $defs, definitions or "#", and notes (title, description, default, ...). Properties come
 * in the order of the schema, those that are required first. White space is at most one line end
 * and some blanks, so that an answer comes to its end.
 *
 * What a schema may cost is bounded here, whatever its size: below a millisecond, and a grammar
 * that an engine takes milliseconds for.
 */
#ifndef PYR_SERVING_JSON_GRAMMAR_H
#define PYR_SERVING_JSON_GRAMMAR_H

#include "base/buf.h"
#include "base/err.h"

#include <jansson.h>
#include <stdint.h>

enum { PYR_JSON_GRAMMAR_ALTERNATIVES_MAX = 1000 };

/* Appends the grammar of the texts that fit the schema; NULL: of any object. *alternatives: the
 * values and schemas to choose from in all of it, which is what holding a text to it costs. False
 * (PYR_E_INPUT) with the keyword that is not served. */
bool pyr_json_grammar(json_t *schema, struct pyr_buf *grammar, uint32_t *alternatives,
                      struct pyr_err *err);

#endif
