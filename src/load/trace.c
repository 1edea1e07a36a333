/* SPDX-License-Identifier: MIT */
#include "load/trace.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"

#include <ctype.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { FILE_BYTES_MAX = 1 << 30, FIELD_BYTES_MAX = 64 };
/* Three hundred years: what nanoseconds in 63 bits can hold, with room. */
#define SECONDS_MAX 9e9

struct row {
    double at_s;
    size_t order;
    struct pyr_trace_entry entry;
};

struct reader {
    const char *name;
    size_t line;
    struct row *rows;
    size_t count, capacity;
    uint64_t *blocks;
    size_t block_count, block_capacity;
    struct pyr_left_out *left;
    int time_column, prompt_column, output_column; /* of a CSV */
};

static bool bad_line(const struct reader *reader, const char *cause, struct pyr_err *err) {
    return pyr_fail(err, PYR_E_INPUT, "%s:%zu: %s", reader->name, reader->line, cause);
}

static void add(struct reader *reader, struct row row) {
    if (reader->count == reader->capacity) {
        reader->capacity = reader->capacity ? reader->capacity * 2 : 1024;
        reader->rows = pyr_xrealloc(reader->rows, reader->capacity * sizeof *reader->rows);
    }
    row.order = reader->count;
    reader->rows[reader->count++] = row;
}

static void add_block(struct reader *reader, uint64_t id) {
    if (reader->block_count == reader->block_capacity) {
        reader->block_capacity = reader->block_capacity ? reader->block_capacity * 2 : 1024;
        reader->blocks =
            pyr_xrealloc(reader->blocks, reader->block_capacity * sizeof *reader->blocks);
    }
    reader->blocks[reader->block_count++] = id;
}

static bool take_tokens(double value, uint32_t *tokens) {
    if (!(value >= 0) || value > PYR_TRACE_TOKENS_MAX || value != floor(value))
        return false;
    *tokens = value < 1 ? 1 : (uint32_t)value;
    return true;
}

/* --- JSON lines ------------------------------------------------------------------------------- */

