/* SPDX-License-Identifier: MIT
 *
 * Plain text for a terminal: foreign names made harmless, wrapping, columns.
 *
 * A style is an escape sequence that takes no column; it is written only when colour is on.
 */
#ifndef PYR_REPORT_TEXT_H
#define PYR_REPORT_TEXT_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

enum pyr_style {
    PYR_STYLE_PLAIN,
    PYR_STYLE_BOLD,
    PYR_STYLE_DIM,
    PYR_STYLE_GOOD,
    PYR_STYLE_WARN,
    PYR_STYLE_BAD
};

struct pyr_paper {
    struct pyr_buf *out;
    unsigned width;
    bool color, ascii;
};

/* Appends text with control characters, escape sequences and broken UTF-8 as "?"; in ASCII also
 * what lies beyond it ("\u00b5" as "u", "\u00b1" as "+-"). NULL appends nothing. */
void pyr_text_clean(struct pyr_buf *buf, const char *text, bool ascii);
/* Columns that valid UTF-8 takes, at one a character. */
size_t pyr_text_columns(const char *text);

void pyr_paper_style(const struct pyr_paper *paper, enum pyr_style style); /* PLAIN ends one */
void pyr_paper_put(const struct pyr_paper *paper, enum pyr_style style, const char *text);
/* `text` cleaned and wrapped behind `mark` ("  ! "), its further lines indented as far; ends with
 * a newline. The mark takes the style, the text none. */
void pyr_paper_wrap(const struct pyr_paper *paper, enum pyr_style style, const char *mark,
                    const char *text);

/* --- tables ---------------------------------------------------------------------------------- */

/* A cell says the same at length or in short; `brief` NULL: the same. Text is owned by the caller
 * and must be clean. */
struct pyr_cell {
    const char *full, *brief;
    enum pyr_style style;
};

struct pyr_column {
    const char *header, *unit; /* unit "": none */
    bool left;                 /* aligned left, as names are */
};

struct pyr_table {
    const struct pyr_column *columns;
    const struct pyr_cell *cells; /* (rows, column_count) */
    size_t column_count, rows;
};

/* The first column names the row. Cells are written in full where the table then fits the paper,
 * else in brief; a table that is still too wide is written in parts, one below the other, each
 * with the first column. Returns whether cells were written in full. */
/* True when it would be written in one part. */
bool pyr_paper_table_fits(const struct pyr_paper *paper, const struct pyr_table *table);
bool pyr_paper_table(const struct pyr_paper *paper, const struct pyr_table *table);

#endif
