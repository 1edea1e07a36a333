/* SPDX-License-Identifier: MIT
 *
 * The log of HdrHistogram, version 1.3: a line for each case and each of latency, TTFT and ITL,
 * with the whole histogram in it, so that its tools can merge, cut and plot them. Values are
 * nanoseconds to three digits; the tag is CASE/METRIC.
 *
 * Source of the layout: HdrHistogram's own description of its V2 encoding (a header, then counts as
 * ZigZag LEB128 with runs of empty buckets as negative numbers), in a zlib stream, in base64. The
 * zlib stream here is one of stored blocks (RFC 1950, 1951): a few kilobytes are not worth a
 * compressor.
 */
#include "report/figures.h"
#include "report/formats.h"
#include "report/meta.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

enum {
    SUB_BUCKETS = 2048, /* the least power of two above 2 * 10^3: three digits */
    HALF_BITS = 10,
    DIGITS = 3,
    COUNTS = (64 - HALF_BITS) << HALF_BITS, /* every bucket of values up to 2^63 */
    STORED_MAX = 65535
};

static void put_be(struct pyr_buf *out, uint64_t value, int bytes) {
    while (bytes--)
        pyr_buf_putc(out, (char)(value >> 8 * bytes));
}

static size_t index_of(uint64_t value) {
    unsigned bucket = 63 - HALF_BITS - (unsigned)__builtin_clzll(value | (SUB_BUCKETS - 1));
    uint64_t sub = value >> bucket; /* 1024 .. 2047, or below in the first bucket */
    return (size_t)(((uint64_t)(bucket + 1) << HALF_BITS) + sub - (SUB_BUCKETS / 2));
}

/* LEB128 of 7 bits a byte, the ninth byte whole: never more than nine. */
static void put_number(struct pyr_buf *out, int64_t value) {
    uint64_t zigzag = (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
    for (int i = 0; i < 8; i++) {
        if (zigzag < 0x80) {
            pyr_buf_putc(out, (char)zigzag);
            return;
        }
        pyr_buf_putc(out, (char)(0x80 | (zigzag & 0x7f)));
        zigzag >>= 7;
    }
    pyr_buf_putc(out, (char)zigzag);
}

static void put_counts(struct pyr_buf *out, const struct pyr_hist *hist) {
    uint64_t *counts = pyr_xcalloc(COUNTS, sizeof *counts);
    size_t end = 1;
    counts[0] = hist->zero;
    for (unsigned slot = 0; slot < PYR_HIST_SLOTS; slot++) {
        uint64_t lo, hi;
        if (!hist->slots[slot])
            continue;
        pyr_hist_slot_range(slot, &lo, &hi);
        size_t index = index_of(lo + (hi - lo) / 2);
        counts[index] += hist->slots[slot];
        end = index + 1 > end ? index + 1 : end;
    }
    for (size_t i = 0; i < end;) {
        size_t empty = 0;
        while (i + empty < end && !counts[i + empty])
            empty++;
        if (empty)
            put_number(out, -(int64_t)empty);
        else
            put_number(out, (int64_t)counts[i]);
        i += empty ? empty : 1;
    }
    pyr_free(counts);
}

static void put_encoded(struct pyr_buf *out, const struct pyr_hist *hist) {
    struct pyr_buf counts = {0};
    put_counts(&counts, hist);
    uint64_t highest = hist->max < 2 ? 2 : hist->max < INT64_MAX ? hist->max : INT64_MAX;
    const double ratio = 1; /* of whole numbers to the values they stand for */
    uint64_t ratio_bits;
    memcpy(&ratio_bits, &ratio, sizeof ratio_bits);
    put_be(out, 0x1c849313, 4);
    put_be(out, counts.length, 4);
    put_be(out, 0, 4); /* no shift of the indexes */
    put_be(out, DIGITS, 4);
    put_be(out, 1, 8); /* the least value told from 0 */
    put_be(out, highest, 8);
    put_be(out, ratio_bits, 8);
    pyr_buf_append(out, counts.data, counts.length);
    pyr_buf_deinit(&counts);
}

static void put_zlib(struct pyr_buf *out, const struct pyr_buf *plain) {
    uint32_t a = 1, b = 0;
    pyr_buf_append(out, "\x78\x01", 2);
    for (size_t at = 0; at < plain->length;) {
        size_t bytes = plain->length - at < STORED_MAX ? plain->length - at : STORED_MAX;
        pyr_buf_putc(out, at + bytes == plain->length); /* the last block says so */
        for (int i = 0; i < 2; i++) {
            uint16_t length = (uint16_t)(i ? ~bytes : bytes);
            pyr_buf_putc(out, (char)(length & 0xff));
            pyr_buf_putc(out, (char)(length >> 8));
        }
        pyr_buf_append(out, plain->data + at, bytes);
        at += bytes;
    }
    for (size_t i = 0; i < plain->length; i++) {
        a = (a + (unsigned char)plain->data[i]) % 65521;
        b = (b + a) % 65521;
    }
    put_be(out, (uint64_t)b << 16 | a, 4);
}

static void put_base64(struct pyr_buf *out, const struct pyr_buf *bytes) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < bytes->length; i += 3) {
        uint32_t group = 0;
        size_t held = bytes->length - i < 3 ? bytes->length - i : 3;
        for (size_t j = 0; j < 3; j++)
            group = group << 8 | (j < held ? (unsigned char)bytes->data[i + j] : 0);
        for (size_t j = 0; j < 4; j++)
            pyr_buf_putc(out, j <= held ? digits[group >> (18 - 6 * j) & 63] : '=');
    }
}

