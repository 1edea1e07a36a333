/* SPDX-License-Identifier: MIT */
#include "model/gguf_check.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TOKENS_MIN = 16 }; /* below it llama.cpp's default ids of special tokens do not exist */

struct checker {
    const struct pyr_gguf *gguf;
    const char *name;
    struct pyr_gguf_shape *shape;
    struct pyr_err *err;
};

static bool fail(const struct checker *c, const char *what) {
    return pyr_fail(c->err, PYR_E_INPUT, "%s: damaged: %s; download it again", c->name, what);
}

static void copy_text(const struct pyr_gguf *gguf, const char *key, char *out, size_t size) {
    struct pyr_gguf_string text;
    out[0] = '\0';
    if (!pyr_gguf_string(pyr_gguf_find(gguf, key), &text))
        return;
    size_t length = 0;
    for (uint64_t i = 0; i < text.length && length + 1 < size; i++)
        if ((unsigned char)text.text[i] >= ' ')
            out[length++] = text.text[i];
    out[length] = '\0';
}

static bool text_is(const struct pyr_gguf_value *value, const char *text) {
    struct pyr_gguf_string string;
    return pyr_gguf_string(value, &string) && string.length == strlen(text) &&
           memcmp(string.text, text, string.length) == 0;
}

static const struct pyr_gguf_value *arch_value(const struct checker *c, const char *suffix) {
    return pyr_gguf_find_arch(c->gguf, c->shape->architecture, suffix);
}

/* ARCH.suffix within min..max; false with a sentence. Absent: fallback. */
static bool number(const struct checker *c, const char *suffix, uint32_t fallback, uint64_t min,
                   uint64_t max, uint32_t *out) {
    const struct pyr_gguf_value *value = arch_value(c, suffix);
    uint64_t parsed = fallback;
    if (value && !pyr_gguf_u64(value, 0, &parsed))
        return pyr_fail(c->err, PYR_E_INPUT, "%s: damaged: %s is no number", c->name, value->key);
    if (parsed < min || parsed > max)
        return pyr_fail(c->err, PYR_E_INPUT,
                        "%s: damaged: %s.%s is %" PRIu64 " (possible: %" PRIu64 " to %" PRIu64 ")",
                        c->name, c->shape->architecture, suffix, parsed, min, max);
    *out = (uint32_t)parsed;
    return true;
}

/* Models that are valid files but produce no text token by token. */
static bool check_architecture(const struct checker *c) {
    static const char *const not_text[] = {"clip", "bert", "t5", "t5encoder", "wavtokenizer-dec"};
    char *arch = c->shape->architecture, type[32];
    copy_text(c->gguf, "general.architecture", arch, sizeof c->shape->architecture);
    if (!arch[0])
        return fail(c, "general.architecture is missing");
    copy_text(c->gguf, "general.type", type, sizeof type);
    if (type[0] && strcmp(type, "model") != 0)
        return pyr_fail(c->err, PYR_E_UNSUPPORTED, "%s: is a %s, not a model; name the model file",
                        c->name, type);
    bool causal = true, text = true;
    pyr_gguf_bool(arch_value(c, "attention.causal"), &causal);
    for (size_t i = 0; i < sizeof not_text / sizeof *not_text; i++)
        text = text && strcmp(arch, not_text[i]) != 0;
    if (!text || !causal)
        return pyr_fail(c->err, PYR_E_UNSUPPORTED,
                        "%s: unsupported architecture '%s' (an encoder); models that generate "
                        "text are supported",
                        c->name, arch);
    uint64_t parts = 1;
    pyr_gguf_u64(pyr_gguf_find(c->gguf, "split.count"), 0, &parts);
    if (parts > 1)
        return pyr_fail(c->err, PYR_E_UNSUPPORTED,
                        "%s: is one of %" PRIu64 " parts; merge them with llama-gguf-split "
                        "--merge",
                        c->name, parts);
    return true;
}

