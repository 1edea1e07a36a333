/* SPDX-License-Identifier: MIT */
#include "model/gguf_write.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { ALIGNMENT = 32 }; /* GGUF's default, so general.alignment need not be written */

struct place {
    uint64_t offset, bytes; /* offset from the start of the data section */
};

struct pyr_gguf_writer {
    char path[PATH_MAX], temporary[PATH_MAX];
    int fd;
    struct pyr_buf values, tensors;
    uint64_t value_count;
    struct place *places;
    size_t tensor_count;
    uint64_t data_bytes, header_bytes;
};

struct pyr_gguf_writer *pyr_gguf_writer_create(const char *path, struct pyr_err *err) {
    struct pyr_gguf_writer *writer = pyr_xcalloc(1, sizeof *writer);
    if (!pyr_fs_temporary(path, writer->temporary, sizeof writer->temporary)) {
        pyr_fail(err, PYR_E_IO, "%s: the path is too long", path);
        pyr_free(writer);
        return NULL;
    }
    snprintf(writer->path, sizeof writer->path, "%s", path);
    writer->fd = open(writer->temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (writer->fd < 0) {
        pyr_fail_errno(err, errno, "%s: cannot be written", path);
        pyr_free(writer);
        return NULL;
    }
    return writer;
}

static void append_u32(struct pyr_buf *buf, uint32_t value) {
    pyr_buf_append(buf, &value, sizeof value);
}

static void append_u64(struct pyr_buf *buf, uint64_t value) {
    pyr_buf_append(buf, &value, sizeof value);
}

static void append_string(struct pyr_buf *buf, const char *text) {
    append_u64(buf, strlen(text));
    pyr_buf_append(buf, text, strlen(text));
}

static void start_value(struct pyr_gguf_writer *writer, const char *key, uint32_t type) {
    append_string(&writer->values, key);
    append_u32(&writer->values, type);
    writer->value_count++;
}

static void start_array(struct pyr_gguf_writer *writer, const char *key, uint32_t element,
                        size_t count) {
    start_value(writer, key, PYR_GGUF_ARRAY);
    append_u32(&writer->values, element);
    append_u64(&writer->values, count);
}

void pyr_gguf_put_u32(struct pyr_gguf_writer *writer, const char *key, uint32_t value) {
    start_value(writer, key, PYR_GGUF_U32);
    append_u32(&writer->values, value);
}

void pyr_gguf_put_u64(struct pyr_gguf_writer *writer, const char *key, uint64_t value) {
    start_value(writer, key, PYR_GGUF_U64);
    append_u64(&writer->values, value);
}

void pyr_gguf_put_f32(struct pyr_gguf_writer *writer, const char *key, float value) {
    start_value(writer, key, PYR_GGUF_F32);
    pyr_buf_append(&writer->values, &value, sizeof value);
}

void pyr_gguf_put_bool(struct pyr_gguf_writer *writer, const char *key, bool value) {
    start_value(writer, key, PYR_GGUF_BOOL);
    pyr_buf_putc(&writer->values, value);
}

void pyr_gguf_put_string(struct pyr_gguf_writer *writer, const char *key, const char *value) {
    start_value(writer, key, PYR_GGUF_STRING);
    append_string(&writer->values, value);
}

void pyr_gguf_put_strings(struct pyr_gguf_writer *writer, const char *key,
                          const char *const *values, size_t count) {
    start_array(writer, key, PYR_GGUF_STRING, count);
    for (size_t i = 0; i < count; i++)
        append_string(&writer->values, values[i]);
}

void pyr_gguf_put_f32s(struct pyr_gguf_writer *writer, const char *key, const float *values,
                       size_t count) {
    start_array(writer, key, PYR_GGUF_F32, count);
    pyr_buf_append(&writer->values, values, count * sizeof *values);
}

void pyr_gguf_put_i32s(struct pyr_gguf_writer *writer, const char *key, const int32_t *values,
                       size_t count) {
    start_array(writer, key, PYR_GGUF_I32, count);
    pyr_buf_append(&writer->values, values, count * sizeof *values);
}

size_t pyr_gguf_put_tensor(struct pyr_gguf_writer *writer, const char *name, uint32_t type,
                           uint64_t columns, uint64_t rows) {
    const struct pyr_tensor_type *format = pyr_tensor_type(type);
    assert(format && columns > 0 && rows > 0 && columns % format->block == 0);
    uint32_t dims = rows > 1 ? 2 : 1;
    append_string(&writer->tensors, name);
    append_u32(&writer->tensors, dims);
    append_u64(&writer->tensors, columns);
    if (dims == 2)
        append_u64(&writer->tensors, rows);
    append_u32(&writer->tensors, type);
    append_u64(&writer->tensors, writer->data_bytes);

    size_t index = writer->tensor_count++;
    writer->places = pyr_xrealloc(writer->places, writer->tensor_count * sizeof *writer->places);
    uint64_t bytes = columns / format->block * format->bytes * rows;
    writer->places[index] = (struct place){writer->data_bytes, bytes};
    writer->data_bytes += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return index;
}

static bool fail_write(const struct pyr_gguf_writer *writer, int cause, struct pyr_err *err) {
    struct statvfs disk;
    if (cause != ENOSPC || fstatvfs(writer->fd, &disk) != 0)
        return pyr_fail_errno(err, cause, "%s: cannot be written", writer->path);
    return pyr_fail(err, PYR_E_IO,
                    "%s: the disk is full: the model takes %" PRIu64 " MB and %" PRIu64
                    " MB are free; free some or name another folder",
                    writer->path, pyr_gguf_writer_bytes(writer) / 1000000,
                    (uint64_t)disk.f_bavail * disk.f_frsize / 1000000);
}

static bool write_at(const struct pyr_gguf_writer *writer, const void *bytes, size_t count,
                     uint64_t offset, struct pyr_err *err) {
    const char *next = bytes;
    while (count > 0) {
        ssize_t wrote = pwrite(writer->fd, next, count, (off_t)offset);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return fail_write(writer, wrote < 0 ? errno : ENOSPC, err);
        next += wrote;
        offset += (uint64_t)wrote;
        count -= (size_t)wrote;
    }
    return true;
}

/* Not every file system can reserve space; then a full disk is told by the write that meets it. */
static bool reserve(const struct pyr_gguf_writer *writer, struct pyr_err *err) {
    off_t bytes = (off_t)pyr_gguf_writer_bytes(writer);
    int result;
    do
        result = fallocate(writer->fd, 0, 0, bytes);
    while (result != 0 && errno == EINTR);
    if (result == 0)
        return true;
    if (errno != EOPNOTSUPP && errno != ENOSYS)
        return fail_write(writer, errno, err);
    return ftruncate(writer->fd, bytes) == 0 || fail_write(writer, errno, err);
}

bool pyr_gguf_writer_begin(struct pyr_gguf_writer *writer, struct pyr_err *err) {
    struct pyr_buf head = {0};
    pyr_buf_append(&head, "GGUF", 4);
    append_u32(&head, 3);
    append_u64(&head, writer->tensor_count);
    append_u64(&head, writer->value_count);
    pyr_buf_append(&head, writer->values.data, writer->values.length);
    pyr_buf_append(&head, writer->tensors.data, writer->tensors.length);
    while (head.length % ALIGNMENT)
        pyr_buf_putc(&head, 0);
    writer->header_bytes = head.length;
    bool ok = reserve(writer, err) && write_at(writer, head.data, head.length, 0, err);
    pyr_buf_deinit(&head);
    return ok;
}

uint64_t pyr_gguf_writer_bytes(const struct pyr_gguf_writer *writer) {
    return writer->header_bytes + writer->data_bytes;
}

bool pyr_gguf_write(const struct pyr_gguf_writer *writer, size_t tensor, uint64_t offset,
                    const void *bytes, size_t count, struct pyr_err *err) {
    assert(writer->header_bytes > 0 && tensor < writer->tensor_count);
    const struct place *place = &writer->places[tensor];
    assert(offset <= place->bytes && count <= place->bytes - offset);
    return write_at(writer, bytes, count, writer->header_bytes + place->offset + offset, err);
}

static void release(struct pyr_gguf_writer *writer) {
    pyr_buf_deinit(&writer->values);
    pyr_buf_deinit(&writer->tensors);
    pyr_free(writer->places);
    pyr_free(writer);
}

bool pyr_gguf_writer_finish(struct pyr_gguf_writer *writer, struct pyr_err *err) {
    int cause = fsync(writer->fd) == 0 ? 0 : errno;
    if (close(writer->fd) != 0 && cause == 0)
        cause = errno;
    if (cause == 0 && rename(writer->temporary, writer->path) != 0)
        cause = errno;
    if (cause != 0) {
        unlink(writer->temporary);
        pyr_fail_errno(err, cause, "%s: cannot be written", writer->path);
    }
    release(writer);
    return cause == 0;
}

void pyr_gguf_writer_abandon(struct pyr_gguf_writer *writer) {
    if (!writer)
        return;
    close(writer->fd);
    unlink(writer->temporary);
    release(writer);
}
