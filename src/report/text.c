/* SPDX-License-Identifier: MIT */
#include "report/text.h"

#include "codec/escape.h"

#include <string.h>

enum { GAP = 2, INDENT = 2 }; /* columns between columns, and before each line of a table */

void pyr_text_clean(struct pyr_buf *buf, const char *text, bool ascii) {
    size_t left = text ? strlen(text) : 0;
    while (left) {
        size_t length = pyr_utf8_length(text, left), taken = length ? length : 1;
        if (*text == '\n' || *text == '\t')
            pyr_buf_putc(buf, ' ');
        else if (!length || pyr_utf8_is_active(text, length))
            pyr_buf_putc(buf, '?');
        else if (length == 1 || !ascii)
            pyr_buf_append(buf, text, length);
        else if (memcmp(text, "\u00b5", 2) == 0)
            pyr_buf_putc(buf, 'u');
        else if (memcmp(text, "\u00b1", 2) == 0)
            pyr_buf_puts(buf, "+-");
        else
            pyr_buf_putc(buf, '?');
        text += taken;
        left -= taken;
    }
}

size_t pyr_text_columns(const char *text) {
    size_t columns = 0;
    for (; *text; text++)
        columns += ((unsigned char)*text & 0xc0) != 0x80;
    return columns;
}

void pyr_paper_style(const struct pyr_paper *paper, enum pyr_style style) {
    static const char *const codes[] = {
        [PYR_STYLE_PLAIN] = "\x1b[0m",   [PYR_STYLE_BOLD] = "\x1b[1m",
        [PYR_STYLE_DIM] = "\x1b[2m",     [PYR_STYLE_GOOD] = "\x1b[32m",
        [PYR_STYLE_WARN] = "\x1b[1;33m", [PYR_STYLE_BAD] = "\x1b[1;31m",
    };
    if (paper->color)
        pyr_buf_puts(paper->out, codes[style]);
}

static void put_bytes(const struct pyr_paper *paper, enum pyr_style style, const char *text,
                      size_t bytes) {
    bool styled = style != PYR_STYLE_PLAIN && bytes;
    if (styled)
        pyr_paper_style(paper, style);
    pyr_buf_append(paper->out, text, bytes);
    if (styled)
        pyr_paper_style(paper, PYR_STYLE_PLAIN);
}

void pyr_paper_put(const struct pyr_paper *paper, enum pyr_style style, const char *text) {
    put_bytes(paper, style, text, strlen(text));
}

void pyr_paper_wrap(const struct pyr_paper *paper, enum pyr_style style, const char *mark,
                    const char *text) {
    struct pyr_buf clean = {0};
    pyr_text_clean(&clean, text, paper->ascii);
    size_t indent = pyr_text_columns(mark), column = indent, bytes = strlen(mark);
    while (bytes && mark[bytes - 1] == ' ')
        bytes--;
    put_bytes(paper, style, mark, bytes);
    if (indent > paper->width * 2 / 3) {
        indent = column = 6;
        pyr_buf_printf(paper->out, "\n%*s", (int)indent, "");
    } else if (clean.length) {
        pyr_buf_puts(paper->out, mark + bytes);
    }
    const char *at = pyr_buf_text(&clean) + strspn(pyr_buf_text(&clean), " ");
    for (bool first = true; *at; first = false) {
        size_t columns = 0;
        bytes = strcspn(at, " ");
        for (size_t i = 0; i < bytes; i++)
            columns += ((unsigned char)at[i] & 0xc0) != 0x80;
        if (!first && column + 1 + columns > paper->width) {
            pyr_buf_printf(paper->out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (!first) {
            pyr_buf_putc(paper->out, ' ');
            column++;
        }
        pyr_buf_append(paper->out, at, bytes);
        column += columns;
        at += bytes;
        at += strspn(at, " ");
    }
    pyr_buf_putc(paper->out, '\n');
    pyr_buf_deinit(&clean);
}

/* --- tables ---------------------------------------------------------------------------------- */

static const char *cell_text(const struct pyr_cell *cell, bool full) {
    const char *text = full || !cell->brief ? cell->full : cell->brief;
    return text ? text : "";
}

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

static size_t column_width(const struct pyr_table *table, size_t column, bool full) {
    size_t width = larger(pyr_text_columns(table->columns[column].header),
                          pyr_text_columns(table->columns[column].unit));
    for (size_t row = 0; row < table->rows; row++) {
        const struct pyr_cell *cell = &table->cells[row * table->column_count + column];
        width = larger(width, pyr_text_columns(cell_text(cell, full)));
    }
    return width;
}

/* Blanks that are due before the next text: kept back so that no line ends in any. */
static void put_aligned(const struct pyr_paper *paper, size_t *due, const char *text,
                        enum pyr_style style, size_t width, bool left) {
    size_t pad = width - pyr_text_columns(text);
    if (!left)
        *due += pad;
    if (*text) {
        pyr_buf_printf(paper->out, "%*s", (int)*due, "");
        pyr_paper_put(paper, style, text);
        *due = left ? pad : 0;
    } else {
        *due += left ? pad : 0;
    }
    *due += GAP;
}

enum line { LINE_HEADER, LINE_UNIT, LINE_ROWS };

/* One line of the columns 0 and [first, last). */
static void put_line(const struct pyr_paper *paper, const struct pyr_table *table, size_t line,
                     size_t first, size_t last, bool full) {
    size_t due = INDENT;
    for (size_t column = 0; column < last; column = column ? column + 1 : first) {
        const struct pyr_column *head = &table->columns[column];
        const struct pyr_cell *cell =
            line >= LINE_ROWS ? &table->cells[(line - LINE_ROWS) * table->column_count + column]
                              : NULL;
        const char *text = line == LINE_HEADER ? head->header
                           : line == LINE_UNIT ? head->unit
                                               : cell_text(cell, full);
        put_aligned(paper, &due, text, cell ? cell->style : PYR_STYLE_DIM,
                    column_width(table, column, full), head->left);
    }
    pyr_buf_putc(paper->out, '\n');
}

static bool has_units(const struct pyr_table *table, size_t first, size_t last) {
    for (size_t column = first; column < last; column++)
        if (*table->columns[column].unit)
            return true;
    return false;
}

static size_t table_width(const struct pyr_table *table, bool full) {
    size_t wide = INDENT;
    for (size_t column = 0; column < table->column_count; column++)
        wide += column_width(table, column, full) + (column ? GAP : 0);
    return wide;
}

bool pyr_paper_table_fits(const struct pyr_paper *paper, const struct pyr_table *table) {
    return table_width(table, false) <= paper->width;
}

bool pyr_paper_table(const struct pyr_paper *paper, const struct pyr_table *table) {
    bool full = table_width(table, true) <= paper->width;
    for (size_t first = 1; first < table->column_count;) {
        size_t used = INDENT + column_width(table, 0, full), last = first;
        while (last < table->column_count) {
            used += GAP + column_width(table, last, full);
            if (used > paper->width && last > first)
                break;
            last++;
        }
        if (first > 1)
            pyr_buf_putc(paper->out, '\n');
        for (size_t line = 0; line < LINE_ROWS + table->rows; line++)
            if (line != LINE_UNIT || has_units(table, first, last))
                put_line(paper, table, line, first, last, full);
        first = last;
    }
    return full;
}