/* Heads of one layer: a number for all, or an array with one for each. */
static bool layer_number(const struct checker *c, const struct pyr_gguf_value *value,
                         uint32_t layer, uint64_t fallback, uint64_t *out) {
    *out = fallback;
    if (!value)
        return true;
    bool ok = pyr_gguf_u64(value, value->type == PYR_GGUF_ARRAY ? layer : 0, out);
    if (!ok || *out > UINT16_MAX)
        return pyr_fail(c->err, PYR_E_INPUT, "%s: damaged: %s is not right for layer %u", c->name,
                        value->key, layer);
    return true;
}

static bool check_heads(const struct checker *c) {
    struct pyr_gguf_shape *shape = c->shape;
    const struct pyr_gguf_value *heads = arch_value(c, "attention.head_count");
    const struct pyr_gguf_value *kv_heads = arch_value(c, "attention.head_count_kv");
    for (uint32_t i = 0; i < shape->layers; i++) {
        uint64_t q, kv;
        if (!layer_number(c, heads, i, 0, &q) || !layer_number(c, kv_heads, i, q, &kv))
            return false;
        if (q > 0 && kv > 0 && q % kv)
            return pyr_fail(c->err, PYR_E_INPUT,
                            "%s: damaged: %" PRIu64 " heads of layer %u are no multiple of its "
                            "%" PRIu64 " key/value heads",
                            c->name, q, i, kv);
        shape->heads = q > shape->heads ? (uint32_t)q : shape->heads;
        shape->kv_heads[i] = (uint16_t)kv;
    }
    if (shape->heads == 0)
        return true; /* a recurrent model */
    uint32_t usual = shape->dim / shape->heads, rotary = 0;
    if (!number(c, "attention.key_length", usual, 1, UINT16_MAX, &shape->head_dim_k) ||
        !number(c, "attention.value_length", usual, 1, UINT16_MAX, &shape->head_dim_v) ||
        !number(c, "rope.dimension_count", shape->head_dim_k & ~1u, 0, UINT16_MAX, &rotary))
        return false;
    if (rotary % 2 || rotary > shape->head_dim_k)
        return fail(c, "rope.dimension_count is odd or larger than a head");
    if (strcmp(shape->architecture, "llama") == 0 &&
        (shape->head_dim_k != shape->head_dim_v || rotary != shape->head_dim_k))
        return fail(c, "the lengths of keys, values and rotation differ");
    return true;
}

static bool check_experts(const struct checker *c) {
    struct pyr_gguf_shape *shape = c->shape;
    uint32_t groups, groups_used;
    if (!number(c, "expert_count", 0, 0, PYR_GGUF_EXPERTS_MAX, &shape->experts) ||
        !number(c, "expert_used_count", 0, 0, PYR_GGUF_EXPERTS_MAX, &shape->experts_used) ||
        !number(c, "expert_group_count", 0, 0, PYR_GGUF_EXPERTS_MAX, &groups) ||
        !number(c, "expert_group_used_count", 0, 0, PYR_GGUF_EXPERTS_MAX, &groups_used))
        return false;
    bool ok = shape->experts_used <= shape->experts;
    if (shape->experts > 0) {
        ok = ok && shape->experts_used > 0 && groups < shape->experts;
        if (groups > 1)
            ok = ok && shape->experts % groups == 0 && groups_used > 0 && groups_used < groups;
    } else {
        ok = ok && groups == 0;
    }
    return ok || fail(c, "the numbers of experts contradict each other");
}

static bool check_factors(const struct checker *c) {
    static const char *const not_negative[] = {"attention.layer_norm_rms_epsilon",
                                               "attention.layer_norm_epsilon", "rope.freq_base"};
    static const char *const scalings[] = {"none", "linear", "yarn", "longrope"};
    for (size_t i = 0; i < sizeof not_negative / sizeof *not_negative; i++) {
        const struct pyr_gguf_value *value = arch_value(c, not_negative[i]);
        double number;
        if (value && (!pyr_gguf_f64(value, 0, &number) || !isfinite(number) || number < 0))
            return pyr_fail(c->err, PYR_E_INPUT, "%s: damaged: %s is not a positive number",
                            c->name, value->key);
    }
    const struct pyr_gguf_value *scaling = arch_value(c, "rope.scaling.type");
    bool known = !scaling;
    for (size_t i = 0; i < sizeof scalings / sizeof *scalings; i++)
        known = known || text_is(scaling, scalings[i]);
    return known || fail(c, "rope.scaling.type is unknown");
}

