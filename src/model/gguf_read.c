/* SPDX-License-Identifier: MIT */
#include "model/gguf_read.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The smallest encodings, so that a count can be refused before memory is taken for it. */
enum {
    VALUE_BYTES_MIN = 8 + 1 + 4 + 1,       /* key length, one byte of key, type, one byte */
    TENSOR_BYTES_MIN = 8 + 1 + 4 + 8 + 12, /* name, one dimension, type and offset */
    KEY_BYTES_MAX = 65535,                 /* the specification's limit */
    ALIGNMENT_DEFAULT = 32
};

struct reader {
    const char *name;
    const uint8_t *bytes;
    uint64_t count, at;
    struct pyr_arena *arena;
    struct pyr_err *err;
};

static bool fail_short(struct reader *r, const char *what, uint64_t wanted) {
    pyr_fail(r->err, PYR_E_INPUT,
             "%s: truncated or damaged: %s at byte %" PRIu64 " needs %" PRIu64
             " bytes and the file ends at %" PRIu64 "; download it again",
             r->name, what, r->at, wanted, r->count);
    return false; /* said here, so that the compiler sees it too */
}

static bool take(struct reader *r, uint64_t bytes, const char *what, const uint8_t **out) {
    if (bytes > r->count - r->at)
        return fail_short(r, what, bytes);
    *out = r->bytes + r->at;
    r->at += bytes;
    return true;
}

static bool take_u32(struct reader *r, const char *what, uint32_t *value) {
    const uint8_t *bytes;
    if (!take(r, sizeof *value, what, &bytes))
        return false;
    memcpy(value, bytes, sizeof *value);
    return true;
}

static bool take_u64(struct reader *r, const char *what, uint64_t *value) {
    const uint8_t *bytes;
    if (!take(r, sizeof *value, what, &bytes))
        return false;
    memcpy(value, bytes, sizeof *value);
    return true;
}

static bool take_string(struct reader *r, const char *what, struct pyr_gguf_string *string) {
    const uint8_t *bytes;
    if (!take_u64(r, what, &string->length) || !take(r, string->length, what, &bytes))
        return false;
    string->text = (const char *)bytes;
    return true;
}

/* A key or tensor name: at least one byte, no zero byte, kept NUL-terminated. */
static bool take_name(struct reader *r, const char *what, const char **name) {
    uint64_t start = r->at;
    struct pyr_gguf_string string;
    if (!take_string(r, what, &string))
        return false;
    if (string.length == 0 || string.length > KEY_BYTES_MAX ||
        memchr(string.text, 0, string.length))
        return pyr_fail(r->err, PYR_E_INPUT, "%s: damaged: %s at byte %" PRIu64 " is not a name",
                        r->name, what, start);
    *name = pyr_arena_strndup(r->arena, string.text, string.length);
    return true;
}

static bool take_array(struct reader *r, struct pyr_gguf_value *value) {
    uint32_t element;
    if (!take_u32(r, "an array's type", &element) ||
        !take_u64(r, "an array's length", &value->count))
        return false;
    if (element >= PYR_GGUF_TYPES || element == PYR_GGUF_ARRAY)
        return pyr_fail(r->err, PYR_E_INPUT,
                        "%s: damaged: '%s' is an array of type %u, which GGUF does not have",
                        r->name, value->key, element);
    value->element = element;
    uint64_t start = r->at;
    const uint8_t *bytes;
    if (element == PYR_GGUF_STRING) {
        struct pyr_gguf_string string;
        if (value->count > (r->count - r->at) / sizeof(uint64_t))
            return fail_short(r, value->key, value->count);
        for (uint64_t i = 0; i < value->count; i++)
            if (!take_string(r, value->key, &string))
                return false;
    } else {
        uint32_t size = pyr_gguf_type_bytes(element);
        if (value->count > (r->count - r->at) / size)
            return fail_short(r, value->key, value->count);
        if (!take(r, value->count * size, value->key, &bytes))
            return false;
    }
    value->bytes = r->bytes + start;
    value->byte_count = r->at - start;
    return true;
}

