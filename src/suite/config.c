/* SPDX-License-Identifier: MIT */
/* libyaml reads both kinds: JSON's braces, brackets and quotes are YAML. */
#include "suite/config.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/parse.h"
#include "suite/suite.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

enum { FILE_BYTES_MAX = 1 << 20, KEY_BYTES_MAX = 128 };

/* A file while it is read. */
struct file {
    struct pyr_arena *arena;
    const char *path;
    yaml_document_t *document;
    struct pyr_err *err;
    int merges; /* "<<" so far: an anchor may hold itself, or another many times */
};

static int line_of(const yaml_node_t *node) {
    return (int)node->start_mark.line + 1;
}

static const char *text_of(const yaml_node_t *node) {
    return node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : NULL;
}

static bool is_null(const yaml_node_t *node) {
    const char *text = text_of(node);
    return text && node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (!*text || strcmp(text, "~") == 0 || strcasecmp(text, "null") == 0);
}

static bool fail_value(struct file *file, const yaml_node_t *node, const char *key,
                       const char *wanted) {
    const char *text = text_of(node);
    return pyr_fail(file->err, PYR_E_USAGE, "%s:%d: %s: '%s' is not %s", file->path, line_of(node),
                    key, text ? text : "a list or group", wanted);
}

static bool read_number(struct file *file, const yaml_node_t *node, const char *key,
                        double *number) {
    const char *text = text_of(node);
    if (text && pyr_parse_double(text, number, NULL) && *number >= 0)
        return true;
    return fail_value(file, node, key, "a number of 0 or more");
}

static bool read_whole(struct file *file, const yaml_node_t *node, const char *key,
                       uint64_t *number) {
    const char *text = text_of(node);
    double real; /* 1e3 and 1000.0 are whole too */
    if (text && pyr_parse_double(text, &real, NULL) && real >= 0 && real <= UINT32_MAX &&
        real == floor(real)) {
        *number = (uint64_t)real;
        return true;
    }
    return fail_value(file, node, key, "a whole number of 0 or more");
}

static bool read_flag(struct file *file, const yaml_node_t *node, const char *key, int *flag) {
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};
    const char *text = text_of(node);
    for (int i = 0; text && i < 6; i++)
        if (strcasecmp(text, words[i]) == 0) {
            *flag = i & 1;
            return true;
        }
    return fail_value(file, node, key, "true or false");
}

static bool read_list(struct file *file, const yaml_node_t *node, const char *key,
                      struct pyr_config_list *list) {
    if (node->type != YAML_SEQUENCE_NODE)
        return fail_value(file, node, key, "a list such as [1, 4, 8]");
    size_t count = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
    uint64_t *items = pyr_arena_array(file->arena, count, sizeof *items);
    for (size_t i = 0; i < count; i++) {
        const yaml_node_t *item =
            yaml_document_get_node(file->document, node->data.sequence.items.start[i]);
        if (!read_whole(file, item, key, &items[i]))
            return false;
        if (items[i] == 0)
            return fail_value(file, item, key, "at least 1");
    }
    if (count == 0)
        return fail_value(file, node, key, "a list with something in it");
    *list = (struct pyr_config_list){items, count};
    return true;
}

static bool read_range(struct file *file, const yaml_node_t *node, const char *key, double *ends) {
    if (node->type != YAML_SEQUENCE_NODE ||
        node->data.sequence.items.top - node->data.sequence.items.start != 2)
        return fail_value(file, node, key, "a pair such as [5.0, 15.0]");
    for (int i = 0; i < 2; i++)
        if (!read_number(file,
                         yaml_document_get_node(file->document, node->data.sequence.items.start[i]),
                         key, &ends[i]))
            return false;
    return ends[0] <= ends[1] || fail_value(file, node, key, "a pair with the lower end first");
}

/* --- the keys of a configuration -------------------------------------------------------------- */

enum kind { NUMBER, WHOLE, FLAG, TEXT, LIST, RANGE };

struct key {
    const char *path; /* groups and key, joined by dots */
    enum kind kind;
    size_t offset; /* into struct pyr_config, or pyr_config_hardware */
};

#define AT(member) offsetof(struct pyr_config, member)

