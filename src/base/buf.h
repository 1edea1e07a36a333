/* SPDX-License-Identifier: MIT
 *
 * A growing byte buffer, always NUL-terminated one past `length`. Not for measured paths.
 * Init with `struct pyr_buf buf = {0}`; release with pyr_buf_deinit.
 */
#ifndef PYR_BASE_BUF_H
#define PYR_BASE_BUF_H

#include <stddef.h>

struct pyr_buf {
    char *data; /* NULL while empty */
    size_t length, capacity;
};

void pyr_buf_deinit(struct pyr_buf *buf);
void pyr_buf_clear(struct pyr_buf *buf);
void pyr_buf_reserve(struct pyr_buf *buf, size_t extra);
void pyr_buf_append(struct pyr_buf *buf, const void *bytes, size_t count);
void pyr_buf_puts(struct pyr_buf *buf, const char *text);
void pyr_buf_putc(struct pyr_buf *buf, char c);
void pyr_buf_printf(struct pyr_buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The text so far, "" when empty; valid until the next append. */
const char *pyr_buf_text(const struct pyr_buf *buf);

#endif