static bool take_value(struct reader *r, struct pyr_gguf_value *value) {
    uint32_t type;
    if (!take_name(r, "a metadata key", &value->key) || !take_u32(r, value->key, &type))
        return false;
    if (type >= PYR_GGUF_TYPES)
        return pyr_fail(r->err, PYR_E_INPUT,
                        "%s: damaged: '%s' has type %u, which GGUF does not have", r->name,
                        value->key, type);
    value->type = type;
    value->count = 1;
    if (type == PYR_GGUF_ARRAY)
        return take_array(r, value);
    value->byte_count = pyr_gguf_type_bytes(type);
    if (type == PYR_GGUF_STRING) {
        uint64_t start = r->at;
        struct pyr_gguf_string string;
        bool ok = take_string(r, value->key, &string);
        value->bytes = r->bytes + start;
        value->byte_count = r->at - start;
        return ok;
    }
    return take(r, value->byte_count, value->key, &value->bytes);
}

static bool multiply(uint64_t *product, uint64_t factor) {
    return !__builtin_mul_overflow(*product, factor, product) && *product <= INT64_MAX;
}

static bool take_tensor(struct reader *r, struct pyr_gguf_tensor *tensor) {
    uint32_t type;
    if (!take_name(r, "a tensor's name", &tensor->name) ||
        !take_u32(r, tensor->name, &tensor->dim_count))
        return false;
    if (tensor->dim_count < 1 || tensor->dim_count > PYR_GGUF_DIMS)
        return pyr_fail(r->err, PYR_E_INPUT, "%s: damaged: tensor '%s' has %u dimensions", r->name,
                        tensor->name, tensor->dim_count);
    tensor->elements = 1;
    for (uint32_t i = 0; i < PYR_GGUF_DIMS; i++) {
        tensor->dims[i] = 1;
        if (i < tensor->dim_count && !take_u64(r, tensor->name, &tensor->dims[i]))
            return false;
        if (tensor->dims[i] == 0 || !multiply(&tensor->elements, tensor->dims[i]))
            return pyr_fail(r->err, PYR_E_INPUT,
                            "%s: damaged: tensor '%s' has an impossible dimension %" PRIu64,
                            r->name, tensor->name, tensor->dims[i]);
    }
    if (!take_u32(r, tensor->name, &type) || !take_u64(r, tensor->name, &tensor->offset))
        return false;
    tensor->type = pyr_tensor_type(type);
    if (!tensor->type)
        return pyr_fail(r->err, PYR_E_UNSUPPORTED,
                        "%s: tensor '%s' has type %u, which this program does not know; use a "
                        "file quantised to Q4_0, Q8_0, a K-quant or F16",
                        r->name, tensor->name, type);
    tensor->bytes = tensor->elements / tensor->type->block;
    if (tensor->dims[0] % tensor->type->block || !multiply(&tensor->bytes, tensor->type->bytes))
        return pyr_fail(r->err, PYR_E_INPUT,
                        "%s: damaged: rows of tensor '%s' (%" PRIu64
                        " elements) are no whole blocks of %s",
                        r->name, tensor->name, tensor->dims[0], tensor->type->name);
    return true;
}