static const struct key keys[] = {
    {"target_metrics.tok_s", NUMBER, AT(goals.tok_s)},
    {"target_metrics.ttft_ms", NUMBER, AT(goals.ttft_ms)},
    {"target_metrics.spike_rate_range", RANGE, AT(goals.spike_percent)},
    {"target_metrics.retrieval_ms", NUMBER, AT(goals.retrieval_ms)},
    {"test_params.iterations", WHOLE, AT(iterations)},
    {"test_params.warmup_iterations", WHOLE, AT(warmup_iterations)},
    {"test_params.timeout_seconds", NUMBER, AT(timeout_s)},
    {"test_params.batch_sizes", LIST, AT(batch_sizes)},
    {"model.name", TEXT, AT(model)},
    {"model.test_text_lengths", LIST, AT(text_lengths)},
    {"retrieval.index_size", WHOLE, AT(index_size)},
    {"retrieval.queries", WHOLE, AT(queries)},
    {"retrieval.top_k", WHOLE, AT(top_k)},
    {"stress_test.concurrency_levels", LIST, AT(stress_levels)},
    {"stress_test.duration_seconds", NUMBER, AT(stress_s)},
    {"monitoring.interval_ms", NUMBER, AT(interval_ms)},
    {"monitoring.energy_sample_interval_ms", NUMBER, AT(energy_interval_ms)},
    {"monitoring.memory_sample_interval_ms", NUMBER, AT(memory_interval_ms)},
    {"energy.enabled", FLAG, AT(energy)},
    {"regression.threshold_percent", NUMBER, AT(threshold_percent)},
    {"regression.baseline_file", TEXT, AT(baseline_path)},
    {"output.directory", TEXT, AT(output)},
    {"output.save_detailed_logs", FLAG, AT(detailed_logs)},
    {"output.generate_html_report", FLAG, AT(html_report)},
    /* The same without groups, as the `config` of old result files has them. */
    {"target_tok_s", NUMBER, AT(goals.tok_s)},
    {"target_ttft_ms", NUMBER, AT(goals.ttft_ms)},
    {"target_spike_rate_range", RANGE, AT(goals.spike_percent)},
    {"target_retrieval_ms", NUMBER, AT(goals.retrieval_ms)},
    {"iterations", WHOLE, AT(iterations)},
    {"warmup_iterations", WHOLE, AT(warmup_iterations)},
    {"timeout_seconds", NUMBER, AT(timeout_s)},
    {"batch_sizes", LIST, AT(batch_sizes)},
};

#undef AT
#define AT(member) offsetof(struct pyr_config_hardware, member)

static const struct key hardware_keys[] = {
    {"target_tok_s", NUMBER, AT(goals.tok_s)},
    {"target_ttft_ms", NUMBER, AT(goals.ttft_ms)},
    {"target_spike_rate_range", RANGE, AT(goals.spike_percent)},
    {"target_retrieval_ms", NUMBER, AT(goals.retrieval_ms)},
    {"batch_sizes", LIST, AT(batch_sizes)},
};

#undef AT
#define COUNT(array) (sizeof(array) / sizeof *(array))

static bool fail_key(struct file *file, const yaml_node_t *node, const char *path,
                     const struct key *table, size_t count) {
    const char *names[COUNT(keys)];
    assert(count <= COUNT(keys));
    for (size_t i = 0; i < count; i++)
        names[i] = table[i].path;
    const char *near = pyr_nearest(path, names, count);
    return pyr_fail(file->err, PYR_E_USAGE,
                    "%s:%d: unknown key '%s'%s%s (docs/formats/config.md "
                    "lists them)",
                    file->path, line_of(node), path, near ? "; did you mean " : "",
                    near ? near : "");
}

static bool read_value(struct file *file, const yaml_node_t *node, const struct key *key,
                       void *into) {
    void *member = (char *)into + key->offset;
    if (is_null(node))
        return true;
    switch (key->kind) {
    case NUMBER:
        return read_number(file, node, key->path, member);
    case WHOLE:
        return read_whole(file, node, key->path, member);
    case FLAG:
        return read_flag(file, node, key->path, member);
    case TEXT:
        if (!text_of(node))
            return fail_value(file, node, key->path, "a text");
        *(const char **)member = pyr_arena_strdup(file->arena, text_of(node));
        return true;
    case LIST:
        return read_list(file, node, key->path, member);
    case RANGE:
        return read_range(file, node, key->path, member);
    }
    return true;
}

