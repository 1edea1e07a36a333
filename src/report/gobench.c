/* SPDX-License-Identifier: MIT
 *
 * The Go benchmark format, which benchstat reads: a line a case, "BenchmarkName N value unit ...",
 * behind "key: value" lines and, for each unit, the direction that is better. Several runs one
 * after the other in one file are what benchstat compares.
 *
 * Source: golang.org/design/14313-benchmark-format and benchfmt's "Unit" lines.
 */
#include "report/formats.h"
#include "report/meta.h"
#include "report/tracked.h"

#include <ctype.h>
#include <string.h>

/* Names and units have no blanks, and values of "key: value" no line breaks. */
static void put_word(struct pyr_buf *out, const char *text, bool blanks) {
    for (; text && *text; text++) {
        unsigned char c = (unsigned char)*text;
        pyr_buf_putc(out, c < 0x20 || c == 0x7f || (c == ' ' && !blanks) ? '_' : (char)c);
    }
}

static void put_key(struct pyr_buf *out, const char *key, const char *value) {
    if (!value || !*value)
        return;
    pyr_buf_printf(out, "%s: ", key);
    put_word(out, value, true);
    pyr_buf_putc(out, '\n');
}

/* benchstat knows "-ns" and "-B" and chooses their prefixes itself. */
static bool is_scaled(const struct pyr_tracked *at) {
    return strcmp(at->unit, "ms") == 0 || strcmp(at->unit, "MB") == 0;
}

static void put_unit(struct pyr_buf *out, const struct pyr_tracked *at) {
    put_word(out, at->name, false);
    pyr_buf_putc(out, '-');
    put_word(out, !is_scaled(at) ? at->unit : *at->unit == 'm' ? "ns" : "B", false);
}

static void put_name(struct pyr_buf *out, const struct pyr_tracked *at) {
    pyr_buf_puts(out, "Benchmark");
    size_t start = out->length;
    put_word(out, at->case_name, false);
    if (out->length > start)
        out->data[start] = (char)toupper((unsigned char)out->data[start]);
}

static void put_directions(struct pyr_buf *out, const struct pyr_tracked *figures, size_t count) {
    for (size_t i = 0; i < count; i++) {
        size_t first = 0;
        while (strcmp(figures[first].name, figures[i].name) != 0)
            first++;
        if (first < i)
            continue;
        pyr_buf_puts(out, "Unit ");
        put_unit(out, &figures[i]);
        pyr_buf_printf(out, " better=%s\n",
                       figures[i].better == PYR_BETTER_HIGHER ? "higher" : "lower");
    }
}

bool pyr_report_gobench(const struct pyr_result *result, const struct pyr_report_options *options,
                        struct pyr_buf *out, struct pyr_err *err) {
    (void)err;
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_tracked *figures;
    struct pyr_report_meta meta;
    size_t count = pyr_tracked_collect(result, arena, &figures);
    pyr_report_meta_open(result->meta_json, &meta);
    put_key(out, "goos", "linux");
    put_key(out, "pkg", "pyrometer");
    put_key(out, "cpu", meta.cpu_model);
    put_key(out, "target", meta.name ? meta.name : meta.spec);
    put_key(out, "engine", meta.engine);
    put_key(out, "commit", options->commit);
    pyr_report_meta_close(&meta);
    put_directions(out, figures, count);
    for (size_t i = 0; i < count;) {
        const struct pyr_case_result *result_of_line = figures[i].result;
        put_name(out, &figures[i]);
        pyr_buf_printf(
            out, " %llu",
            (unsigned long long)(result_of_line->ok ? result_of_line->ok : figures[i].n));
        for (; i < count && figures[i].result == result_of_line; i++) {
            pyr_buf_printf(out, " %.9g ", figures[i].value * (is_scaled(&figures[i]) ? 1e6 : 1));
            put_unit(out, &figures[i]);
        }
        pyr_buf_putc(out, '\n');
    }
    pyr_arena_destroy(arena);
    return true;
}
