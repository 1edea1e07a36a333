/* SPDX-License-Identifier: MIT
 *
 * Whether memory that is about to be taken is there: the smaller of what the machine and what our
 * control group leaves.
 */
#ifndef PYR_MODEL_MEMORY_H
#define PYR_MODEL_MEMORY_H

#include "base/err.h"
#include "base/fs.h"

#include <stdint.h>

/* MemAvailable, or what remains below the limit of the tightest control group above us (v2, or v1's
 * memory controller), where the group's file pages count as free because the kernel gives them
 * back. `root` NULL is this machine. Fails when /proc/meminfo cannot be read. */
bool pyr_memory_available(const struct pyr_root *root, uint64_t *bytes, struct pyr_err *err);

/* Fails with PYR_E_NOMEM and both figures when `need` is more than there is. `what` is the thing
 * ("model.gguf") and `part` what of it ("KV memory of 32 sequences"). Where the machine does not
 * say how much there is, it passes. */
bool pyr_memory_check(const char *what, const char *part, uint64_t need,
                      const struct pyr_root *root, struct pyr_err *err);

#endif