/* Calls `member` for each key of a mapping with the joined name: those that "<<" brings in first,
 * so that its own overrule them. A top-level key that begins with "x-" is a place for anchors. */
typedef bool member_fn(struct file *file, const char *path, const yaml_node_t *key,
                       const yaml_node_t *value, void *context);

static bool each_member(struct file *file, const yaml_node_t *node, const char *prefix,
                        member_fn *member, void *context);

static bool is_merge(const yaml_node_t *key) {
    const char *name = text_of(key);
    return name && strcmp(name, "<<") == 0 && key->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

static bool merge(struct file *file, const yaml_node_t *value, const char *prefix,
                  member_fn *member, void *context) {
    enum { MERGES_MAX = 64 };
    bool fine = file->merges++ < MERGES_MAX;
    if (!fine)
        return fail_value(file, value, "<<", "a group that ends: it holds itself, or too many");
    if (value->type == YAML_MAPPING_NODE)
        fine = each_member(file, value, prefix, member, context);
    else if (value->type != YAML_SEQUENCE_NODE)
        fine = fail_value(file, value, "<<", "a group of keys, or a list of such");
    else
        for (yaml_node_item_t *item = value->data.sequence.items.top;
             fine && item > value->data.sequence.items.start; item--) /* the first counts most */
            fine = merge(file, yaml_document_get_node(file->document, item[-1]), prefix, member,
                         context);
    return fine;
}

static bool check_keys(struct file *file, const yaml_node_t *node) {
    const yaml_node_pair_t *start = node->data.mapping.pairs.start;
    for (const yaml_node_pair_t *pair = start; pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = yaml_document_get_node(file->document, pair->key);
        if (!text_of(key))
            return fail_value(file, key, "a key", "a text");
        for (const yaml_node_pair_t *other = start; other < pair; other++) {
            const yaml_node_t *before = yaml_document_get_node(file->document, other->key);
            if (strcmp(text_of(before), text_of(key)) == 0)
                return pyr_fail(file->err, PYR_E_USAGE,
                                "%s:%d: '%s' stands twice, on line %d too; keep one", file->path,
                                line_of(key), text_of(key), line_of(before));
        }
    }
    return true;
}

static bool each_member(struct file *file, const yaml_node_t *node, const char *prefix,
                        member_fn *member, void *context) {
    if (!check_keys(file, node))
        return false;
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++)
        if (is_merge(yaml_document_get_node(file->document, pair->key)) &&
            !merge(file, yaml_document_get_node(file->document, pair->value), prefix, member,
                   context))
            return false;
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = yaml_document_get_node(file->document, pair->key);
        const yaml_node_t *value = yaml_document_get_node(file->document, pair->value);
        const char *name = text_of(key);
        char path[KEY_BYTES_MAX];
        if (is_merge(key) || (!*prefix && strncmp(name, "x-", 2) == 0))
            continue;
        snprintf(path, sizeof path, "%s%s%s", prefix, *prefix ? "." : "", name);
        if (!member(file, path, key, value, context))
            return false;
    }
    return true;
}

static bool read_member(struct file *file, const char *path, const yaml_node_t *key,
                        const yaml_node_t *value, const struct key *table, size_t count,
                        void *into) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(table[i].path, path) == 0)
            return read_value(file, value, &table[i], into);
    return fail_key(file, key, path, table, count);
}

static void nothing_said(struct pyr_config_goals *goals) {
    goals->tok_s = goals->ttft_ms = goals->retrieval_ms = (double)NAN;
    goals->spike_percent[0] = goals->spike_percent[1] = (double)NAN;
}

static bool hardware_member(struct file *file, const char *path, const yaml_node_t *key,
                            const yaml_node_t *value, void *context) {
    return read_member(file, path, key, value, hardware_keys, COUNT(hardware_keys), context);
}

static bool hardware_group(struct file *file, const char *path, const yaml_node_t *key,
                           const yaml_node_t *value, void *context) {
    struct pyr_config *config = context;
    if (!pyr_preset_find(path))
        return pyr_fail(file->err, PYR_E_USAGE,
                        "%s:%d: hardware_configs.%s: there is no preset of that name", file->path,
                        line_of(key), path);
    if (value->type != YAML_MAPPING_NODE)
        return fail_value(file, value, path, "a group of keys");
    if (config->hardware_count == PYR_CONFIG_HARDWARE_MAX)
        return pyr_fail(file->err, PYR_E_USAGE, "%s:%d: more than %d hardware_configs", file->path,
                        line_of(key), PYR_CONFIG_HARDWARE_MAX);
    struct pyr_config_hardware *hardware = &config->hardware[config->hardware_count++];
    hardware->name = pyr_arena_strdup(file->arena, path);
    nothing_said(&hardware->goals);
    return each_member(file, value, "", hardware_member, hardware);
}

