/* SPDX-License-Identifier: MIT */
#include "model/info.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static int larger_first(const void *a, const void *b) {
    const struct pyr_info_type *x = a, *y = b;
    return (x->bytes < y->bytes) - (x->bytes > y->bytes);
}

static void sum_types(const struct pyr_gguf *gguf, struct pyr_info *info) {
    for (size_t i = 0; i < gguf->tensor_count; i++) {
        const struct pyr_gguf_tensor *tensor = &gguf->tensors[i];
        size_t at = 0;
        while (at < info->type_count && info->types[at].type != tensor->type)
            at++;
        if (at == PYR_INFO_TYPES_MAX)
            continue;
        if (at == info->type_count)
            info->types[info->type_count++].type = tensor->type;
        info->types[at].count++;
        info->types[at].elements += tensor->elements;
        info->types[at].bytes += tensor->bytes;
    }
    qsort(info->types, info->type_count, sizeof *info->types, larger_first);
}

bool pyr_info_make(const struct pyr_gguf *gguf, const char *name, struct pyr_info *info,
                   struct pyr_err *err) {
    *info = (struct pyr_info){.file_bytes = gguf->file_bytes};
    sum_types(gguf, info);
    if (!pyr_gguf_check(gguf, name, &info->shape, err))
        return false;
    const struct pyr_tensor_type *f16 = pyr_tensor_type(PYR_TENSOR_F16);
    info->kv_bytes_per_token = pyr_gguf_kv_bytes(&info->shape, f16, f16, 1);
    return true;
}

static void write_types(const struct pyr_info *info, struct pyr_buf *out) {
    pyr_buf_printf(out, "\n%-8s %8s %16s %12s\n", "type", "tensors", "parameters", "MB");
    for (size_t i = 0; i < info->type_count; i++) {
        const struct pyr_info_type *type = &info->types[i];
        pyr_buf_printf(out, "%-8s %8" PRIu64 " %16" PRIu64 " %12.1f\n", type->type->name,
                       type->count, type->elements, (double)type->bytes / 1e6);
    }
}

void pyr_info_write(const struct pyr_info *info, const char *path, struct pyr_buf *out) {
    const struct pyr_gguf_shape *s = &info->shape;
    pyr_buf_printf(out, "file          %s\n", path);
    pyr_buf_printf(out, "name          %s%s\n", s->name[0] ? s->name : "(none)",
                   s->synthetic ? " (random weights: its text means nothing)" : "");
    pyr_buf_printf(out,
                   "architecture  %s, %u layers of %u, inner %u, %u heads, %u key/value heads\n",
                   s->architecture, s->layers, s->dim, s->ffn, s->heads, s->kv_heads[0]);
    pyr_buf_printf(out, "vocabulary    %u tokens%s\n", s->vocabulary,
                   s->tied ? ", output tied to the embedding" : "");
    pyr_buf_printf(out, "context       %u tokens\n", s->context);
    if (s->experts)
        pyr_buf_printf(out, "experts       %u of %u used for a token\n", s->experts_used,
                       s->experts);
    pyr_buf_printf(out, "parameters    %.2f M%s%s\n", (double)s->parameters / 1e6,
                   s->file_type[0] ? ", mostly " : "", s->file_type);
    pyr_buf_printf(out,
                   "size          %.1f MB file, %.1f MB weights, %.1f MB read for each token\n",
                   (double)info->file_bytes / 1e6, (double)s->weight_bytes / 1e6,
                   (double)s->bytes_per_token / 1e6);
    if (info->kv_bytes_per_token)
        pyr_buf_printf(out, "KV memory     %" PRIu64 " bytes a token and sequence in F16\n",
                       info->kv_bytes_per_token);
    else
        pyr_buf_printf(out, "KV memory     not worked out for this architecture\n");
    write_types(info, out);
}

/* Text for a terminal: control bytes escaped, cut after `limit` bytes. */
static void write_text(const struct pyr_gguf_string *text, uint64_t limit, struct pyr_buf *out) {
    pyr_buf_putc(out, '"');
    for (uint64_t i = 0; i < text->length && i < limit; i++) {
        unsigned char c = (unsigned char)text->text[i];
        if (c == '"' || c == '\\')
            pyr_buf_printf(out, "\\%c", c);
        else if (c < ' ' || c == 127)
            pyr_buf_printf(out, "\\x%02x", c);
        else
            pyr_buf_putc(out, (char)c);
    }
    pyr_buf_puts(out, text->length > limit ? "\"..." : "\"");
}

static void write_number(const struct pyr_gguf_value *value, uint64_t i, enum pyr_gguf_type type,
                         struct pyr_buf *out) {
    double real = 0;
    uint64_t whole;
    bool flag = false;
    if (type == PYR_GGUF_BOOL) {
        flag = value->bytes[i] != 0;
        pyr_buf_puts(out, flag ? "true" : "false");
    } else if (pyr_gguf_u64(value, i, &whole)) {
        pyr_buf_printf(out, "%" PRIu64, whole);
    } else {
        pyr_gguf_f64(value, i, &real);
        pyr_buf_printf(out, "%.9g", real);
    }
}

static void write_value(const struct pyr_gguf_value *value, struct pyr_buf *out) {
    enum { TEXT_MAX = 100, ITEMS_MAX = 8, ITEM_TEXT_MAX = 24 };
    struct pyr_gguf_string text;
    if (value->type != PYR_GGUF_ARRAY) {
        if (pyr_gguf_string(value, &text))
            write_text(&text, TEXT_MAX, out);
        else
            write_number(value, 0, value->type, out);
        return;
    }
    pyr_buf_printf(out, "%" PRIu64 " x %s [", value->count, pyr_gguf_type_name(value->element));
    struct pyr_gguf_cursor cursor = {0};
    for (uint64_t i = 0; i < value->count && i < ITEMS_MAX; i++) {
        if (i > 0)
            pyr_buf_puts(out, ", ");
        if (pyr_gguf_next_string(value, &cursor, &text))
            write_text(&text, ITEM_TEXT_MAX, out);
        else
            write_number(value, i, value->element, out);
    }
    pyr_buf_puts(out, value->count > ITEMS_MAX ? ", ...]" : "]");
}

void pyr_info_write_metadata(const struct pyr_gguf *gguf, struct pyr_buf *out) {
    for (size_t i = 0; i < gguf->value_count; i++) {
        pyr_buf_printf(out, "%-44s ", gguf->values[i].key);
        write_value(&gguf->values[i], out);
        pyr_buf_putc(out, '\n');
    }
}

void pyr_info_write_tensors(const struct pyr_gguf *gguf, struct pyr_buf *out) {
    for (size_t i = 0; i < gguf->tensor_count; i++) {
        const struct pyr_gguf_tensor *tensor = &gguf->tensors[i];
        char shape[96];
        int used = snprintf(shape, sizeof shape, "%" PRIu64, tensor->dims[0]);
        for (uint32_t d = 1; d < tensor->dim_count; d++)
            used +=
                snprintf(shape + used, sizeof shape - (size_t)used, " x %" PRIu64, tensor->dims[d]);
        pyr_buf_printf(out, "%-32s %-8s %-20s %12" PRIu64 " bytes at %" PRIu64 "\n", tensor->name,
                       tensor->type->name, shape, tensor->bytes, tensor->offset);
    }
}
