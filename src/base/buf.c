/* SPDX-License-Identifier: MIT */
#include "base/buf.h"

#include "base/mem.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void pyr_buf_deinit(struct pyr_buf *buf) {
    pyr_free(buf->data);
    *buf = (struct pyr_buf){0};
}

void pyr_buf_clear(struct pyr_buf *buf) {
    buf->length = 0;
    if (buf->data)
        buf->data[0] = '\0';
}

void pyr_buf_reserve(struct pyr_buf *buf, size_t extra) {
    size_t need = buf->length + extra + 1;
    if (need <= buf->capacity)
        return;
    size_t capacity = buf->capacity ? buf->capacity : 64;
    while (capacity < need)
        capacity *= 2;
    buf->data = pyr_xrealloc(buf->data, capacity);
    buf->capacity = capacity;
}

void pyr_buf_append(struct pyr_buf *buf, const void *bytes, size_t count) {
    pyr_buf_reserve(buf, count);
    if (count)
        memcpy(buf->data + buf->length, bytes, count);
    buf->length += count;
    buf->data[buf->length] = '\0';
}

void pyr_buf_puts(struct pyr_buf *buf, const char *text) {
    pyr_buf_append(buf, text, strlen(text));
}

void pyr_buf_putc(struct pyr_buf *buf, char c) {
    pyr_buf_append(buf, &c, 1);
}

void pyr_buf_printf(struct pyr_buf *buf, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    assert(length >= 0);
    pyr_buf_reserve(buf, (size_t)length);
    vsnprintf(buf->data + buf->length, (size_t)length + 1, format, again);
    va_end(again);
    buf->length += (size_t)length;
}

const char *pyr_buf_text(const struct pyr_buf *buf) {
    return buf->data ? buf->data : "";
}