/* "1, 4, 8" of a list, the text itself of a single value. */
static const char *spell(struct file *file, const yaml_node_t *node, const char *comma) {
    struct pyr_buf buf = {0};
    if (text_of(node))
        pyr_buf_puts(&buf, text_of(node));
    for (yaml_node_item_t *item = node->type == YAML_SEQUENCE_NODE ? node->data.sequence.items.start
                                                                   : NULL;
         item && item < node->data.sequence.items.top; item++)
        pyr_buf_printf(&buf, "%s%s", buf.length ? comma : "",
                       text_of(yaml_document_get_node(file->document, *item)));
    const char *text = pyr_arena_strdup(file->arena, pyr_buf_text(&buf));
    pyr_buf_deinit(&buf);
    return text;
}

/* What was said, for the record; a key that "<<" brought in counts as its owner last said it. */
static void remember(struct file *file, const char *path, const yaml_node_t *value,
                     struct pyr_config *config) {
    size_t i = 0;
    while (i < config->said_count && strcmp(config->said[i].name, path) != 0)
        i++;
    if (is_null(value) || i == PYR_CONFIG_SAID_MAX)
        return;
    config->said[i] = (struct pyr_setting){
        .name = pyr_arena_strdup(file->arena, path),
        .value = spell(file, value, ", "),
        .source = config->path,
    };
    config->said_count += i == config->said_count;
}

static bool setting_member(struct file *file, const char *path, const yaml_node_t *key,
                           const yaml_node_t *value, void *context) {
    struct pyr_config *config = context;
    config->warmup_set |= strcmp(path, "warmup_iterations") == 0 ||
                          strcmp(path, "test_params.warmup_iterations") == 0;
    return read_member(file, path, key, value, keys, COUNT(keys), config) &&
           (remember(file, path, value, config), true);
}

static bool option_member(struct file *file, const char *path, const yaml_node_t *key,
                          const yaml_node_t *value, void *context) {
    struct pyr_config *config = context;
    if (is_null(value))
        return true;
    if (value->type == YAML_MAPPING_NODE)
        return fail_value(file, value, path, "a value");
    if (config->option_count == PYR_CONFIG_OPTIONS_MAX)
        return pyr_fail(file->err, PYR_E_USAGE, "%s:%d: more than %d options", file->path,
                        line_of(key), PYR_CONFIG_OPTIONS_MAX);
    config->options[config->option_count++] =
        (struct pyr_config_option){.name = pyr_arena_strdup(file->arena, path),
                                   .text = spell(file, value, ","),
                                   .line = line_of(key)};
    return true;
}

static bool top_member(struct file *file, const char *path, const yaml_node_t *key,
                       const yaml_node_t *value, void *context) {
    if (value->type != YAML_MAPPING_NODE)
        return setting_member(file, path, key, value, context);
    if (strcmp(path, "hardware_configs") == 0)
        return each_member(file, value, "", hardware_group, context);
    if (strcmp(path, "options") == 0)
        return each_member(file, value, "", option_member, context);
    return each_member(file, value, path, setting_member, context);
}

/* True when no second document follows. */
static bool is_last(yaml_parser_t *parser, const char *path, struct pyr_err *err) {
    yaml_document_t document;
    if (!yaml_parser_load(parser, &document))
        return pyr_fail(err, PYR_E_USAGE, "%s:%zu: %s", path, parser->problem_mark.line + 1,
                        parser->problem ? parser->problem : "no YAML or JSON");
    const yaml_node_t *root = yaml_document_get_root_node(&document);
    bool last = !root ||
                pyr_fail(err, PYR_E_USAGE, "%s:%d: a second document begins here; a file holds one",
                         path, line_of(root));
    yaml_document_delete(&document);
    return last;
}