static void put_metric(struct pyr_buf *out, const struct pyr_suite_result *suite,
                       const struct pyr_case_result *result, enum pyr_metric metric) {
    const struct pyr_metric_result *row = pyr_case_metric(result, metric);
    if (!row || !row->hist || !row->hist->count)
        return;
    struct pyr_buf name = {0}, plain = {0}, packed = {0};
    pyr_put_case_name(&name, suite, result);
    pyr_buf_puts(out, "Tag=");
    /* A tag ends at a comma, a blank or the line. */
    for (const char *at = pyr_buf_text(&name); *at; at++)
        pyr_buf_putc(out, (unsigned char)*at <= ' ' || *at == ',' || *at == 0x7f ? '_' : *at);
    pyr_buf_printf(out, "/%s,0.000,%.3f,%.6f,", pyr_metric_info(metric)->name,
                   isfinite(result->steady_s) && result->steady_s > 0 ? result->steady_s : 0,
                   (double)row->hist->max * 1e-6);
    put_encoded(&plain, row->hist);
    put_be(&packed, 0x1c849314, 4);
    struct pyr_buf stream = {0};
    put_zlib(&stream, &plain);
    put_be(&packed, stream.length, 4);
    pyr_buf_append(&packed, stream.data, stream.length);
    put_base64(out, &packed);
    pyr_buf_putc(out, '\n');
    pyr_buf_deinit(&stream);
    pyr_buf_deinit(&packed);
    pyr_buf_deinit(&plain);
    pyr_buf_deinit(&name);
}

bool pyr_report_hdr(const struct pyr_result *result, const struct pyr_report_options *options,
                    struct pyr_buf *out, struct pyr_err *err) {
    (void)options;
    (void)err;
    struct pyr_report_meta meta;
    pyr_report_meta_open(result->meta_json, &meta);
    char when[32];
    pyr_report_iso_time(meta.started_unix_s, when, sizeof when);
    pyr_buf_puts(out, "#[Logged by pyrometer " PYR_VERSION "; values in nanoseconds]\n"
                      "#[Histogram log format version 1.3]\n");
    if (*when)
        pyr_buf_printf(out, "#[StartTime: %.3f (seconds since epoch), %s]\n", meta.started_unix_s,
                       when);
    pyr_buf_puts(out, "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\","
                      "\"Interval_Compressed_Histogram\"\n");
    pyr_report_meta_close(&meta);
    for (size_t i = 0; i < result->suite_count; i++)
        for (size_t j = 0; j < result->suites[i].case_count; j++) {
            const struct pyr_case_result *entry = &result->suites[i].cases[j];
            put_metric(out, &result->suites[i], entry, pyr_headline_latency(entry));
            put_metric(out, &result->suites[i], entry, pyr_headline_ttft(entry));
            put_metric(out, &result->suites[i], entry, PYR_M_ITL);
        }
    return true;
}
