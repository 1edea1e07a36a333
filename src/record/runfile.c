/* SPDX-License-Identifier: MIT */
#include "record/runfile.h"

#include "base/fs.h"
#include "base/mem.h"
#include "record/crc32c.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MAGIC_BYTES = 8,
    REQUEST_BYTES_V1 = 160,
    METRICS_MAX = 4096, /* names in a file's table */
    BUFFER_BYTES_MIN = 64 * 1024
};

struct pyr_runfile {
    int fd;
    uint64_t size_bytes; /* when it was opened */
    uint64_t offset;     /* of the next block */
    uint32_t begun;      /* blocks whose reading was begun; the last one's number is one less */
    char *meta;
    unsigned char *buffer;
    size_t buffer_bytes;
    uint32_t *metrics; /* (metric_count) this program's number of the file's metric */
    uint32_t metric_count;
    uint64_t requests, chunks, left_out;
    char version; /* '1' or '2' */
    bool ended;   /* nothing more comes */
    char partial[160];
};

/* The first that went wrong is what is told. */
static void note_partial(struct pyr_runfile *file, const char *what) {
    if (!file->partial[0])
        snprintf(file->partial, sizeof file->partial, "block %u: %s", file->begun - 1, what);
}

/* What went wrong ends the reading; the blocks before it stand. */
static bool stop(struct pyr_runfile *file, const char *what) {
    note_partial(file, what);
    file->ended = true;
    return false;
}

static bool read_fully(struct pyr_runfile *file, uint64_t offset, void *bytes, size_t count) {
    for (size_t got = 0; got < count;) {
        ssize_t more = pread(file->fd, (char *)bytes + got, count - got, (off_t)(offset + got));
        if (more < 0 && errno == EINTR)
            continue;
        if (more <= 0)
            return stop(file, more < 0 ? strerror(errno) : "cut short");
        got += (size_t)more;
    }
    return true;
}

/* Reads the next block into the buffer, checked against its checksum. */
static bool read_block(struct pyr_runfile *file, uint32_t *type, size_t *bytes) {
    uint32_t header[4];
    uint64_t left = file->size_bytes - file->offset;
    if (left == 0) {
        if (!file->partial[0])
            snprintf(file->partial, sizeof file->partial,
                     "no end block: the run was killed, could not be written on, or goes on still");
        file->ended = true;
        return false;
    }
    file->begun++;
    if (left < sizeof header)
        return stop(file, "cut short");
    if (!read_fully(file, file->offset, header, sizeof header))
        return false;
    *type = header[0];
    *bytes = header[1];
    if (*bytes > PYR_BLOCK_BYTES_MAX)
        return stop(file, "damaged (its length cannot be)");
    if (*bytes > left - sizeof header)
        return stop(file, "cut short");
    if (*bytes + 1 > file->buffer_bytes) {
        file->buffer_bytes = *bytes + 1 > BUFFER_BYTES_MIN ? *bytes + 1 : BUFFER_BYTES_MIN;
        file->buffer = pyr_xrealloc(file->buffer, file->buffer_bytes);
    }
    if (!read_fully(file, file->offset + sizeof header, file->buffer, *bytes))
        return false;
    uint32_t crc = pyr_crc32c(pyr_crc32c(0, header, 12), file->buffer, *bytes);
    if (crc != header[3])
        return stop(file, "damaged (checksum)");
    if (header[2] != file->begun - 1)
        return stop(file, "out of sequence");
    assert(*bytes < file->buffer_bytes);
    file->buffer[*bytes] = '\0';
    file->offset += sizeof header + *bytes;
    assert(file->offset <= file->size_bytes);
    return true;
}

/* --- what a block holds ----------------------------------------------------------------------- */

static bool take_metrics(struct pyr_runfile *file, size_t bytes) {
    const char *at = (const char *)file->buffer, *end = at + bytes;
    if (bytes == 0 || end[-1] != '\0')
        return stop(file, "the metric table has no end");
    file->metrics = pyr_xrealloc(file->metrics, METRICS_MAX * sizeof *file->metrics);
    file->metric_count = 0;
    for (; at < end; at += strlen(at) + 1) {
        if (file->metric_count == METRICS_MAX)
            return stop(file, "the metric table is too long");
        file->metrics[file->metric_count++] = pyr_metric_find(at);
    }
    return true;
}