static bool check_blocks(const struct checker *c) {
    char prefix[32];
    snprintf(prefix, sizeof prefix, "blk.%u.", c->shape->layers - 1);
    for (size_t i = 0; i < c->gguf->tensor_count; i++)
        if (strncmp(c->gguf->tensors[i].name, prefix, strlen(prefix)) == 0)
            return true;
    return pyr_fail(c->err, PYR_E_INPUT,
                    "%s: damaged: it names %u blocks and has no tensors for block %u; download it "
                    "again",
                    c->name, c->shape->layers, c->shape->layers - 1);
}

/* Weights that are whole numbers crash the library's kernels. */
static bool check_weights(const struct checker *c) {
    static const char *const weights[] = {"norm.",     "token_embd.", "output.",   "attn_q.",
                                          "attn_k.",   "attn_v.",     "attn_qkv.", "attn_output.",
                                          "ffn_gate.", "ffn_up.",     "ffn_down."};
    enum { TYPE_I8 = 24, TYPE_F64 = 28 };
    for (size_t i = 0; i < c->gguf->tensor_count; i++) {
        const struct pyr_gguf_tensor *tensor = &c->gguf->tensors[i];
        bool weight = false;
        for (size_t m = 0; m < sizeof weights / sizeof *weights; m++)
            weight = weight || strstr(tensor->name, weights[m]) != NULL;
        if (weight && tensor->type->id >= TYPE_I8 && tensor->type->id <= TYPE_F64)
            return pyr_fail(c->err, PYR_E_INPUT, "%s: damaged: tensor '%s' has type %s", c->name,
                            tensor->name, tensor->type->name);
    }
    return true;
}

static uint64_t hash_bytes(const char *bytes, uint64_t length) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (uint64_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
    return hash ^ hash >> 32;
}

static bool hex_digit(char c, unsigned *digit) {
    *digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
             : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10)
             : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
                                    : 16;
    return *digit < 16;
}

static bool is_byte_token(const struct pyr_gguf_string *token, unsigned *byte) {
    unsigned high, low;
    if (token->length != 6 || memcmp(token->text, "<0x", 3) != 0 || token->text[5] != '>' ||
        !hex_digit(token->text[3], &high) || !hex_digit(token->text[4], &low))
        return false;
    *byte = high << 4 | low;
    return true;
}

/* llama.cpp keeps the tokens in a map and asserts that none was lost. It reads each as a C string,
 * so that one with a zero byte is what stands before it. */
static bool check_unique_tokens(const struct checker *c, const struct pyr_gguf_value *tokens) {
    struct pyr_arena *arena = pyr_arena_create();
    uint64_t slot_count = 2 * tokens->count + 1;
    struct pyr_gguf_string *slots = pyr_arena_array(arena, slot_count, sizeof *slots), token;
    struct pyr_gguf_cursor cursor = {0};
    bool unique = true;
    while (unique && pyr_gguf_next_string(tokens, &cursor, &token)) {
        token.length = strnlen(token.text, token.length);
        if (token.length == 0)
            continue; /* llama.cpp gives each empty token a name of its own */
        uint64_t slot = hash_bytes(token.text, token.length) % slot_count;
        for (; slots[slot].text && unique; slot = (slot + 1) % slot_count)
            unique = slots[slot].length != token.length ||
                     memcmp(slots[slot].text, token.text, token.length) != 0;
        slots[slot] = token;
    }
    pyr_arena_destroy(arena);
    return unique || fail(c, "a token occurs twice in the vocabulary");
}

/* Tokens marked as bytes must be written <0xHH>, and a vocabulary of llama's kind must be able to
 * write every byte: llama.cpp ends the process on a text that needs one it lacks. */
