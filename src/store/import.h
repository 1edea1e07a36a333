/* SPDX-License-Identifier: MIT
 *
 * Reads result files, our own and those of other tools, into the shape in which runs are kept and
 * compared. The format is found by looking at the content. Names in other tools' files become the
 * nearest metric of metric.def, with the tool as the source; what has no counterpart is left out.
 *
 * To add a format: one file import_NAME.c and one row in import.c.
 */
#ifndef PYR_STORE_IMPORT_H
#define PYR_STORE_IMPORT_H

#include "base/arena.h"
#include "base/err.h"
#include "store/kept.h"

#include <stdbool.h>
#include <stddef.h>

/* JSON text (or JSON lines) into runs in the arena: one, or those of a baseline file of ours.
 * `name` stands for the file in errors and, for formats that leave the name of what was measured to
 * the file's place, is where it is found. Fails, with the thing and the mend, for what is empty,
 * cut off, no JSON, of no known format, of a newer version of ours, holds negative numbers or NaN,
 * or holds no successful measurement. */
bool pyr_import_text(struct pyr_arena *arena, const char *name, const char *text, size_t size,
                     struct pyr_kept_run **runs, size_t *count, struct pyr_err *err);

/* The same from a file. */
bool pyr_import_file(struct pyr_arena *arena, const char *path, struct pyr_kept_run **runs,
                     size_t *count, struct pyr_err *err);

#define PYR_BASELINE_SCHEMA "pyrometer-baseline/1"

/* The formats, for --help and docs; a NULL name ends the table. */
struct pyr_import_row {
    const char *name, *summary;
};
extern const struct pyr_import_row pyr_import_rows[];

#endif
