/* SPDX-License-Identifier: MIT */
/* From the bytes of a result file to JSON: what shells make of a file on its way (byte order marks,
 * UTF-16), and what tools write that is no JSON (NaN, Infinity). */
#include "store/import_text.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

/* --- encodings ----------------------------------------------------------------------------------
 */

static void put_utf8(struct pyr_buf *out, uint32_t c) {
    if (c < 0x80) {
        pyr_buf_putc(out, (char)c);
        return;
    }
    if (c >= 0x10000)
        pyr_buf_putc(out, (char)(0xf0 | c >> 18));
    if (c >= 0x800)
        pyr_buf_putc(
            out, (char)((c >= 0x10000 ? 0x80 : 0xe0) | (c >> 12 & (c >= 0x10000 ? 0x3f : 0x0f))));
    pyr_buf_putc(out, (char)((c >= 0x800 ? 0x80 : 0xc0) | (c >> 6 & (c >= 0x800 ? 0x3f : 0x1f))));
    pyr_buf_putc(out, (char)(0x80 | (c & 0x3f)));
}

static uint32_t unit_at(const char *text, size_t at, bool big) {
    unsigned char first = (unsigned char)text[at], second = (unsigned char)text[at + 1];
    return big ? (uint32_t)first << 8 | second : (uint32_t)second << 8 | first;
}

static bool from_utf16(const char *name, const char *text, size_t size, bool big,
                       struct pyr_buf *out, struct pyr_err *err) {
    if (size % 2)
        return pyr_fail(err, PYR_E_INPUT,
                        "%s: UTF-16 and cut off within a character; copy or "
                        "write it again",
                        name);
    for (size_t i = 0; i < size; i += 2) {
        uint32_t c = unit_at(text, i, big);
        if (c >= 0xd800 && c < 0xe000) {
            uint32_t low = i + 4 <= size && c < 0xdc00 ? unit_at(text, i + 2, big) : 0;
            if (low < 0xdc00 || low >= 0xe000)
                return pyr_fail(err, PYR_E_INPUT,
                                "%s: UTF-16 with half a character at byte %zu; write it again as "
                                "UTF-8 (in PowerShell: ... | Out-File -Encoding utf8)",
                                name, i);
            c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
            i += 2;
        }
        put_utf8(out, c);
    }
    return true;
}

static bool starts(const char *text, size_t size, const char *with, size_t length) {
    return size >= length && memcmp(text, with, length) == 0;
}

static bool decode(const char *name, const char *text, size_t size, struct pyr_buf *out,
                   struct pyr_err *err) {
    if (starts(text, size, "\xff\xfe\0\0", 4) || starts(text, size, "\0\0\xfe\xff", 4))
        return pyr_fail(err, PYR_E_INPUT, "%s: encoded as UTF-32; write it again as UTF-8", name);
    if (starts(text, size, "\xff\xfe", 2) || starts(text, size, "\xfe\xff", 2))
        return from_utf16(name, text + 2, size - 2, text[0] == '\xfe', out, err);
    /* Without a mark: JSON begins with an ASCII character, whose other half is zero. */
    if (size >= 2 && (text[0] == '\0') != (text[1] == '\0'))
        return from_utf16(name, text, size, text[0] == '\0', out, err);
    size_t mark = starts(text, size, "\xef\xbb\xbf", 3) ? 3 : 0;
    pyr_buf_append(out, text + mark, size - mark);
    return true;
}

/* --- what is no number ------------------------------------------------------------------------ */

static bool in_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Python writes NaN and Infinity, C's printf nan, -nan and inf; 0 where none stands there. */
static size_t no_number_at(const char *text, size_t size, const char **spelled) {
    static const struct {
        const char *word, *spelled, *negative;
    } words[] = {{"infinity", PYR_IMPORT_INFINITE, PYR_IMPORT_MINUS_INFINITE},
                 {"inf", PYR_IMPORT_INFINITE, PYR_IMPORT_MINUS_INFINITE},
                 {"nan", PYR_IMPORT_NAN, PYR_IMPORT_NAN}};
    size_t sign = size > 0 && (text[0] == '-' || text[0] == '+');
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t length = strlen(words[i].word), whole = sign + length;
        if (whole > size || strncasecmp(text + sign, words[i].word, length) != 0 ||
            (whole < size && in_word(text[whole])))
            continue;
        *spelled = sign && text[0] == '-' ? words[i].negative : words[i].spelled;
        return whole;
    }
    return 0;
}

/* Outside of strings only; lines stay where they are. */
static void quote_no_numbers(const struct pyr_buf *in, struct pyr_buf *out) {
    const char *text = in->data;
    bool quoted = false, word = false;
    for (size_t i = 0; i < in->length; i++) {
        const char *spelled;
        size_t length = quoted || word ? 0 : no_number_at(text + i, in->length - i, &spelled);
        if (length) {
            pyr_buf_putc(out, '"');
            pyr_buf_puts(out, spelled);
            pyr_buf_putc(out, '"');
            i += length - 1;
            word = true;
            continue;
        }
        pyr_buf_putc(out, text[i]);
        word = in_word(text[i]) || text[i] == '.' || text[i] == '-' || text[i] == '+';
        if (quoted && text[i] == '\\' && i + 1 < in->length)
            pyr_buf_putc(out, text[++i]);
        else if (text[i] == '"')
            quoted = !quoted;
    }
}

bool pyr_import_plain(const char *name, const char *text, size_t size, struct pyr_buf *plain,
                      struct pyr_err *err) {
    struct pyr_buf decoded = {0};
    bool fine = decode(name, text, size, &decoded, err);
    if (fine)
        quote_no_numbers(&decoded, plain);
    pyr_buf_deinit(&decoded);
    return fine;
}

/* --- what is no JSON ---------------------------------------------------------------------------
 */

/* What people hand over in its place, by how it begins. */
static const struct {
    const char *begins, *is, *mend;
} disguises[] = {
    {"|", "a Markdown table", "write it as JSON (llama-bench -o json, hyperfine --export-json)"},
    {"build_commit,", "llama-bench's CSV", "write it with llama-bench -o json"},
    {"\"build_commit\"", "llama-bench's CSV", "write it with llama-bench -o json"},
    {"CREATE TABLE", "llama-bench's SQL", "write it with llama-bench -o json"},
    {"command,mean", "hyperfine's CSV", "write it with hyperfine --export-json"},
    {"Metric,avg", "a CSV of AIPerf or GenAI-Perf", "give the .json beside it"},
    {"<", "HTML or XML", "give the tool's JSON"},
    {"SQLite format 3", "a database", "name it with --history"},
    {"PK\x03\x04", "a zip archive", "unpack it first"},
    {"\x1f\x8b", "compressed by gzip", "unpack it first"},
    {"\x28\xb5\x2f\xfd", "compressed by zstd", "unpack it first"},
    {"GGUF", "a model", "give a result file"},
    {"====", "what a tool prints",
     "let it write its result as JSON (vllm bench serve --save-result)"},
    {"---", "YAML", "let the tool write JSON"},
};

bool pyr_import_disguise(const char *name, const char *text, size_t size, struct pyr_err *err) {
    while (size > 0 && strchr(" \t\r\n", *text) && *text)
        text++, size--;
    for (size_t i = 0; i < sizeof disguises / sizeof *disguises; i++)
        if (starts(text, size, disguises[i].begins, strlen(disguises[i].begins)))
            return pyr_fail(err, PYR_E_INPUT, "%s: no JSON but %s; %s", name, disguises[i].is,
                            disguises[i].mend);
    return true;
}