/* Parses the text and hands the root's members to `member`. */
static bool read_document(struct pyr_arena *arena, const char *path, const char *text, size_t size,
                          member_fn *member, void *context, struct pyr_err *err) {
    yaml_parser_t parser;
    yaml_document_t document;
    if (!yaml_parser_initialize(&parser))
        return pyr_fail(err, PYR_E_NOMEM, "%s: no memory to read it", path);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    bool fine = false;
    if (!yaml_parser_load(&parser, &document)) {
        pyr_fail(err, PYR_E_USAGE, "%s:%zu: %s%s%s", path, parser.problem_mark.line + 1,
                 parser.problem ? parser.problem : "no YAML or JSON", parser.context ? " " : "",
                 parser.context ? parser.context : "");
    } else {
        struct file file = {arena, path, &document, err, 0};
        const yaml_node_t *root = yaml_document_get_root_node(&document);
        if (!root)
            pyr_fail(err, PYR_E_USAGE, "%s: empty; leave the option out for the defaults", path);
        else if (root->type != YAML_MAPPING_NODE)
            pyr_fail(err, PYR_E_USAGE, "%s:%d: no group of keys but a list or a single value", path,
                     line_of(root));
        else
            fine = each_member(&file, root, "", member, context);
        yaml_document_delete(&document);
        fine = fine && is_last(&parser, path, err);
    }
    yaml_parser_delete(&parser);
    return fine;
}

static bool load_text(const char *path, struct pyr_buf *text, struct pyr_err *err) {
    if (pyr_fs_is_dir(path))
        return pyr_fail(err, PYR_E_USAGE, "%s: a folder; give a file of YAML or JSON", path);
    return pyr_fs_read_file(path, FILE_BYTES_MAX, text, err);
}

bool pyr_config_read(struct pyr_arena *arena, const char *path, const char *text, size_t size,
                     struct pyr_config *config, struct pyr_err *err) {
    *config = (struct pyr_config){.path = pyr_arena_strdup(arena, path),
                                  .energy = -1,
                                  .detailed_logs = -1,
                                  .html_report = -1};
    nothing_said(&config->goals);
    return read_document(arena, path, text, size, top_member, config, err);
}

bool pyr_config_load(struct pyr_arena *arena, const char *path, struct pyr_config *config,
                     struct pyr_err *err) {
    struct pyr_buf text = {0};
    bool fine = load_text(path, &text, err) &&
                pyr_config_read(arena, path, pyr_buf_text(&text), text.length, config, err);
    pyr_buf_deinit(&text);
    return fine;
}

/* --- laying it over the preset -----------------------------------------------------------------
 */

static void note(struct pyr_config_notes *notes, const char *sentence) {
    if (notes->count < PYR_CONFIG_NOTES_MAX)
        notes->items[notes->count++] = sentence;
}

static double either(double first, double second) {
    return isnan(first) ? second : first;
}

static void append_goal(struct pyr_buf *buf, const char *format, double value) {
    if (isnan(value))
        return;
    if (buf->length)
        pyr_buf_putc(buf, ',');
    pyr_buf_printf(buf, format, value);
}

/* The goals of the hardware's row before the general ones; NULL when the file has none. */
static const char *goals_text(struct pyr_arena *arena, const struct pyr_config_goals *general,
                              const struct pyr_config_hardware *row,
                              struct pyr_config_notes *notes) {
    struct pyr_config_goals own;
    nothing_said(&own);
    if (row)
        own = row->goals;
    struct pyr_buf buf = {0};
    append_goal(&buf, "tok_s=%.9g", either(own.tok_s, general->tok_s));
    append_goal(&buf, "ttft_p50=%.9gms", either(own.ttft_ms, general->ttft_ms));
    append_goal(&buf, "spike_rate=%.9g%%", either(own.spike_percent[1], general->spike_percent[1]));
    double lower = either(own.spike_percent[0], general->spike_percent[0]);
    if (lower > 0)
        note(notes, "spike_rate_range: only its upper end is a goal, because a target without "
                    "spikes is healthy");
    if (!isnan(either(own.retrieval_ms, general->retrieval_ms)) &&
        pyr_suite_find("retrieval")->missing)
        note(notes, "retrieval_ms: not judged, this version has no retrieval suite");
    const char *text = buf.length ? pyr_arena_strdup(arena, pyr_buf_text(&buf)) : NULL;
    pyr_buf_deinit(&buf);
    return text;
}

