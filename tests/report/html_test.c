/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "report/formats.h"
#include "report/html/script.h"
#include "report/html/style.h"
#include "support/result_fixture.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static void tell(pyr_report_fn *write, struct pyr_result *result, struct pyr_buf *out) {
    struct pyr_err err = {0};
    const struct pyr_report_options options = {0};
    assert_ok(err, write(result, &options, out, &err));
    pyr_test_result_free(result);
}

/* --- a page that can neither ask for anything nor be broken into -------------------------------
 */

static bool is_one_of(const char *word, size_t bytes, const char *list) {
    for (const char *at = list; *at;) {
        size_t length = strcspn(at, " ");
        if (length == bytes && memcmp(at, word, bytes) == 0)
            return true;
        at += length;
        at += strspn(at, " ");
    }
    return false;
}

static const char *check_attributes(const char *at, const char *tag) {
    static const char known[] = "lang charset http-equiv content name class role aria-label "
                                "aria-hidden viewBox d x y scope tabindex title id href open "
                                "data-x data-y data-n data-u data-z";
    for (;;) {
        at += strspn(at, " ");
        at += *at == '/';
        if (*at == '>')
            return at + 1;
        size_t bytes = strcspn(at, "=> ");
        if (!is_one_of(at, bytes, known) || at[bytes] != '=' || at[bytes + 1] != '"')
            fail_msg("unexpected attribute in: %.80s", tag);
        at = strchr(at + bytes + 2, '"') + 1;
    }
}

/* Walks the page tag by tag: only elements and attributes that the writer knows, opened and closed
 * in order. Text taken for markup would show here. */
static void check_markup(const char *page) {
    static const char elements[] =
        "html head meta title style body main header nav section p h1 h2 h3 div a b i small code "
        "span ul li abbr table thead tbody tr th td figure figcaption details summary pre svg "
        "path g text dl dt dd script";
    static const char empty[] = "meta";        /* never closed */
    static const char optional[] = "li th td"; /* closed by what follows */
    char stack[64][16];
    size_t depth = 0;
    const char *at = page + strlen("<!doctype html>");
    while ((at = strchr(at, '<'))) {
        const char *tag = at;
        bool closes = at[1] == '/';
        at += 1 + closes;
        size_t bytes = strcspn(at, " >/");
        if (!is_one_of(at, bytes, elements))
            fail_msg("unexpected element: %.80s", tag);
        char name[16];
        snprintf(name, sizeof name, "%.*s", (int)bytes, at);
        if (closes) {
            if (!is_one_of(name, bytes, optional) &&
                (depth == 0 || strcmp(stack[--depth], name) != 0))
                fail_msg("closes what is not open: %.80s", tag);
            at += bytes + 1;
            continue;
        }
        at = check_attributes(at + bytes, tag);
        if (at[-2] == '/' || is_one_of(name, bytes, empty) || is_one_of(name, bytes, optional))
            continue;
        assert_true(depth < 64);
        memcpy(stack[depth++], name, sizeof name);
        if (strcmp(name, "style") == 0)
            at = strstr(at, "</style>");
        if (strcmp(name, "script") == 0)
            at = strstr(at, "</script>");
    }
    assert_int_equal(depth, 0);
}

static void a_page_holds_no_markup_but_our_own(void **state) {
    (void)state;
    struct pyr_result *(*makers[])(void) = {pyr_test_result_rich, pyr_test_result_partial,
                                            pyr_test_result_large, pyr_test_result_empty,
                                            pyr_test_result_hostile};
    for (size_t i = 0; i < sizeof makers / sizeof *makers; i++) {
        struct pyr_buf page = {0};
        tell(pyr_report_html, makers[i](), &page);
        check_markup(page.data);
        pyr_buf_deinit(&page);
    }
}

static void a_page_asks_for_nothing(void **state) {
    (void)state;
    static const char *const askers[] = {"http://", "https://", "src=",  "@import",
                                         "fetch(",  "url(",     "<link", "import("};
    struct pyr_buf page = {0};
    tell(pyr_report_html, pyr_test_result_rich(), &page);
    for (size_t i = 0; i < sizeof askers / sizeof *askers; i++)
        if (strstr(page.data, askers[i]))
            fail_msg("%s is in the page", askers[i]);
    assert_non_null(strstr(page.data, "default-src 'none'"));
    /* Links lead to places of the same page, which exist. */
    for (const char *at = page.data; (at = strstr(at, "href=")); at++) {
        char id[64];
        assert_int_equal(sscanf(at, "href=\"#%40[a-z0-9]\"", id), 1);
        char target[80];
        snprintf(target, sizeof target, " id=\"%s\"", id);
        assert_non_null(strstr(page.data, target));
    }
    pyr_buf_deinit(&page);
}

