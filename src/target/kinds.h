/* SPDX-License-Identifier: MIT
 *
 * The kinds of target, for the table in targets.c. Each is one file.
 */
#ifndef PYR_TARGET_KINDS_H
#define PYR_TARGET_KINDS_H

#include "target/target.h"

extern const struct pyr_target_ops pyr_target_http;
extern const struct pyr_target_ops pyr_target_local;
extern const struct pyr_target_ops pyr_target_worker;
extern const struct pyr_target_ops pyr_target_null;

#endif