/* This program's number of the file's metric, PYR_METRIC_COUNT when it has none. */
static uint32_t own_metric(const struct pyr_runfile *file, uint32_t metric) {
    return metric < file->metric_count ? file->metrics[metric] : PYR_METRIC_COUNT;
}

static size_t take_observations(struct pyr_runfile *file, size_t count) {
    struct pyr_observation *items = (void *)file->buffer;
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        items[kept] = items[i];
        items[kept].metric = own_metric(file, items[i].metric);
        kept += items[kept].metric < PYR_METRIC_COUNT;
    }
    return kept;
}

/* One head and its bytes, which lie behind it. */
static size_t take_histogram(struct pyr_runfile *file, size_t bytes) {
    struct pyr_histogram *head = (void *)file->buffer;
    if (bytes < sizeof *head || head->bytes != bytes - sizeof *head) {
        stop(file, "a histogram of another length than it says");
        return 0;
    }
    head->metric = own_metric(file, head->metric);
    return head->metric < PYR_METRIC_COUNT;
}

static size_t take_steps(struct pyr_runfile *file, size_t count) {
    struct pyr_step *items = (void *)file->buffer;
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        items[kept] = items[i];
        kept += items[kept].end_ns >= items[kept].start_ns;
    }
    return kept;
}

static size_t take_samples(struct pyr_runfile *file, size_t count) {
    struct pyr_reading *items = (void *)file->buffer;
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        items[kept] = items[i];
        items[kept].metric = own_metric(file, items[i].metric);
        kept += items[kept].metric < PYR_METRIC_COUNT;
    }
    return kept;
}

static size_t take_marks(struct pyr_runfile *file, size_t count) {
    struct pyr_mark *items = (void *)file->buffer;
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (items[i].kind >= PYR_MARK_COUNT)
            continue;
        items[kept] = items[i];
        items[kept].text[sizeof items->text - 1] = '\0';
        kept++;
    }
    return kept;
}

static size_t take_cases(struct pyr_runfile *file, size_t count) {
    struct pyr_case *items = (void *)file->buffer;
    for (size_t i = 0; i < count; i++) {
        struct pyr_case *plan = &items[i];
        plan->suite[sizeof plan->suite - 1] = '\0';
        plan->id[sizeof plan->id - 1] = '\0';
        plan->arrival[sizeof plan->arrival - 1] = '\0';
        plan->prompt_class[sizeof plan->prompt_class - 1] = '\0';
        plan->params[sizeof plan->params - 1] = '\0';
    }
    return count;
}

/* A goal names its metric. */
static size_t take_goals(struct pyr_runfile *file, size_t count) {
    struct pyr_goal *items = (void *)file->buffer;
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        struct pyr_goal *goal = &items[kept];
        *goal = items[i];
        goal->metric[sizeof goal->metric - 1] = '\0';
        goal->statistic[sizeof goal->statistic - 1] = '\0';
        goal->suite[sizeof goal->suite - 1] = '\0';
        goal->label[sizeof goal->label - 1] = '\0';
        kept += pyr_metric_find(goal->metric) != PYR_METRIC_COUNT && isfinite(goal->limit);
    }
    return kept;
}

/* Requests of version 1 get the fields that came later, unknown. The last one first: each moves to
 * where the next one stood. */
static void widen_requests(struct pyr_runfile *file, size_t count) {
    size_t bytes = count * sizeof(struct pyr_request) + 1;
    if (bytes > file->buffer_bytes) {
        file->buffer = pyr_xrealloc(file->buffer, bytes);
        file->buffer_bytes = bytes;
    }
    for (size_t i = count; i-- > 0;) {
        unsigned char *wide = file->buffer + i * sizeof(struct pyr_request);
        memmove(wide, file->buffer + i * REQUEST_BYTES_V1, REQUEST_BYTES_V1);
        memset(wide + REQUEST_BYTES_V1, 0, sizeof(struct pyr_request) - REQUEST_BYTES_V1);
    }
}