/* Source of the constants and steps: FIPS 180-4. */
static void sha256(const char *bytes, size_t count, unsigned char digest[32]) {
    static const uint32_t k[64] = {
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
        0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
        0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
        0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
        0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
        0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
        0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
        0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
        0xc67178f2};
    uint32_t h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                     0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
#define ROR(x, n) ((x) >> (n) | (x) << (32 - (n)))
    size_t padded = (count + 8) / 64 * 64 + 64;
    unsigned char *message = calloc(1, padded);
    memcpy(message, bytes, count);
    message[count] = 0x80;
    for (int i = 0; i < 8; i++)
        message[padded - 1 - (size_t)i] = (unsigned char)((uint64_t)count * 8 >> 8 * i);
    for (size_t block = 0; block < padded; block += 64) {
        uint32_t w[64], v[8];
        for (size_t i = 0; i < 16; i++)
            w[i] = (uint32_t)message[block + 4 * i] << 24 | message[block + 4 * i + 1] << 16 |
                   message[block + 4 * i + 2] << 8 | message[block + 4 * i + 3];
        for (size_t i = 16; i < 64; i++)
            w[i] = w[i - 16] + w[i - 7] +
                   (ROR(w[i - 15], 7) ^ ROR(w[i - 15], 18) ^ w[i - 15] >> 3) +
                   (ROR(w[i - 2], 17) ^ ROR(w[i - 2], 19) ^ w[i - 2] >> 10);
        memcpy(v, h, sizeof v);
        for (size_t i = 0; i < 64; i++) {
            uint32_t a = v[7] + (ROR(v[4], 6) ^ ROR(v[4], 11) ^ ROR(v[4], 25)) +
                         ((v[4] & v[5]) ^ (~v[4] & v[6])) + k[i] + w[i];
            uint32_t b = (ROR(v[0], 2) ^ ROR(v[0], 13) ^ ROR(v[0], 22)) +
                         ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
            memmove(v + 1, v, 7 * sizeof *v);
            v[4] += a;
            v[0] = a + b;
        }
        for (int i = 0; i < 8; i++)
            h[i] += v[i];
    }
    free(message);
    for (int i = 0; i < 32; i++)
        digest[i] = (unsigned char)(h[i / 4] >> (24 - 8 * (i % 4)));
}

static void base64(const unsigned char *bytes, size_t count, char *out) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < count; i += 3) {
        uint32_t word = (uint32_t)bytes[i] << 16;
        word |= i + 1 < count ? (uint32_t)bytes[i + 1] << 8 : 0;
        word |= i + 2 < count ? bytes[i + 2] : 0;
        *out++ = digits[word >> 18];
        *out++ = digits[word >> 12 & 63];
        *out++ = i + 1 < count ? digits[word >> 6 & 63] : '=';
        *out++ = i + 2 < count ? digits[word & 63] : '=';
    }
    *out = '\0';
}

static void allows(const char *directive, const char *content) {
    unsigned char digest[32];
    char source[96], text[48];
    sha256(content, strlen(content), digest);
    base64(digest, sizeof digest, text);
    snprintf(source, sizeof source, "%s 'sha256-%s';", directive, text);
    if (!strstr(pyr_html_policy, source))
        fail_msg("its source is now %s (report/html/style.c)", source);
}

static void the_policy_allows_style_sheet_and_script_as_they_are(void **state) {
    (void)state;
    unsigned char digest[32];
    sha256("abc", 3, digest);
    assert_int_equal(digest[0], 0xba);
    assert_int_equal(digest[31], 0xad);
    allows("style-src", pyr_html_style);
    allows("script-src", pyr_html_script);
}

/* --- contents ----------------------------------------------------------------------------------
 */

static void a_page_stays_below_150_kilobytes(void **state) {
    (void)state;
    struct pyr_result *(*makers[])(void) = {pyr_test_result_rich, pyr_test_result_large};
    for (size_t i = 0; i < 2; i++) {
        struct pyr_buf page = {0};
        tell(pyr_report_html, makers[i](), &page);
        if (page.length > 150000)
            fail_msg("%zu bytes", page.length);
        pyr_buf_deinit(&page);
    }
}