static bool check_bytes(const struct checker *c, const struct pyr_gguf_value *tokens) {
    enum { TYPE_BYTE = 6 };
    const struct pyr_gguf_value *types = pyr_gguf_find(c->gguf, "tokenizer.ggml.token_type");
    struct pyr_gguf_cursor cursor = {0};
    struct pyr_gguf_string token;
    bool present[256] = {false};
    while (pyr_gguf_next_string(tokens, &cursor, &token)) {
        double type = 0;
        unsigned byte;
        pyr_gguf_f64(types, cursor.index - 1, &type);
        bool written = is_byte_token(&token, &byte);
        if (type == TYPE_BYTE && !written)
            return fail(c, "a token is marked as a byte and is not written as one");
        if (written)
            present[byte] = true;
        else if (token.length == 1)
            present[(unsigned char)token.text[0]] = true;
    }
    if (!text_is(pyr_gguf_find(c->gguf, "tokenizer.ggml.model"), "llama"))
        return true;
    for (int i = 0; i < 256; i++)
        if (!present[i])
            return pyr_fail(c->err, PYR_E_UNSUPPORTED,
                            "%s: its vocabulary has no token for byte %d, so not every prompt can "
                            "be written; use another file",
                            c->name, i);
    return true;
}

/* A token at the begin or the end that is asked for must be there: llama.cpp asserts it when the
 * first text comes. Its own defaults are the ids that a kind of vocabulary usually has. */
static bool check_ends(const struct checker *c, const struct pyr_gguf_value *model,
                       uint64_t count) {
    static const struct {
        const char *model;
        uint64_t least;  /* of tokens, for the defaults to exist */
        bool begin, end; /* has a default */
    } kinds[] = {{"llama", 3, true, true},      {"gpt2", 12, false, true},
                 {"bert", 104, true, true},     {"t5", 3, false, true},
                 {"rwkv", 1, false, false},     {"plamo2", 4, true, true},
                 {"hybriddna", 12, false, true}};
    static const char *const asked[] = {"tokenizer.ggml.add_bos_token",
                                        "tokenizer.ggml.add_eos_token"};
    static const char *const named[] = {"tokenizer.ggml.bos_token_id",
                                        "tokenizer.ggml.eos_token_id"};
    size_t kind = 0, kind_count = sizeof kinds / sizeof *kinds;
    while (kind < kind_count && !text_is(model, kinds[kind].model))
        kind++;
    if (kind == kind_count)
        return true; /* of a later llama.cpp: a worker tries it */
    if (count < kinds[kind].least)
        return pyr_fail(c->err, PYR_E_UNSUPPORTED,
                        "%s: a vocabulary of the kind '%s' with %" PRIu64
                        " tokens lacks those that "
                        "llama.cpp takes for granted (%" PRIu64 ")",
                        c->name, kinds[kind].model, count, kinds[kind].least);
    for (int end = 0; end < 2; end++) {
        bool add = false, usual = end ? kinds[kind].end : kinds[kind].begin;
        uint64_t id;
        pyr_gguf_bool(pyr_gguf_find(c->gguf, asked[end]), &add);
        bool there = pyr_gguf_u64(pyr_gguf_find(c->gguf, named[end]), 0, &id) && id < count;
        if (add && !there && !usual)
            return pyr_fail(c->err, PYR_E_INPUT,
                            "%s: damaged: %s token is asked for and none is named; download it "
                            "again",
                            c->name, end ? "an end" : "a begin");
    }
    return true;
}

static bool check_tokenizer(const struct checker *c) {
    const struct pyr_gguf_value *model = pyr_gguf_find(c->gguf, "tokenizer.ggml.model");
    const struct pyr_gguf_value *tokens = pyr_gguf_find(c->gguf, "tokenizer.ggml.tokens");
    if (!model || text_is(model, "no_vocab") || text_is(model, "none") || !tokens)
        return pyr_fail(c->err, PYR_E_UNSUPPORTED,
                        "%s: holds no tokenizer; convert the model again with its vocabulary",
                        c->name);
    if (tokens->type != PYR_GGUF_ARRAY || tokens->element != PYR_GGUF_STRING ||
        tokens->count > INT32_MAX / 2)
        return fail(c, "tokenizer.ggml.tokens is no list of tokens");
    if (tokens->count < TOKENS_MIN)
        return pyr_fail(c->err, PYR_E_UNSUPPORTED,
                        "%s: a vocabulary of %" PRIu64 " tokens is too "
                        "small (at least %d)",
                        c->name, tokens->count, TOKENS_MIN);
    c->shape->vocabulary = (uint32_t)tokens->count;
    return check_ends(c, model, tokens->count) && check_unique_tokens(c, tokens) &&
           check_bytes(c, tokens);
}