static bool check_start(struct reader *r, uint32_t *version) {
    const uint8_t *magic;
    if (r->count == 0)
        return pyr_fail(r->err, PYR_E_INPUT, "%s: is empty; download it again", r->name);
    if (r->count < 4)
        return fail_short(r, "the magic", 4);
    take(r, 4, "the magic", &magic);
    if (memcmp(magic, "GGUF", 4) != 0) {
        bool old = memcmp(magic, "lmgg", 4) == 0 || memcmp(magic, "tjgg", 4) == 0 ||
                   memcmp(magic, "fmgg", 4) == 0;
        return pyr_fail(r->err, old ? PYR_E_UNSUPPORTED : PYR_E_INPUT,
                        old ? "%s: is a GGML file from before GGUF; convert it with llama.cpp's "
                              "convert scripts"
                            : "%s: is not a GGUF file (it does not start with 'GGUF'); name a "
                              ".gguf model",
                        r->name);
    }
    if (!take_u32(r, "the version", version))
        return false;
    if (*version != 0 && (*version & 0xffff) == 0)
        return pyr_fail(r->err, PYR_E_UNSUPPORTED,
                        "%s: is a big-endian GGUF file; use a little-endian one", r->name);
    if (*version < 2 || *version > 3)
        return pyr_fail(r->err, PYR_E_UNSUPPORTED,
                        "%s: is GGUF version %u; versions 2 and 3 are supported", r->name,
                        *version);
    return true;
}