static void what_to_doubt_stands_before_any_figure(void **state) {
    (void)state;
    struct pyr_buf page = {0};
    tell(pyr_report_html, pyr_test_result_partial(), &page);
    const char *table = strstr(page.data, "<table"), *tiles = strstr(page.data, "class=\"tiles\"");
    const char *partial = strstr(page.data, "<b>Partial:</b>");
    const char *simulated = strstr(page.data, "\"answer\">Simulated<");
    assert_true(partial && simulated && partial < tiles && simulated < tiles && tiles < table);
    pyr_buf_deinit(&page);
    struct pyr_buf rich = {0};
    tell(pyr_report_html, pyr_test_result_rich(), &rich);
    assert_true(strstr(rich.data, "<h2>Warnings</h2>") < strstr(rich.data, "class=\"tiles\""));
    assert_non_null(strstr(rich.data, "Noise floor of this machine: 2.1 %"));
    assert_non_null(strstr(rich.data, "pyrometer bench models/tiny.gguf --preset quick --seed 1"));
    assert_non_null(strstr(rich.data, "warm-up, cut"));
    assert_non_null(strstr(rich.data, "spike at"));
    pyr_buf_deinit(&rich);
}

struct heading {
    const char *name;          /* as a table's header names it */
    const char *closed, *open; /* where the JSON has it, below metrics */
};

static const struct heading headings[] = {
    {"requests", "request_throughput", "request_throughput"},
    {"output", "output_token_throughput", "output_token_throughput"},
    {"prefill", "prefill_rate.p50", "prefill_rate.p50"},
    {"decode", "decode_rate.p50", "decode_rate.p50"},
    {"TTFT p50", "ttft_sent.p50", "ttft_sched.p50"},
    {"TTFT p90", "ttft_sent.p90", "ttft_sched.p90"},
    {"ITL p50", "itl.p50", "itl.p50"},
    {"ITL p99", "itl.p99", "itl.p99"},
    {"latency p50", "latency_sent.p50", "latency_sched.p50"},
    {"latency p90", "latency_sent.p90", "latency_sched.p90"},
    {"goodput", "goodput", "goodput"},
    {"queue p50", "queue_time.p50", "queue_time.p50"},
    {"errors", "error_rate", "error_rate"},
    {"spikes", "spike_rate", "spike_rate"},
};

static double factor_of(const char *unit) {
    return strcmp(unit, "ms") == 0        ? 1e-6
           : strcmp(unit, "s") == 0       ? 1e-9
           : strcmp(unit, "\u00b5s") == 0 ? 1e-3
           : strcmp(unit, "%") == 0       ? 100
                                          : 1;
}

/* The text up to the next tag, into `text`; returns what follows it. */
static const char *read_text(const char *at, char *text, size_t size) {
    size_t bytes = strcspn(at, "<");
    snprintf(text, size, "%.*s", (int)bytes, at);
    return at + bytes;
}

/* One of value, lo and hi against a cell: to three digits, and lo and hi to the value's decimals.
 */
static void check_number(const json_t *estimate, const char *key, const char *shown, double factor,
                         double tolerance, const char *where) {
    const json_t *number = json_object_get(estimate, key);
    if (*shown == '-' || *shown == '?') {
        if (!json_is_null(number))
            fail_msg("%s: %s is not shown", where, key);
        return;
    }
    double want = json_number_value(number) * factor, got = strtod(shown, NULL);
    if (!(fabs(want - got) <= tolerance))
        fail_msg("%s: %s is %.9g in JSON and %s in HTML", where, key, want, shown);
}

static void check_cell(const json_t *of_case, const struct heading *heading, const char *unit,
                       const char **cell) {
    bool open = strcmp(json_string_value(json_object_get(of_case, "load_model")), "open") == 0;
    const char *path = open ? heading->open : heading->closed;
    char metric[64], where[256];
    size_t bytes = strcspn(path, ".");
    snprintf(metric, sizeof metric, "%.*s", (int)bytes, path);
    const json_t *estimate = json_object_get(json_object_get(of_case, "metrics"), metric);
    if (path[bytes])
        estimate = json_object_get(estimate, path + bytes + 1);
    snprintf(where, sizeof where, "%s %s", json_string_value(json_object_get(of_case, "id")), path);
    char value[64], interval[64];
    *cell = read_text(*cell, value, sizeof value);
    if (strncmp(*cell, "<abbr", 5) == 0) {
        check_number(estimate, "value", "-", 1, 0, where);
        *cell = strstr(*cell, "</abbr>") + 7;
        return;
    }
    double factor = factor_of(unit), shown = strtod(value, NULL);
    double digits = pow(10, floor(log10(fmax(fabs(shown), 0.1))) - 2);
    const char *dot = strchr(value, '.');
    double tolerance = 0.51 * (dot ? pow(10, -(double)strspn(dot + 1, "0123456789")) : 1);
    assert_true(tolerance <= 0.51 * fmax(digits, 1) * 1.01);
    check_number(estimate, "value", value, factor, tolerance, where);
    if (strncmp(*cell, "<i>", 3) != 0)
        return;
    *cell = read_text(*cell + 3, interval, sizeof interval) + strlen("</i>");
    char *comma = strchr(interval, ',');
    double width = shown == 0 ? fmax(0.51, tolerance) : tolerance;
    check_number(estimate, "lo", interval + 1, factor, width, where);
    check_number(estimate, "hi", comma + 2, factor, width, where);
}

