/* SPDX-License-Identifier: MIT */
#include "report/html/parts.h"

#include "codec/escape.h"
#include "report/figures.h"
#include "report/html/script.h"
#include "report/html/style.h"
#include "report/json_text.h"

#include <math.h>
#include <string.h>

void pyr_html_text(struct pyr_buf *out, const char *text) {
    if (text)
        pyr_escape_html(out, text, strlen(text));
}

void pyr_html_element(struct pyr_buf *out, const char *open, const char *foreign,
                      const char *close) {
    pyr_buf_puts(out, open);
    pyr_html_text(out, foreign);
    pyr_buf_puts(out, close);
}

void pyr_html_page_begin(struct pyr_buf *out, const char *title) {
    pyr_buf_puts(out, "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">"
                      "<meta http-equiv=\"Content-Security-Policy\" content=\"");
    pyr_buf_puts(out, pyr_html_policy);
    pyr_buf_puts(out, "\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
                      "<meta name=\"referrer\" content=\"no-referrer\">");
    pyr_html_element(out, "<title>", title, "</title><style>");
    pyr_buf_puts(out, pyr_html_style);
    pyr_buf_puts(out, "</style></head><body><main>");
}

void pyr_html_page_end(struct pyr_buf *out) {
    pyr_buf_puts(out, "</main><script>");
    pyr_buf_puts(out, pyr_html_script);
    pyr_buf_puts(out, "</script></body></html>\n");
}

void pyr_html_list(struct pyr_buf *out, const char *open, const char *const *list, size_t count) {
    if (!count)
        return;
    pyr_buf_puts(out, open);
    pyr_buf_puts(out, "<ul class=\"w\">");
    for (size_t i = 0; i < count; i++)
        pyr_html_element(out, "<li>", list[i], "");
    pyr_buf_puts(out, "</ul>");
}

void pyr_html_card(struct pyr_buf *out, const char *level, const char *question, const char *answer,
                   const char *reason) {
    pyr_buf_printf(out, "<div class=\"card %s\"><h2>%s</h2>", level, question);
    pyr_html_element(out, "<p class=\"answer\">", answer, "</p>");
    if (reason && *reason)
        pyr_html_element(out, "<p>", reason, "</p>");
}

const char *pyr_html_unit(const char *unit) {
    return strcmp(unit, "us") == 0 ? "\u00b5s" : unit;
}

void pyr_html_interval(struct pyr_buf *out, const struct pyr_estimate *at, double factor) {
    struct pyr_buf whole = {0};
    pyr_put_interval(&whole, at, (struct pyr_scale){factor, ""});
    const char *bracket = strchr(pyr_buf_text(&whole), '[');
    if (bracket)
        pyr_buf_printf(out, " <i>%s</i>", bracket);
    pyr_buf_deinit(&whole);
}

void pyr_html_estimate(struct pyr_buf *out, const struct pyr_estimate *at, double factor) {
    if (!isfinite(at->value)) {
        pyr_html_element(out, "<abbr title=\"", at->reason ? at->reason : "unknown", "\">-</abbr>");
        return;
    }
    pyr_put_number(out, at->value * factor);
    pyr_html_interval(out, at, factor);
}

/* --- objects --------------------------------------------------------------------------------- */

enum { OBJECT_DEPTH_MAX = 3, VALUE_BYTES_MAX = 400 };

static void put_value(struct pyr_buf *out, const json_t *value) {
    struct pyr_buf shown = {0};
    if (json_is_string(value))
        pyr_buf_puts(&shown, json_string_value(value));
    else if (json_is_null(value))
        pyr_buf_puts(&shown, "unknown");
    else
        pyr_json_compact(&shown, value);
    if (shown.length > VALUE_BYTES_MAX) {
        shown.data[VALUE_BYTES_MAX] = '\0';
        shown.length = VALUE_BYTES_MAX;
        pyr_buf_puts(&shown, "...");
    }
    pyr_html_text(out, pyr_buf_text(&shown));
    pyr_buf_deinit(&shown);
}

/* A row a value: the members of an object inside are named behind its own name. */
static void put_members(struct pyr_buf *out, const char *prefix, const json_t *object, int depth) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value) {
        struct pyr_buf name = {0};
        pyr_buf_printf(&name, "%s%s%s", prefix, *prefix ? " " : "", key);
        if (json_object_size(value) && depth < OBJECT_DEPTH_MAX) {
            put_members(out, pyr_buf_text(&name), value, depth + 1);
        } else {
            pyr_html_element(out, "<tr><th scope=\"row\">", pyr_buf_text(&name), "<td>");
            put_value(out, value);
            pyr_buf_puts(out, "</tr>");
        }
        pyr_buf_deinit(&name);
    }
}

void pyr_html_object(struct pyr_buf *out, const char *title, const json_t *object) {
    if (!json_object_size(object))
        return;
    pyr_buf_printf(out, "<details><summary>%s</summary>" PYR_HTML_TABLE("t") "<tbody>", title);
    put_members(out, "", object, 1);
    pyr_buf_puts(out, "</tbody>" PYR_HTML_TABLE_END "</details>");
}
