/* SPDX-License-Identifier: MIT */
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static void *or_die(void *memory, size_t bytes) {
    if (!memory) {
        fprintf(stderr, "pyrometer: out of memory (%zu bytes asked for)\n", bytes);
        abort();
    }
    return memory;
}

void *pyr_xcalloc(size_t count, size_t size) {
    if (count == 0 || size == 0)
        count = size = 1;
    return or_die(calloc(count, size), count > SIZE_MAX / size ? SIZE_MAX : count * size);
}

void *pyr_xrealloc(void *old, size_t size) {
    return or_die(realloc(old, size ? size : 1), size);
}

char *pyr_xstrdup(const char *text) {
    size_t bytes = strlen(text) + 1;
    return memcpy(pyr_xcalloc(1, bytes), text, bytes);
}

void pyr_free(void *memory) {
    free(memory);
}

static void *map_bytes(size_t bytes, int flags, const char *what, struct pyr_err *err) {
    assert(bytes > 0);
    void *memory =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
    if (memory == MAP_FAILED) {
        pyr_fail_errno(err, errno, "%s: cannot map %zu bytes", what, bytes);
        return NULL;
    }
    return memory;
}

void *pyr_map_bytes(size_t bytes, const char *what, struct pyr_err *err) {
    return map_bytes(bytes, MAP_POPULATE, what, err);
}

void *pyr_map_bytes_lazily(size_t bytes, const char *what, struct pyr_err *err) {
    return map_bytes(bytes, MAP_NORESERVE, what, err);
}

void pyr_unmap_bytes(void *memory, size_t bytes) {
    if (memory)
        munmap(memory, bytes);
}