static const json_t *case_of(const json_t *suite, const char *suite_name, const char *short_id) {
    char id[128];
    snprintf(id, sizeof id, "%s/%.*s", suite_name, (int)strcspn(short_id, " "), short_id);
    size_t i;
    json_t *entry;
    json_array_foreach(json_object_get(suite, "cases"), i, entry) {
        if (strcmp(json_string_value(json_object_get(entry, "id")), id) == 0)
            return entry;
    }
    fail_msg("no case %s", id);
    return NULL;
}

/* Checks a table of figures against the JSON and returns how many cells it checked. */
static size_t check_table(const char *at, const json_t *suite, const char *suite_name) {
    const struct heading *columns[24] = {NULL};
    char units[24][16] = {""};
    size_t column_count = 0, checked = 0;
    const char *head_end = strstr(at, "</thead>"), *table_end = strstr(at, "</table>");
    while ((at = strstr(at, "<th scope=\"col\">")) && at < head_end && column_count < 24) {
        char name[64];
        at = read_text(at + strlen("<th scope=\"col\">"), name, sizeof name);
        for (size_t i = 0; i < sizeof headings / sizeof *headings; i++)
            if (strcmp(name, headings[i].name) == 0)
                columns[column_count] = &headings[i];
        if (strncmp(at, "<span>", 6) == 0)
            read_text(at + 6, units[column_count], sizeof units[0]);
        column_count++;
    }
    at = head_end;
    while ((at = strstr(at, "<th scope=\"row\">")) && at < table_end) {
        char id[128];
        at = read_text(at + strlen("<th scope=\"row\">"), id, sizeof id);
        const json_t *entry = case_of(suite, suite_name, id);
        for (size_t column = 1; column < column_count; column++) {
            at = strstr(at, "<td>") + 4;
            if (columns[column]) {
                check_cell(entry, columns[column], units[column], &at);
                checked++;
            }
        }
    }
    return checked;
}

static void the_figures_are_those_of_the_json(void **state) {
    (void)state;
    struct pyr_buf page = {0}, json = {0};
    tell(pyr_report_html, pyr_test_result_rich(), &page);
    tell(pyr_report_json, pyr_test_result_rich(), &json);
    json_t *root = json_loads(json.data, 0, NULL);
    size_t checked = 0;
    const char *name;
    json_t *suite;
    json_object_foreach(json_object_get(root, "benchmarks"), name, suite) {
        char open[64];
        snprintf(open, sizeof open, "\">%s</h2>", name);
        const char *at = strstr(page.data, open), *end = strstr(at, "</section>");
        while ((at = strstr(at, "<th scope=\"col\">case<")) && at < end) {
            checked += check_table(at, suite, name);
            at++;
        }
    }
    /* 3 x 10, 12 x 12 and 3 x 12 cells. */
    assert_true(checked > 200);
    json_decref(root);
    pyr_buf_deinit(&page);
    pyr_buf_deinit(&json);
}

static void a_page_without_figures_still_says_what_it_is(void **state) {
    (void)state;
    struct pyr_buf page = {0};
    tell(pyr_report_html, pyr_test_result_empty(), &page);
    assert_non_null(strstr(page.data, "\"answer\">Nothing was measured<"));
    assert_non_null(strstr(page.data, "no end block: the run was killed"));
    pyr_buf_deinit(&page);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page_holds_no_markup_but_our_own),
        cmocka_unit_test(a_page_asks_for_nothing),
        cmocka_unit_test(the_policy_allows_style_sheet_and_script_as_they_are),
        cmocka_unit_test(a_page_stays_below_150_kilobytes),
        cmocka_unit_test(what_to_doubt_stands_before_any_figure),
        cmocka_unit_test(the_figures_are_those_of_the_json),
        cmocka_unit_test(a_page_without_figures_still_says_what_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
