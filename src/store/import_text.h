/* SPDX-License-Identifier: MIT
 *
 * From the bytes of a result file to JSON. Private to src/store/import*.c.
 */
#ifndef PYR_STORE_IMPORT_TEXT_H
#define PYR_STORE_IMPORT_TEXT_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

/* How a number that is none is written in the text that pyr_import_plain gives: as these strings,
 * whatever the file had (NaN, -nan, Infinity, inf). */
#define PYR_IMPORT_NAN "nan"
#define PYR_IMPORT_INFINITE "inf"
#define PYR_IMPORT_MINUS_INFINITE "-inf"

/* UTF-8 without a byte order mark, from UTF-8 or UTF-16 in either order, with or without one; lines
 * stay as they are. Fails with the encoding's name on what is neither whole. `plain`: appended to.
 */
bool pyr_import_plain(const char *name, const char *text, size_t size, struct pyr_buf *plain,
                      struct pyr_err *err);

/* False with its name and the mend where the text is no JSON but something known: a Markdown table,
 * a CSV, an archive. For what JSON's own parser refused. */
bool pyr_import_disguise(const char *name, const char *text, size_t size, struct pyr_err *err);

#endif