static void sum_tensors(const struct checker *c) {
    struct pyr_gguf_shape *shape = c->shape;
    shape->tied = !pyr_gguf_find_tensor(c->gguf, "output.weight");
    for (size_t i = 0; i < c->gguf->tensor_count; i++) {
        const struct pyr_gguf_tensor *tensor = &c->gguf->tensors[i];
        bool embedding = strcmp(tensor->name, "token_embd.weight") == 0;
        bool expert = strstr(tensor->name, "_exps.") != NULL;
        shape->parameters += tensor->elements;
        if (i == 0 || tensor->offset < shape->first_weight)
            shape->first_weight = tensor->offset;
        shape->weight_bytes += tensor->bytes;
        if (tensor->type->repacked && tensor->dim_count > 1 && (!embedding || shape->tied))
            shape->repacked_bytes += tensor->bytes;
        if (embedding && !shape->tied)
            continue;
        uint64_t read = tensor->bytes;
        if (expert && shape->experts)
            read = read / shape->experts * shape->experts_used;
        shape->bytes_per_token += read;
    }
}

bool pyr_gguf_check(const struct pyr_gguf *gguf, const char *name, struct pyr_gguf_shape *shape,
                    struct pyr_err *err) {
    *shape = (struct pyr_gguf_shape){0};
    struct checker c = {gguf, name, shape, err};
    copy_text(gguf, "general.name", shape->name, sizeof shape->name);
    pyr_gguf_bool(pyr_gguf_find(gguf, "pyrometer.synthetic"), &shape->synthetic);
    uint64_t file_type;
    if (pyr_gguf_u64(pyr_gguf_find(gguf, "general.file_type"), 0, &file_type) &&
        pyr_gguf_file_type_name(file_type))
        snprintf(shape->file_type, sizeof shape->file_type, "%s",
                 pyr_gguf_file_type_name(file_type));
    if (!check_architecture(&c) ||
        !number(&c, "block_count", 0, 1, PYR_GGUF_LAYERS_MAX, &shape->layers) ||
        !number(&c, "embedding_length", 0, 1, 1 << 20, &shape->dim) ||
        !number(&c, "context_length", 0, 0, INT32_MAX, &shape->context) || !check_heads(&c) ||
        !check_experts(&c) || !check_factors(&c) || !check_blocks(&c) || !check_weights(&c) ||
        !check_tokenizer(&c))
        return false;
    uint64_t ffn = 0;
    pyr_gguf_u64(arch_value(&c, "feed_forward_length"), 0, &ffn);
    shape->ffn = ffn <= UINT32_MAX ? (uint32_t)ffn : 0;
    shape->plain_kv = shape->heads > 0 && !arch_value(&c, "attention.kv_lora_rank") &&
                      !arch_value(&c, "ssm.state_size") && !arch_value(&c, "wkv.head_size") &&
                      !arch_value(&c, "shortconv.l_cache");
    sum_tensors(&c);
    return true;
}

uint64_t pyr_gguf_kv_bytes(const struct pyr_gguf_shape *shape, const struct pyr_tensor_type *type_k,
                           const struct pyr_tensor_type *type_v, uint64_t cells) {
    uint64_t bytes = 0;
    for (uint32_t i = 0; shape->plain_kv && i < shape->layers; i++) {
        uint64_t k = (uint64_t)shape->kv_heads[i] * shape->head_dim_k;
        uint64_t v = (uint64_t)shape->kv_heads[i] * shape->head_dim_v;
        bytes += (k * type_k->bytes / type_k->block + v * type_v->bytes / type_v->block) * cells;
    }
    return bytes;
}