static void lay_classes(struct pyr_arena *arena, const struct pyr_config_list *lengths,
                        struct pyr_preset *preset) {
    struct pyr_preset_class *classes = pyr_arena_array(arena, lengths->count, sizeof *classes);
    for (size_t i = 0; i < lengths->count; i++)
        classes[i] = (struct pyr_preset_class){
            .name = pyr_arena_printf(arena, "p%llu", (unsigned long long)lengths->items[i]),
            .prompt_tokens = (uint32_t)lengths->items[i],
            .output_tokens = preset->classes[0].output_tokens};
    preset->classes = classes;
    preset->class_count = lengths->count;
}

static uint64_t to_ns(double seconds) {
    double ns = seconds * (double)PYR_NS_PER_S;
    return ns < 9e18 ? (uint64_t)ns : UINT64_C(9000000000000000000);
}

static void lay_preset(struct pyr_arena *arena, const struct pyr_config *config,
                       const struct pyr_config_hardware *row, struct pyr_preset *preset) {
    const struct pyr_config_list *levels =
        row && row->batch_sizes.count ? &row->batch_sizes : &config->batch_sizes;
    if (levels->count) {
        preset->levels = levels->items;
        preset->level_count = levels->count;
    }
    if (config->text_lengths.count)
        lay_classes(arena, &config->text_lengths, preset);
    if (config->iterations)
        preset->requests = config->iterations;
    if (config->warmup_set)
        preset->warmup_requests = config->warmup_iterations;
    if (config->timeout_s > 0)
        preset->level_time_ns = to_ns(config->timeout_s);
    if (config->energy >= 0)
        preset->energy = config->energy;
    if (config->stress_levels.count) {
        preset->stress_levels = config->stress_levels.items;
        preset->stress_level_count = config->stress_levels.count;
    }
    if (config->stress_s > 0)
        preset->stress_ns = to_ns(config->stress_s);
    if (config->index_size)
        preset->index_size = config->index_size;
    if (config->queries)
        preset->queries = config->queries;
    if (config->top_k)
        preset->top_k = config->top_k;
}

/* The option of the command line that overrules this key, or NULL. */
static const char *overruled_by(const struct pyr_bench_options *o, const char *path) {
    const char *dot = strrchr(path, '.'), *key = dot ? dot + 1 : path;
    bool goal = strncmp(path, "target_", 7) == 0;
    return goal && o->slo                                              ? "--slo"
           : strcmp(key, "iterations") == 0 && o->requests             ? "--requests"
           : strcmp(key, "warmup_iterations") == 0 && o->warmup_set    ? "--warmup"
           : strcmp(key, "timeout_seconds") == 0 && o->level_time_ns   ? "--level-time"
           : strcmp(key, "batch_sizes") == 0 && o->concurrency_count   ? "--concurrency"
           : strcmp(key, "test_text_lengths") == 0 && o->prompt_tokens ? "--prompt-tokens"
           : strcmp(path, "output.directory") == 0 && o->output        ? "--output"
                                                                       : NULL;
}

/* Behind those of the command line, which are there already. */
static void add_settings(struct pyr_arena *arena, const struct pyr_config *config,
                         struct pyr_bench_options *o) {
    size_t count = o->setting_count;
    struct pyr_setting *all = pyr_arena_array(arena, count + config->said_count, sizeof *all);
    if (count)
        memcpy(all, o->settings, count * sizeof *all);
    for (size_t i = 0; i < config->said_count; i++) {
        const char *option = overruled_by(o, config->said[i].name);
        all[count] = config->said[i];
        if (option)
            all[count].source =
                pyr_arena_printf(arena, "%s, overruled by %s", config->path, option);
        count++;
    }
    o->settings = all;
    o->setting_count = count;
}

static void note_missing(const struct pyr_config *config, struct pyr_config_notes *notes) {
    if ((config->index_size || config->queries) && pyr_suite_find("retrieval")->missing)
        note(notes, "retrieval: kept for later, this version has no retrieval suite");
    if (config->interval_ms > 0 && config->interval_ms != 100)
        note(notes, "monitoring.interval_ms: sampling is at 100 ms in this version");
}

