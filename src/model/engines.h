/* SPDX-License-Identifier: MIT
 *
 * The engines, one file each; model/model.h has the table that lists them.
 */
#ifndef PYR_MODEL_ENGINES_H
#define PYR_MODEL_ENGINES_H

#include "model/model.h"

extern const struct pyr_engine pyr_engine_llama; /* llama.c: llama.cpp, by its plug-in */
extern const struct pyr_engine pyr_engine_sim;   /* sim.c: a set law of time */
extern const struct pyr_engine pyr_engine_null;  /* null.c: costs nothing */

#endif
