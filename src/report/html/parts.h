/* SPDX-License-Identifier: MIT
 *
 * What the HTML pages are put together from: the frame of a page, foreign text, numbers, lists,
 * tables. A page asks for nothing from anywhere and runs no script but its own
 * (report/html/style.h, script.h).
 */
#ifndef PYR_REPORT_HTML_PARTS_H
#define PYR_REPORT_HTML_PARTS_H

#include "base/buf.h"
#include "estimate/estimate.h"

#include <jansson.h>
#include <stddef.h>

/* A table that scrolls by itself where the page is too narrow for it. */
#define PYR_HTML_TABLE(CLASS) "<div class=\"scroll\" tabindex=\"0\"><table class=\"" CLASS "\">"
#define PYR_HTML_TABLE_END "</table></div>"
#define PYR_HTML_COL(NAME) "<th scope=\"col\">" NAME

/* Everything up to and with <main>; then the end of it. */
void pyr_html_page_begin(struct pyr_buf *out, const char *title);
void pyr_html_page_end(struct pyr_buf *out);

/* Text for humans that came from outside. NULL appends nothing. */
void pyr_html_text(struct pyr_buf *out, const char *text);
/* Markup of ours around such a text. */
void pyr_html_element(struct pyr_buf *out, const char *open, const char *foreign,
                      const char *close);
/* `open`, then the texts as a list; nothing at all when there are none. */
void pyr_html_list(struct pyr_buf *out, const char *open, const char *const *list, size_t count);

/* One of the cards at the top of a page: a question, the answer in a word, and the reason. `level`
 * is "good", "warn", "bad" or "" and colours the answer. The caller closes it with "</div>". */
void pyr_html_card(struct pyr_buf *out, const char *level, const char *question, const char *answer,
                   const char *reason);

/* " <i>[11.9, 12.8]</i>", or nothing for a value that stands alone. */
void pyr_html_interval(struct pyr_buf *out, const struct pyr_estimate *at, double factor);
/* The value and its interval, or a dash that names its reason when pointed at. */
void pyr_html_estimate(struct pyr_buf *out, const struct pyr_estimate *at, double factor);
/* The unit as people write it: "us" with its proper letter. */
const char *pyr_html_unit(const char *unit);

/* A closed section with a row for each value of an object, however deep. Nothing when empty. */
void pyr_html_object(struct pyr_buf *out, const char *title, const json_t *object);

#endif