bool pyr_config_apply(struct pyr_arena *arena, const struct pyr_config *config,
                      struct pyr_bench_options *options, struct pyr_config_notes *notes,
                      struct pyr_err *err) {
    const char *name = options->preset ? options->preset : "quick";
    const struct pyr_preset *base = pyr_preset_find(name);
    if (!base)
        return pyr_preset_fail(name, err);
    notes->count = 0;
    const struct pyr_config_hardware *row = NULL;
    for (size_t i = 0; i < config->hardware_count; i++)
        if (strcmp(config->hardware[i].name, name) == 0)
            row = &config->hardware[i];
    struct pyr_preset *preset = pyr_arena_alloc(arena, sizeof *preset);
    *preset = *base;
    lay_preset(arena, config, row, preset);
    options->preset_data = preset;
    add_settings(arena, config, options);
    const char *goals = goals_text(arena, &config->goals, row, notes);
    if (!options->slo)
        options->slo = goals;
    if (!options->output)
        options->output = config->output;
    if (config->html_report == 1 && !options->format)
        options->format = "html";
    if (config->detailed_logs == 1 && !options->requests_log)
        options->requests_log = pyr_arena_printf(
            arena, "%s/requests.jsonl", options->output ? options->output : "benchmark_results");
    note_missing(config, notes);
    return true;
}

/* --- files of goals ----------------------------------------------------------------------------
 */

/* Each key with the goal that it means. A fraction is from 0 to 1. */
static const struct {
    const char *key, *goal; /* a format for the number */
    bool fraction;
    double scale;
} target_keys[] = {
    {"inference_latency_ms", "latency_mean=%.9gms", false, 1},
    {"memory_efficiency_mb", "engine_memory=%.0f", false, 1e6},
    {"throughput_rps", "rps=%.9g", false, 1},
    {"model_loading_time_ms", "load_time_mean=%.9gms", false, 1},
    {"cache_hit_ratio", "cache_hit_ratio=%.9g", true, 1},
    {"cpu_utilization", "cpu_utilization=%.9g", true, 1},
    {"memory_utilization", "memory_utilization=%.9g", true, 1},
    {"cache_hit_ratio_percent", "cache_hit_ratio=%.9g", true, 0.01},
    {"cpu_utilization_percent", "cpu_utilization=%.9g", true, 0.01},
    {"memory_utilization_percent", "memory_utilization=%.9g", true, 0.01},
};

static bool targets_member(struct file *file, const char *path, const yaml_node_t *key,
                           const yaml_node_t *value, void *context) {
    const char *names[COUNT(target_keys)];
    for (size_t i = 0; i < COUNT(target_keys); i++) {
        names[i] = target_keys[i].key;
        if (strcmp(names[i], path) != 0)
            continue;
        double number;
        if (is_null(value))
            return true;
        if (!read_number(file, value, path, &number))
            return false;
        number *= target_keys[i].scale;
        if (target_keys[i].fraction && number > 1)
            return pyr_fail(file->err, PYR_E_USAGE,
                            "%s:%d: %s: %g is more than the whole; write 80 %% as 0.8, or as "
                            "%.*s_percent: 80",
                            file->path, line_of(value), path, number / target_keys[i].scale,
                            (int)(strlen(path) - (target_keys[i].scale == 1 ? 0 : 8)), path);
        append_goal(context, target_keys[i].goal, number);
        return true;
    }
    const char *near = pyr_nearest(path, names, COUNT(target_keys));
    return pyr_fail(file->err, PYR_E_USAGE, "%s:%d: unknown key '%s'%s%s", file->path, line_of(key),
                    path, near ? "; did you mean " : "", near ? near : "");
}

bool pyr_targets_read(struct pyr_arena *arena, const char *path, const char *text, size_t size,
                      const char **slo, struct pyr_err *err) {
    struct pyr_buf goals = {0};
    bool fine = read_document(arena, path, text, size, targets_member, &goals, err);
    if (fine && goals.length == 0)
        fine = pyr_fail(err, PYR_E_USAGE, "%s: no goal in it; leave the option out", path);
    if (fine)
        *slo = pyr_arena_strdup(arena, pyr_buf_text(&goals));
    pyr_buf_deinit(&goals);
    return fine;
}

bool pyr_targets_load(struct pyr_arena *arena, const char *path, const char **slo,
                      struct pyr_err *err) {
    struct pyr_buf text = {0};
    bool fine = load_text(path, &text, err) &&
                pyr_targets_read(arena, path, pyr_buf_text(&text), text.length, slo, err);
    pyr_buf_deinit(&text);
    return fine;
}