static double number_of(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static bool take_object(struct reader *reader, const json_t *object, struct pyr_err *err) {
    struct row row = {.at_s = number_of(object, "timestamp") * 1e-3,
                      .entry.first_block = reader->block_count};
    if (!(row.at_s >= 0 && row.at_s < SECONDS_MAX))
        return bad_line(reader, "wants \"timestamp\", milliseconds from 0", err);
    if (!take_tokens(number_of(object, "input_length"), &row.entry.prompt_tokens))
        return bad_line(reader, "wants \"input_length\", a number of tokens", err);
    if (!take_tokens(number_of(object, "output_length"), &row.entry.output_tokens))
        return bad_line(reader, "wants \"output_length\", a number of tokens", err);
    const json_t *ids = json_object_get(object, "hash_ids"), *id;
    if (ids && !json_is_array(ids))
        return bad_line(reader, "\"hash_ids\" is no list", err);
    size_t i;
    json_array_foreach(ids, i, id) {
        if (!json_is_integer(id) || json_integer_value(id) < 0)
            return bad_line(reader, "\"hash_ids\" holds what is no whole number from 0", err);
        add_block(reader, (uint64_t)json_integer_value(id));
    }
    row.entry.block_count = (uint32_t)json_array_size(ids);
    add(reader, row);
    return true;
}

static bool take_json_line(struct reader *reader, const char *line, size_t length,
                           struct pyr_err *err) {
    json_error_t error;
    json_t *value = json_loadb(line, length, 0, &error);
    bool ok = json_is_object(value) ? take_object(reader, value, err)
                                    : bad_line(reader, value ? "no object" : error.text, err);
    json_decref(value);
    return ok;
}

/* --- CSV -------------------------------------------------------------------------------------- */

/* What stands between quotes, of which two are one, cut to what we read; returns what is behind the
 * last one. */
static const char *quoted_field(const char *from, const char *end, char *field) {
    size_t length = 0;
    for (; from < end; from++) {
        if (*from == '"' && !(from + 1 < end && from[1] == '"'))
            break;
        from += *from == '"';
        if (length < FIELD_BYTES_MAX - 1)
            field[length++] = *from;
    }
    field[length] = '\0';
    return from;
}

/* The next field of a line as text, without blanks around it, cut to what we read; false when there
 * is none. In quotes a comma is a comma (RFC 4180). */
static bool next_field(const char **at, const char *end, char field[FIELD_BYTES_MAX]) {
    if (!*at)
        return false;
    const char *from = *at;
    while (from < end && *from != ',' && isspace((unsigned char)*from))
        from++;
    bool quoted = from < end && *from == '"';
    const char *behind = quoted ? quoted_field(from + 1, end, field) : from;
    const char *comma = memchr(behind, ',', (size_t)(end - behind));
    const char *to = comma ? comma : end;
    *at = comma ? comma + 1 : NULL;
    if (quoted)
        return true;
    while (to > from && isspace((unsigned char)to[-1]))
        to--;
    size_t length =
        (size_t)(to - from) < FIELD_BYTES_MAX - 1 ? (size_t)(to - from) : FIELD_BYTES_MAX - 1;
    memcpy(field, from, length);
    field[length] = '\0';
    return true;
}

static bool take_header(struct reader *reader, const char *line, size_t length,
                        struct pyr_err *err) {
    char field[FIELD_BYTES_MAX];
    const char *at = line;
    for (int column = 0; next_field(&at, line + length, field); column++) {
        if (strcasecmp(field, "TIMESTAMP") == 0)
            reader->time_column = column;
        else if (strcasecmp(field, "ContextTokens") == 0)
            reader->prompt_column = column;
        else if (strcasecmp(field, "GeneratedTokens") == 0)
            reader->output_column = column;
    }
    return (reader->time_column >= 0 && reader->prompt_column >= 0 && reader->output_column >= 0) ||
           bad_line(reader,
                    "is no trace: JSON lines with \"timestamp\", \"input_length\" and "
                    "\"output_length\", or a header with TIMESTAMP,ContextTokens,GeneratedTokens",
                    err);
}

/* `count` digits at *at, which is moved behind them. */
static bool digits(const char **at, int count, int64_t *value) {
    *value = 0;
    for (int i = 0; i < count; i++, ++*at) {
        if (!isdigit((unsigned char)**at))
            return false;
        *value = *value * 10 + (**at - '0');
    }
    return true;
}

/* Days since 1970-01-01 of the Gregorian calendar. Source: Hinnant, "chrono-compatible low-level
 * date algorithms", days_from_civil. */
static int64_t days_of(int64_t year, int64_t month, int64_t day) {
    year -= month <= 2;
    int64_t era = year / 400, year_of_era = year % 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static bool take_offset(const char *at, double *offset_s) {
    int64_t hours, minutes = 0;
    *offset_s = 0;
    if (*at == '\0' || strcmp(at, "Z") == 0)
        return true;
    double sign = *at == '-' ? -1 : 1;
    if (*at != '+' && *at != '-')
        return false;
    at++;
    if (!digits(&at, 2, &hours))
        return false;
    at += *at == ':';
    if (*at && !digits(&at, 2, &minutes))
        return false;
    *offset_s = sign * (double)(hours * 3600 + minutes * 60);
    return *at == '\0';
}

/* Seconds; date and time of day, or a plain number. */
static bool take_stamp(const char *text, double *at_s) {
    const char *at = text;
    int64_t year, month, day, hour, minute, second;
    if (strlen(text) < 19 || text[4] != '-') {
        char *end;
        *at_s = strtod(text, &end);
        return end != text && *end == '\0' && *at_s >= 0 && *at_s < SECONDS_MAX;
    }
    bool date = digits(&at, 4, &year) && *at++ == '-' && digits(&at, 2, &month) && *at++ == '-' &&
                digits(&at, 2, &day) && (*at == ' ' || *at == 'T');
    at += date;
    if (!date || !digits(&at, 2, &hour) || *at++ != ':' || !digits(&at, 2, &minute) ||
        *at++ != ':' || !digits(&at, 2, &second) || year < 1970 || month < 1 || month > 12 ||
        day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60)
        return false;
    double fraction = 0, unit = 1, offset_s;
    if (*at == '.')
        for (at++; isdigit((unsigned char)*at); at++)
            fraction += (*at - '0') * (unit /= 10);
    if (!take_offset(at, &offset_s))
        return false;
    /* Days from 2020 keep the fraction exact to 0.1 us in a double. */
    double days = (double)(days_of(year, month, day) - days_of(2020, 1, 1));
    *at_s = days * 86400 + (double)(hour * 3600 + minute * 60 + second) + fraction - offset_s;
    return true;
}

static bool take_count(const char *text, uint32_t *tokens) {
    char *end;
    double value = strtod(text, &end);
    return end != text && *end == '\0' && take_tokens(value, tokens);
}

static bool take_csv_line(struct reader *reader, const char *line, size_t length,
                          struct pyr_err *err) {
    if (reader->time_column < 0)
        return take_header(reader, line, length, err);
    struct row row = {.entry.first_block = reader->block_count};
    char field[FIELD_BYTES_MAX];
    const char *at = line;
    int seen = 0;
    for (int column = 0; next_field(&at, line + length, field); column++) {
        bool ok = true;
        if (column == reader->time_column)
            ok = take_stamp(field, &row.at_s);
        else if (column == reader->prompt_column)
            ok = take_count(field, &row.entry.prompt_tokens);
        else if (column == reader->output_column)
            ok = take_count(field, &row.entry.output_tokens);
        else
            continue;
        if (!ok)
            return bad_line(reader,
                            column == reader->time_column     ? "TIMESTAMP is no date and time"
                            : column == reader->prompt_column ? "ContextTokens is no number"
                                                              : "GeneratedTokens is no number",
                            err);
        seen++;
    }
    if (seen < 3)
        return bad_line(reader, "has fewer columns than the header", err);
    add(reader, row);
    return true;
}

/* --- the trace -------------------------------------------------------------------------------- */

static int by_time(const void *a, const void *b) {
    const struct row *x = a, *y = b;
    if (x->at_s != y->at_s)
        return x->at_s < y->at_s ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static bool read_lines(struct reader *reader, const char *bytes, size_t count,
                       struct pyr_err *err) {
    const char *end = bytes + count;
    bool first = true, json = false;
    for (reader->line = 1; bytes < end; reader->line++) {
        const char *stop = memchr(bytes, '\n', (size_t)(end - bytes)), *line = bytes;
        size_t length = (size_t)((stop ? stop : end) - bytes);
        bytes += length + (stop != NULL);
        while (length > 0 && isspace((unsigned char)line[length - 1]))
            length--;
        if (length == 0)
            continue;
        if (first)
            json = line[0] == '{';
        /* What is wrong with the first line may be wrong with all: a header that is none is. */
        bool header = !json && reader->time_column < 0;
        size_t blocks = reader->block_count;
        struct pyr_err one = {0};
        first = false;
        if (json ? take_json_line(reader, line, length, &one)
                 : take_csv_line(reader, line, length, &one))
            continue;
        reader->block_count = blocks;
        if (header || !pyr_left_out_add(reader->left, &one))
            return pyr_fail(err, one.code, "%s", one.text);
    }
    return true;
}

static void make_trace(const struct reader *reader, struct pyr_arena *arena, double speed,
                       struct pyr_trace *trace) {
    size_t count = reader->count;
    struct pyr_trace_entry *entries = pyr_arena_array(arena, count, sizeof *entries);
    uint64_t *due_ns = pyr_arena_array(arena, count, sizeof *due_ns);
    uint64_t *blocks = pyr_arena_array(arena, reader->block_count, sizeof *blocks);
    if (reader->block_count)
        memcpy(blocks, reader->blocks, reader->block_count * sizeof *blocks);
    *trace = (struct pyr_trace){entries, due_ns, blocks, count, 0, 0, UINT32_MAX, 0, 0, 0, 1};
    for (size_t i = 0; i < count; i++) {
        const struct row *row = &reader->rows[i];
        double at_ns = (row->at_s - reader->rows[0].at_s) / speed * (double)PYR_NS_PER_S;
        uint32_t prompt = row->entry.prompt_tokens, output = row->entry.output_tokens;
        entries[i] = row->entry;
        due_ns[i] = at_ns < 0x1p62 ? (uint64_t)llround(at_ns) : UINT64_C(1) << 62;
        trace->prompt_tokens += prompt;
        trace->output_tokens += output;
        if (prompt < trace->shortest_prompt)
            trace->shortest_prompt = prompt;
        if (prompt > trace->longest_prompt)
            trace->longest_prompt = prompt;
        if (output > trace->longest_output)
            trace->longest_output = output;
        if (prompt + output > trace->longest_total)
            trace->longest_total = prompt + output;
    }
    if (due_ns[count - 1] > 0)
        trace->rate = (double)(count - 1) * 1e9 / (double)due_ns[count - 1];
}

bool pyr_trace_parse(struct pyr_arena *arena, const char *name, const char *bytes, size_t count,
                     double speed, struct pyr_trace *trace, struct pyr_left_out *left,
                     struct pyr_err *err) {
    struct reader reader = {
        .name = name, .left = left, .time_column = -1, .prompt_column = -1, .output_column = -1};
    bool ok = speed > 0 && isfinite(speed);
    if (!ok)
        pyr_fail(err, PYR_E_USAGE, "%s cannot be played at %g times its speed; use one above 0",
                 name, speed);
    if (count >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) {
        bytes += 3;
        count -= 3;
    }
    ok = ok && read_lines(&reader, bytes, count, err);
    if (ok && reader.count == 0)
        ok = pyr_left_out_fail(left, name, "request", err);
    if (ok) {
        qsort(reader.rows, reader.count, sizeof *reader.rows, by_time);
        make_trace(&reader, arena, speed, trace);
    }
    pyr_free(reader.rows);
    pyr_free(reader.blocks);
    return ok;
}

bool pyr_trace_read(struct pyr_arena *arena, const char *path, double speed,
                    struct pyr_trace *trace, struct pyr_left_out *left, struct pyr_err *err) {
    struct pyr_buf buf = {0};
    bool ok = pyr_fs_read(NULL, path, FILE_BYTES_MAX, &buf, err) &&
              pyr_trace_parse(arena, path, pyr_buf_text(&buf), buf.length, speed, trace, left, err);
    pyr_buf_deinit(&buf);
    return ok;
}