static size_t take_requests(struct pyr_runfile *file, size_t count) {
    if (file->version == '1')
        widen_requests(file, count);
    struct pyr_request *items = (void *)file->buffer;
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        items[kept] = items[i];
        kept += items[i].outcome < PYR_OUTCOME_COUNT;
    }
    /* Shares of failures cannot be known without these. */
    if (kept < count)
        note_partial(file, "an outcome unknown here: written by a newer version");
    file->requests += count;
    return kept;
}

static size_t take_chunks(struct pyr_runfile *file, size_t count) {
    file->chunks += count;
    return count;
}

static void take_end(struct pyr_runfile *file, size_t bytes) {
    uint64_t counts[2];
    if (bytes != sizeof counts) {
        stop(file, "the end block has another length");
        return;
    }
    memcpy(counts, file->buffer, sizeof counts);
    file->ended = true;
    if (counts[0] != file->requests || counts[1] != file->chunks)
        stop(file, "the end block counts other records than were read");
    else if (file->offset != file->size_bytes)
        stop(file, "bytes follow the end block");
}

/* The sizes are the format (docs/formats/run.md). */
_Static_assert(sizeof(struct pyr_case) == 720, "format");
_Static_assert(sizeof(struct pyr_request) == 176, "format");
_Static_assert(offsetof(struct pyr_request, events) == REQUEST_BYTES_V1, "format");
_Static_assert(sizeof(struct pyr_chunk) == 16, "format");
_Static_assert(sizeof(struct pyr_observation) == 32, "format");
_Static_assert(sizeof(struct pyr_reading) == 24, "format");
_Static_assert(sizeof(struct pyr_mark) == 256, "format");
_Static_assert(sizeof(struct pyr_goal) == 168, "format");
_Static_assert(sizeof(struct pyr_step) == 32, "format");
_Static_assert(sizeof(struct pyr_histogram) == 32, "format");