static int compare_texts(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A name that occurs twice makes every look-up a matter of luck (and llama.cpp refuses it). */
static bool check_unique(struct reader *r, const char **names, size_t count, const char *what) {
    qsort(names, count, sizeof *names, compare_texts);
    for (size_t i = 1; i < count; i++)
        if (strcmp(names[i - 1], names[i]) == 0)
            return pyr_fail(r->err, PYR_E_INPUT, "%s: damaged: %s '%s' occurs twice", r->name, what,
                            names[i]);
    return true;
}

static bool read_values(struct reader *r, struct pyr_gguf *gguf, uint64_t count) {
    if (count > (r->count - r->at) / VALUE_BYTES_MIN)
        return fail_short(r, "the metadata", count);
    gguf->values = pyr_arena_array(r->arena, count, sizeof *gguf->values);
    gguf->value_count = count;
    const char **keys = pyr_arena_array(r->arena, count, sizeof *keys);
    for (uint64_t i = 0; i < count; i++) {
        if (!take_value(r, &gguf->values[i]))
            return false;
        keys[i] = gguf->values[i].key;
    }
    return check_unique(r, keys, count, "metadata key");
}

static bool read_tensors(struct reader *r, struct pyr_gguf *gguf, uint64_t count) {
    if (count > (r->count - r->at) / TENSOR_BYTES_MIN)
        return fail_short(r, "the tensor table", count);
    gguf->tensors = pyr_arena_array(r->arena, count, sizeof *gguf->tensors);
    gguf->tensor_count = count;
    const char **names = pyr_arena_array(r->arena, count, sizeof *names);
    for (uint64_t i = 0; i < count; i++) {
        if (!take_tensor(r, &gguf->tensors[i]))
            return false;
        names[i] = gguf->tensors[i].name;
    }
    return check_unique(r, names, count, "tensor");
}

static bool read_alignment(struct reader *r, struct pyr_gguf *gguf) {
    const struct pyr_gguf_value *value = pyr_gguf_find(gguf, "general.alignment");
    uint64_t alignment = ALIGNMENT_DEFAULT;
    if (value && (value->type != PYR_GGUF_U32 || !pyr_gguf_u64(value, 0, &alignment) ||
                  alignment == 0 || (alignment & (alignment - 1))))
        return pyr_fail(r->err, PYR_E_INPUT,
                        "%s: damaged: general.alignment is no power of two of type u32", r->name);
    gguf->alignment = (uint32_t)alignment;
    return true;
}

/* Makes offsets absolute and checks that each tensor lies within the file. */
static bool place_tensors(struct reader *r, struct pyr_gguf *gguf) {
    uint64_t mask = gguf->alignment - 1;
    gguf->data_offset = (r->at + mask) & ~mask;
    for (size_t i = 0; i < gguf->tensor_count; i++) {
        struct pyr_gguf_tensor *tensor = &gguf->tensors[i];
        if (tensor->offset & mask)
            return pyr_fail(r->err, PYR_E_INPUT,
                            "%s: damaged: tensor '%s' starts at an unaligned offset %" PRIu64,
                            r->name, tensor->name, tensor->offset);
        uint64_t start, end;
        if (__builtin_add_overflow(gguf->data_offset, tensor->offset, &start) ||
            __builtin_add_overflow(start, tensor->bytes, &end) || end > r->count)
            return pyr_fail(r->err, PYR_E_INPUT,
                            "%s: truncated: the file ends at byte %" PRIu64
                            " and tensor '%s' (%" PRIu64 " bytes) does not fit; download it again",
                            r->name, r->count, tensor->name, tensor->bytes);
        tensor->offset = start;
    }
    return true;
}

bool pyr_gguf_parse(struct pyr_arena *arena, const char *name, const void *bytes, uint64_t count,
                    struct pyr_gguf *gguf, struct pyr_err *err) {
    struct reader r = {name, bytes, count, 0, arena, err};
    uint64_t tensors, values;
    *gguf = (struct pyr_gguf){.file_bytes = count};
    return check_start(&r, &gguf->version) && take_u64(&r, "the tensor count", &tensors) &&
           take_u64(&r, "the metadata count", &values) && read_values(&r, gguf, values) &&
           read_alignment(&r, gguf) && read_tensors(&r, gguf, tensors) && place_tensors(&r, gguf);
}

static bool map_file(const char *path, int fd, struct pyr_gguf_file *file, struct pyr_err *err) {
    struct stat info;
    if (fstat(fd, &info) != 0)
        return pyr_fail_errno(err, errno, "%s", path);
    if (S_ISDIR(info.st_mode))
        return pyr_fail(err, PYR_E_INPUT, "%s: is a folder; name the .gguf file in it", path);
    if (!S_ISREG(info.st_mode))
        return pyr_fail(err, PYR_E_INPUT, "%s: is not a regular file", path);
    if (info.st_size == 0)
        return pyr_fail(err, PYR_E_INPUT, "%s: is empty; download it again", path);
    void *mapping = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (mapping == MAP_FAILED)
        return pyr_fail_errno(err, errno, "%s: cannot be mapped", path);
    file->mapping = mapping;
    file->mapping_bytes = (size_t)info.st_size;
    return true;
}

bool pyr_gguf_open(const char *path, struct pyr_gguf_file *file, struct pyr_err *err) {
    *file = (struct pyr_gguf_file){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return pyr_fail_errno(err, errno, "%s: the model cannot be opened", path);
    bool ok = map_file(path, fd, file, err);
    close(fd);
    if (!ok)
        return false;
    file->path = pyr_xstrdup(path);
    file->arena = pyr_arena_create();
    if (pyr_gguf_parse(file->arena, file->path, file->mapping, file->mapping_bytes, &file->gguf,
                       err))
        return true;
    pyr_gguf_close(file);
    return false;
}

void pyr_gguf_close(struct pyr_gguf_file *file) {
    if (file->mapping)
        munmap(file->mapping, file->mapping_bytes);
    pyr_arena_destroy(file->arena);
    pyr_free(file->path);
    *file = (struct pyr_gguf_file){0};
}

const struct pyr_gguf_value *pyr_gguf_find(const struct pyr_gguf *gguf, const char *key) {
    for (size_t i = 0; i < gguf->value_count; i++)
        if (strcmp(gguf->values[i].key, key) == 0)
            return &gguf->values[i];
    return NULL;
}

const struct pyr_gguf_value *pyr_gguf_find_arch(const struct pyr_gguf *gguf, const char *arch,
                                                const char *suffix) {
    size_t length = strlen(arch);
    for (size_t i = 0; i < gguf->value_count; i++) {
        const char *key = gguf->values[i].key;
        if (strncmp(key, arch, length) == 0 && key[length] == '.' &&
            strcmp(key + length + 1, suffix) == 0)
            return &gguf->values[i];
    }
    return NULL;
}

const struct pyr_gguf_tensor *pyr_gguf_find_tensor(const struct pyr_gguf *gguf, const char *name) {
    for (size_t i = 0; i < gguf->tensor_count; i++)
        if (strcmp(gguf->tensors[i].name, name) == 0)
            return &gguf->tensors[i];
    return NULL;
}

/* The bytes of element i with its type; false for strings and beyond the end. */
static bool element_at(const struct pyr_gguf_value *value, uint64_t i, enum pyr_gguf_type *type,
                       const uint8_t **bytes) {
    if (!value || i >= value->count)
        return false;
    *type = value->type == PYR_GGUF_ARRAY ? value->element : value->type;
    *bytes = value->bytes + i * pyr_gguf_type_bytes(*type);
    return pyr_gguf_type_bytes(*type) > 0;
}

/* Any integer type, sign-extended; false for the others. */
static bool read_integer(enum pyr_gguf_type type, const uint8_t *bytes, uint64_t *value,
                         bool *negative) {
    uint32_t size = pyr_gguf_type_bytes(type);
    bool is_signed =
        type == PYR_GGUF_I8 || type == PYR_GGUF_I16 || type == PYR_GGUF_I32 || type == PYR_GGUF_I64;
    if (type == PYR_GGUF_F32 || type == PYR_GGUF_F64 || type == PYR_GGUF_BOOL || size == 0)
        return false;
    uint64_t raw = 0;
    memcpy(&raw, bytes, size);
    *negative = is_signed && (raw >> (8 * size - 1)) != 0;
    if (*negative && size < 8)
        raw |= ~UINT64_C(0) << (8 * size);
    *value = raw;
    return true;
}

bool pyr_gguf_u64(const struct pyr_gguf_value *value, uint64_t i, uint64_t *number) {
    enum pyr_gguf_type type;
    const uint8_t *bytes;
    uint64_t raw;
    bool negative;
    if (!element_at(value, i, &type, &bytes) || !read_integer(type, bytes, &raw, &negative) ||
        negative)
        return false;
    *number = raw;
    return true;
}

bool pyr_gguf_f64(const struct pyr_gguf_value *value, uint64_t i, double *number) {
    enum pyr_gguf_type type;
    const uint8_t *bytes;
    if (!element_at(value, i, &type, &bytes))
        return false;
    uint64_t raw;
    bool negative;
    float single;
    if (type == PYR_GGUF_F32) {
        memcpy(&single, bytes, sizeof single);
        *number = (double)single;
    } else if (type == PYR_GGUF_F64) {
        memcpy(number, bytes, sizeof *number);
    } else if (read_integer(type, bytes, &raw, &negative)) {
        *number = negative ? (double)(int64_t)raw : (double)raw;
    } else {
        return false;
    }
    return true;
}

bool pyr_gguf_bool(const struct pyr_gguf_value *value, bool *flag) {
    if (!value || value->type != PYR_GGUF_BOOL)
        return false;
    *flag = value->bytes[0] != 0;
    return true;
}

bool pyr_gguf_string(const struct pyr_gguf_value *value, struct pyr_gguf_string *string) {
    if (!value || value->type != PYR_GGUF_STRING)
        return false;
    memcpy(&string->length, value->bytes, sizeof string->length);
    string->text = (const char *)value->bytes + sizeof string->length;
    return true;
}

bool pyr_gguf_next_string(const struct pyr_gguf_value *value, struct pyr_gguf_cursor *cursor,
                          struct pyr_gguf_string *string) {
    if (!value || value->type != PYR_GGUF_ARRAY || value->element != PYR_GGUF_STRING ||
        cursor->index >= value->count)
        return false;
    const uint8_t *bytes = value->bytes + cursor->at;
    memcpy(&string->length, bytes, sizeof string->length);
    string->text = (const char *)bytes + sizeof string->length;
    cursor->at += sizeof string->length + string->length;
    cursor->index++;
    return true;
}