static const struct {
    size_t item_bytes;
    size_t (*take)(struct pyr_runfile *file, size_t count); /* how many are left for the caller */
} kinds[] = {
    [PYR_BLOCK_CASES] = {sizeof(struct pyr_case), take_cases},
    [PYR_BLOCK_REQUESTS] = {sizeof(struct pyr_request), take_requests},
    [PYR_BLOCK_CHUNKS] = {sizeof(struct pyr_chunk), take_chunks},
    [PYR_BLOCK_OBSERVATIONS] = {sizeof(struct pyr_observation), take_observations},
    [PYR_BLOCK_SAMPLES] = {sizeof(struct pyr_reading), take_samples},
    [PYR_BLOCK_MARKS] = {sizeof(struct pyr_mark), take_marks},
    [PYR_BLOCK_GOALS] = {sizeof(struct pyr_goal), take_goals},
    [PYR_BLOCK_STEPS] = {sizeof(struct pyr_step), take_steps},
    [PYR_BLOCK_HISTOGRAMS] = {1, take_histogram}, /* one item of any length */
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static size_t item_bytes(const struct pyr_runfile *file, uint32_t type) {
    return type == PYR_BLOCK_REQUESTS && file->version == '1' ? REQUEST_BYTES_V1
                                                              : kinds[type].item_bytes;
}

bool pyr_runfile_next(struct pyr_runfile *file, struct pyr_block *block) {
    uint32_t type = 0;
    size_t bytes = 0;
    while (!file->ended && read_block(file, &type, &bytes)) {
        if (type == PYR_BLOCK_META) {
            *block = (struct pyr_block){PYR_BLOCK_META, file->buffer, bytes};
            return true;
        }
        if (type == PYR_BLOCK_END) {
            take_end(file, bytes);
        } else if (type == PYR_BLOCK_METRICS) {
            take_metrics(file, bytes);
        } else if (type >= KINDS || !kinds[type].take) {
            file->left_out++;
        } else if (bytes % item_bytes(file, type) != 0) {
            stop(file, "its length is no multiple of its items'");
        } else {
            size_t count = bytes / item_bytes(file, type);
            size_t kept = kinds[type].take(file, count);
            assert(kept <= count);
            file->left_out += (type == PYR_BLOCK_HISTOGRAMS ? 1 : count) - kept;
            *block = (struct pyr_block){(enum pyr_block_type)type, file->buffer, kept};
            if (kept > 0)
                return true;
        }
    }
    return false;
}

void pyr_runfile_rewind(struct pyr_runfile *file) {
    file->offset = MAGIC_BYTES;
    file->begun = 0;
    file->requests = file->chunks = file->left_out = 0;
    file->metric_count = 0;
    file->ended = false;
    file->partial[0] = '\0';
}

/* --- open ------------------------------------------------------------------------------------- */

static bool check_magic(struct pyr_runfile *file, const char *path, struct pyr_err *err) {
    char magic[MAGIC_BYTES];
    if (file->size_bytes == 0)
        return pyr_fail(err, PYR_E_INPUT,
                        "%s: is empty: the run was ended before it wrote anything; measure again",
                        path);
    if (file->size_bytes < MAGIC_BYTES || !read_fully(file, 0, magic, sizeof magic) ||
        memcmp(magic, PYR_RUN_MAGIC, PYR_RUN_VERSION_AT) != 0 || magic[MAGIC_BYTES - 1] != '\n')
        return pyr_fail(
            err, PYR_E_INPUT,
            "%s: is not a run file of pyrometer; give a run.pyr, its folder, or a run's name",
            path);
    file->version = magic[PYR_RUN_VERSION_AT];
    return (file->version == '1' || file->version == '2') ||
           pyr_fail(err, PYR_E_UNSUPPORTED,
                    "%s: is a run file of version '%.1s', this program reads versions 1 and 2; use "
                    "the pyrometer that wrote it",
                    path, magic + PYR_RUN_VERSION_AT);
}

static bool open_file(struct pyr_runfile *file, const char *path, struct pyr_err *err) {
    /* Non-blocking, so that a named pipe in the place of a file is refused and not waited for. */
    file->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat info;
    if (file->fd < 0 || fstat(file->fd, &info) != 0)
        return pyr_fail_errno(err, errno, "%s: cannot be read", path);
    if (!S_ISREG(info.st_mode))
        return pyr_fail(err, PYR_E_INPUT, "%s: is no file", path);
    file->size_bytes = (uint64_t)info.st_size;
    if (!check_magic(file, path, err))
        return false;
    pyr_runfile_rewind(file);
    struct pyr_block block;
    if (!pyr_runfile_next(file, &block) || block.type != PYR_BLOCK_META)
        return pyr_fail(
            err, PYR_E_INPUT,
            "%s: does not begin with the plan of a run (%s): nothing can be worked out from "
            "it; measure again",
            path, file->partial[0] ? file->partial : "another block comes first");
    file->meta = pyr_xstrdup(block.items);
    pyr_runfile_rewind(file);
    return true;
}

bool pyr_runfile_open(const char *path, struct pyr_runfile **out, struct pyr_err *err) {
    char inside[PATH_MAX];
    if (pyr_fs_is_dir(path)) {
        if (snprintf(inside, sizeof inside, "%s/" PYR_RUN_NAME, path) >= (int)sizeof inside)
            return pyr_fail(err, PYR_E_IO, "%s: the path is too long", path);
        if (!pyr_fs_is_file(inside))
            return pyr_fail(err, PYR_E_INPUT, "%s: holds no " PYR_RUN_NAME, path);
        path = inside;
    }
    struct pyr_runfile *file = pyr_xcalloc(1, sizeof *file);
    if (!open_file(file, path, err)) {
        pyr_runfile_close(file);
        return false;
    }
    *out = file;
    return true;
}

void pyr_runfile_close(struct pyr_runfile *file) {
    if (!file)
        return;
    if (file->fd >= 0)
        close(file->fd);
    pyr_free(file->meta);
    pyr_free(file->buffer);
    pyr_free(file->metrics);
    pyr_free(file);
}

const char *pyr_runfile_meta(const struct pyr_runfile *file) {
    return file->meta;
}

const char *pyr_runfile_partial(const struct pyr_runfile *file) {
    return file->partial[0] ? file->partial : NULL;
}

uint64_t pyr_runfile_left_out(const struct pyr_runfile *file) {
    return file->left_out;
}
