/* SPDX-License-Identifier: MIT */
#include "store/store.h"

#include "base/buf.h"
#include "base/hash.h"
#include "base/mem.h"
#include "store/db.h"

#include <math.h>
#include <string.h>

struct pyr_store {
    struct pyr_db *db;
    char *name;
};

bool pyr_store_default(struct pyr_arena *arena, const char *history, const char *xdg_state_home,
                       const char *home, const char **where, struct pyr_err *err) {
    if (history && *history)
        *where = pyr_arena_strdup(arena, history);
    else if (xdg_state_home && *xdg_state_home == '/')
        *where = pyr_arena_printf(arena, "%s/pyrometer/history.db", xdg_state_home);
    else if (home && *home == '/')
        *where = pyr_arena_printf(arena, "%s/.local/state/pyrometer/history.db", home);
    else
        return pyr_fail(
            err, PYR_E_INPUT,
            "no place for it: neither XDG_STATE_HOME nor HOME is set to an absolute path; name one "
            "with --history FILE, or leave it out with --no-history");
    return true;
}

static bool is_postgres(const char *where) {
    return strncmp(where, "postgresql://", 13) == 0 || strncmp(where, "postgres://", 11) == 0;
}

bool pyr_store_open(const struct pyr_store_config *config, struct pyr_store **store,
                    struct pyr_err *err) {
    const struct pyr_db_ops *ops = is_postgres(config->where) ? &pyr_db_postgres : &pyr_db_sqlite;
    struct pyr_db *db;
    if (!ops->open(config, &db, err))
        return false;
    /* A URL may hold a password; the file's name may be shown. */
    const char *name = ops == &pyr_db_sqlite ? config->where : "the PostgreSQL history";
    if (!pyr_schema_prepare(db, name, config->write, err)) {
        ops->close(db);
        return false;
    }
    *store = pyr_xcalloc(1, sizeof **store);
    (*store)->db = db;
    (*store)->name = pyr_xstrdup(name);
    return true;
}

void pyr_store_close(struct pyr_store *store) {
    if (!store)
        return;
    store->db->ops->close(store->db);
    pyr_free(store->name);
    pyr_free(store);
}

const char *pyr_store_name(const struct pyr_store *store) {
    return store->name;
}

static bool run(struct pyr_store *store, const char *sql, const struct pyr_db_value *params,
                size_t count, pyr_db_row_fn *row, void *context, struct pyr_err *err) {
    return store->db->ops->run(store->db, sql, params, count, row, context, err);
}

static int64_t key_of(const char *id) {
    return (int64_t)(pyr_fnv1a64(PYR_FNV1A64_INIT, id, strlen(id)) >> 1);
}

/* Rows that go in many at a time: over a network a statement costs a round trip. */
struct bulk {
    struct pyr_store *store;
    const char *into; /* "pyr_case (run, number, ...)" */
    size_t columns, rows, count;
    struct pyr_db_value *values; /* (rows, columns) */
};

enum { BULK_VALUES = 8192 }; /* below SQLite's 32766 and PostgreSQL's 65535 parameters */

static void bulk_begin(struct bulk *bulk, struct pyr_store *store, const char *into,
                       size_t columns) {
    *bulk = (struct bulk){.store = store,
                          .into = into,
                          .columns = columns,
                          .rows = BULK_VALUES / columns,
                          .values = pyr_xcalloc(BULK_VALUES, sizeof *bulk->values)};
}

static bool bulk_flush(struct bulk *bulk, struct pyr_err *err) {
    if (bulk->count == 0)
        return true;
    struct pyr_buf sql = {0};
    pyr_buf_printf(&sql, "INSERT INTO %s VALUES ", bulk->into);
    for (size_t row = 0, next = 1; row < bulk->count; row++)
        for (size_t column = 0; column < bulk->columns; column++, next++)
            pyr_buf_printf(&sql, "%s$%zu%s",
                           column ? ","
                           : row  ? ",("
                                  : "(",
                           next, column + 1 == bulk->columns ? ")" : "");
    bool fine = run(bulk->store, pyr_buf_text(&sql), bulk->values, bulk->count * bulk->columns,
                    NULL, NULL, err);
    pyr_buf_deinit(&sql);
    bulk->count = 0;
    return fine;
}

/* Where the next row's values go, or NULL when the rows before it did not go in. */
static struct pyr_db_value *bulk_row(struct bulk *bulk, struct pyr_err *err) {
    if (bulk->count == bulk->rows && !bulk_flush(bulk, err))
        return NULL;
    return bulk->values + bulk->count++ * bulk->columns;
}

static bool bulk_end(struct bulk *bulk, bool fine, struct pyr_err *err) {
    fine = fine && bulk_flush(bulk, err);
    pyr_free(bulk->values);
    return fine;
}

#define RUN_COLUMNS                                                                                \
    "key, id, origin, time, version, command, revision, run_group, fingerprint_hash, "             \
    "fingerprint, meta, run_path, partial, simulated, noise_floor"

static bool add_row(struct pyr_store *store, const struct pyr_kept_run *kept, int64_t key,
                    struct pyr_err *err) {
    const struct pyr_db_value values[] = {
        pyr_db_integer(key),
        pyr_db_text(kept->id),
        pyr_db_text(kept->origin),
        pyr_db_real(kept->time_unix_s),
        pyr_db_text(kept->version),
        pyr_db_text(kept->command),
        pyr_db_text(kept->revision),
        pyr_db_text(kept->group),
        pyr_db_text(kept->fingerprint_hash),
        pyr_db_text(kept->fingerprint_json),
        pyr_db_text(kept->meta_json),
        pyr_db_text(kept->run_path),
        pyr_db_text(kept->partial),
        pyr_db_integer(kept->simulated),
        pyr_db_real(kept->noise_floor.value),
    };
    return run(store,
               "INSERT INTO pyr_run (" RUN_COLUMNS
               ") VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15)",
               values, sizeof values / sizeof *values, NULL, NULL, err);
}

static bool add_cases(struct pyr_store *store, const struct pyr_kept_run *kept, int64_t key,
                      struct pyr_err *err) {
    struct bulk bulk;
    bulk_begin(&bulk, store,
               "pyr_case (run, number, suite, id, params, open_loop, total, ok, outputs_hash, "
               "reference)",
               10);
    bool fine = true;
    for (size_t i = 0; fine && i < kept->case_count; i++) {
        const struct pyr_kept_case *from = &kept->cases[i];
        struct pyr_db_value *row = bulk_row(&bulk, err);
        if (!(fine = row != NULL))
            break;
        row[0] = pyr_db_integer(key);
        row[1] = pyr_db_integer((int64_t)i);
        row[2] = pyr_db_text(from->suite);
        row[3] = pyr_db_text(from->id);
        row[4] = pyr_db_text(from->params);
        row[5] = pyr_db_integer(from->open_loop);
        row[6] = pyr_db_integer((int64_t)from->total);
        row[7] = pyr_db_integer((int64_t)from->ok);
        row[8] = pyr_db_integer((int64_t)from->outputs_hash);
        row[9] = pyr_db_text(from->reference);
    }
    return bulk_end(&bulk, fine, err);
}

#define ESTIMATE_COLUMNS(name) name ", " name "_lo, " name "_hi, "
#define METRIC_COLUMNS                                                                             \
    "metric, n, source, " ESTIMATE_COLUMNS("value") ESTIMATE_COLUMNS("mean")                       \
        ESTIMATE_COLUMNS("p50") ESTIMATE_COLUMNS("p75") ESTIMATE_COLUMNS("p90")                    \
            ESTIMATE_COLUMNS("p95") ESTIMATE_COLUMNS("p99") ESTIMATE_COLUMNS("p99_9")              \
                ESTIMATE_COLUMNS("ratio") "sd, min, max"
enum {
    RATIO_COLUMN = 3 + 3 * PYR_KEPT_COUNT,
    SD_COLUMN = RATIO_COLUMN + 3,
    METRIC_COLUMN_COUNT = SD_COLUMN + 3
};

static struct pyr_db_value *fill_estimate(const struct pyr_estimate *estimate,
                                          struct pyr_db_value *row) {
    *row++ = pyr_db_real(estimate->value);
    *row++ = pyr_db_real(estimate->lo);
    *row++ = pyr_db_real(estimate->hi);
    return row;
}

static void fill_metric(const struct pyr_kept_metric *metric, bool referred,
                        struct pyr_db_value *row) {
    const struct pyr_estimate none = pyr_estimate_unknown(NULL);
    *row++ = pyr_db_text(pyr_metric_info(metric->metric)->name);
    *row++ = pyr_db_integer((int64_t)metric->n);
    *row++ = pyr_db_text(metric->source);
    for (int i = 0; i < PYR_KEPT_COUNT; i++)
        row = fill_estimate(&metric->at[i], row);
    row = fill_estimate(referred ? &metric->ratio : &none, row);
    *row++ = pyr_db_real(metric->sd);
    *row++ = pyr_db_real(metric->min);
    *row++ = pyr_db_real(metric->max);
}

static bool add_metrics(struct pyr_store *store, const struct pyr_kept_run *kept, int64_t key,
                        struct pyr_err *err) {
    struct bulk bulk;
    bulk_begin(&bulk, store, "pyr_metric (run, number, " METRIC_COLUMNS ")",
               2 + METRIC_COLUMN_COUNT);
    bool fine = true;
    for (size_t i = 0; fine && i < kept->case_count; i++)
        for (size_t k = 0; fine && k < kept->cases[i].metric_count; k++) {
            struct pyr_db_value *row = bulk_row(&bulk, err);
            if (!(fine = row != NULL))
                break;
            row[0] = pyr_db_integer(key);
            row[1] = pyr_db_integer((int64_t)i);
            fill_metric(&kept->cases[i].metrics[k], kept->cases[i].reference != NULL, row + 2);
        }
    return bulk_end(&bulk, fine, err);
}

static bool add_histograms(struct pyr_store *store, const struct pyr_kept_run *kept, int64_t key,
                           struct pyr_err *err) {
    struct bulk bulk;
    bulk_begin(&bulk, store, "pyr_histogram (run, number, metric, data)", 4);
    bool fine = true;
    for (size_t i = 0; fine && i < kept->case_count; i++)
        for (size_t k = 0; fine && k < kept->cases[i].metric_count; k++) {
            const struct pyr_kept_metric *metric = &kept->cases[i].metrics[k];
            if (!metric->hist)
                continue;
            struct pyr_db_value *row = bulk_row(&bulk, err);
            if (!(fine = row != NULL))
                break;
            row[0] = pyr_db_integer(key);
            row[1] = pyr_db_integer((int64_t)i);
            row[2] = pyr_db_text(pyr_metric_info(metric->metric)->name);
            row[3] = pyr_db_bytes(metric->hist, metric->hist_bytes);
        }
    return bulk_end(&bulk, fine, err);
}

static bool note_count(void *context, const struct pyr_db_value *values, size_t count,
                       struct pyr_err *err) {
    (void)count;
    (void)err;
    *(int64_t *)context = pyr_db_as_integer(values);
    return true;
}

static bool add_all(struct pyr_store *store, const struct pyr_kept_run *kept, struct pyr_err *err) {
    struct pyr_db_value id = pyr_db_text(kept->id);
    int64_t there = 0, key = key_of(kept->id);
    if (!run(store, "SELECT count(*) FROM pyr_run WHERE id = $1", &id, 1, note_count, &there, err))
        return false;
    if (there > 0)
        return pyr_fail(err, PYR_E_INPUT,
                        "%s: run %s is in it already; 'pyrometer history remove' takes it out, and "
                        "a file under another name is another run",
                        store->name, kept->id);
    return add_row(store, kept, key, err) && add_cases(store, kept, key, err) &&
           add_metrics(store, kept, key, err) && add_histograms(store, kept, key, err);
}

bool pyr_store_add(struct pyr_store *store, const struct pyr_kept_run *kept, struct pyr_err *err) {
    const struct pyr_db_ops *ops = store->db->ops;
    if (!ops->begin(store->db, err))
        return false;
    if (add_all(store, kept, err) && ops->commit(store->db, err))
        return true;
    ops->rollback(store->db);
    return false;
}

bool pyr_store_mark(struct pyr_store *store, const char *revision, const char *text,
                    double time_unix_s, struct pyr_err *err) {
    const struct pyr_db_value values[] = {pyr_db_text(revision), pyr_db_text(text),
                                          pyr_db_real(time_unix_s)};
    return run(store,
               "INSERT INTO pyr_mark (revision, text, time) VALUES ($1, $2, $3) "
               "ON CONFLICT (revision) DO UPDATE SET text = excluded.text, time = excluded.time",
               values, 3, NULL, NULL, err);
}

static bool remove_one(struct pyr_store *store, const char *id, struct pyr_err *err) {
    static const char *const statements[] = {
        "DELETE FROM pyr_histogram WHERE run = $1", "DELETE FROM pyr_metric WHERE run = $1",
        "DELETE FROM pyr_case WHERE run = $1", "DELETE FROM pyr_run WHERE key = $1"};
    struct pyr_db_value name = pyr_db_text(id), key = pyr_db_integer(key_of(id));
    int64_t there = 0;
    if (!run(store, "SELECT count(*) FROM pyr_run WHERE id = $1", &name, 1, note_count, &there,
             err))
        return false;
    if (there == 0)
        return pyr_fail(err, PYR_E_INPUT,
                        "%s: no run '%s' in it; 'pyrometer history' lists what is there",
                        store->name, id);
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
        if (!run(store, statements[i], &key, 1, NULL, NULL, err))
            return false;
    return true;
}

bool pyr_store_remove(struct pyr_store *store, const char *const *ids, size_t count,
                      struct pyr_err *err) {
    const struct pyr_db_ops *ops = store->db->ops;
    if (!ops->begin(store->db, err))
        return false;
    bool fine = true;
    for (size_t i = 0; fine && i < count; i++)
        fine = remove_one(store, ids[i], err);
    if (fine && ops->commit(store->db, err))
        return true;
    ops->rollback(store->db);
    return false;
}

/* What is read grows in an arena by doubling. */
struct rows {
    struct pyr_arena *arena;
    char *items;
    size_t size, count, capacity;
};

static void *rows_next(struct rows *rows) {
    if (rows->count == rows->capacity) {
        size_t capacity = rows->capacity ? 2 * rows->capacity : 16;
        char *grown = pyr_arena_array(rows->arena, capacity, rows->size);
        if (rows->count)
            memcpy(grown, rows->items, rows->count * rows->size);
        rows->items = grown;
        rows->capacity = capacity;
    }
    return rows->items + rows->count++ * rows->size;
}

static void rows_reverse(struct rows *rows) {
    if (rows->count < 2)
        return;
    char *a = rows->items, *b = rows->items + (rows->count - 1) * rows->size;
    for (; a < b; a += rows->size, b -= rows->size)
        for (size_t i = 0; i < rows->size; i++) {
            char c = a[i];
            a[i] = b[i];
            b[i] = c;
        }
}

static bool read_run(void *context, const struct pyr_db_value *values, size_t count,
                     struct pyr_err *err) {
    (void)count;
    (void)err;
    struct rows *rows = context;
    struct pyr_arena *arena = rows->arena;
    struct pyr_kept_run *kept = rows_next(rows);
    kept->id = pyr_db_as_text(arena, &values[1]);
    kept->origin = pyr_db_as_text(arena, &values[2]);
    kept->time_unix_s = pyr_db_as_real(&values[3]);
    kept->version = pyr_db_as_text(arena, &values[4]);
    kept->command = pyr_db_as_text(arena, &values[5]);
    kept->revision = pyr_db_as_text(arena, &values[6]);
    kept->group = pyr_db_as_text(arena, &values[7]);
    kept->fingerprint_hash = pyr_db_as_text(arena, &values[8]);
    kept->fingerprint_json = pyr_db_as_text(arena, &values[9]);
    kept->meta_json = pyr_db_as_text(arena, &values[10]);
    kept->run_path = pyr_db_as_text(arena, &values[11]);
    kept->partial = pyr_db_as_text(arena, &values[12]);
    kept->simulated = pyr_db_as_integer(&values[13]) != 0;
    kept->noise_floor = pyr_estimate_unknown(NULL);
    kept->noise_floor.value = pyr_db_as_real(&values[14]);
    return true;
}

enum { MOST_PARAMS = 16 };

/* A condition for each thing that the filter names; `first` is the number of parameters already
 * there. */
struct where {
    struct pyr_buf sql;
    struct pyr_db_value params[MOST_PARAMS];
    size_t count;
};

static void where_is(struct where *where, const char *column, const char *value) {
    if (!value)
        return;
    where->params[where->count++] = pyr_db_text(value);
    pyr_buf_printf(&where->sql, " AND %s = $%zu", column, where->count);
}

static void where_filter(struct where *where, const struct pyr_store_filter *filter) {
    static const struct pyr_store_filter all;
    if (!filter)
        filter = &all;
    where_is(where, "r.fingerprint_hash", filter->fingerprint_hash);
    where_is(where, "r.run_group", filter->group);
    where_is(where, "r.revision", filter->revision);
    where_is(where, "r.origin", filter->origin);
    pyr_buf_puts(&where->sql, " ORDER BY coalesce(r.time, 0) DESC, r.id DESC");
    if (filter->newest)
        pyr_buf_printf(&where->sql, " LIMIT %zu", filter->newest);
}

bool pyr_store_list(struct pyr_store *store, struct pyr_arena *arena,
                    const struct pyr_store_filter *filter, struct pyr_kept_run **runs,
                    size_t *count, struct pyr_err *err) {
    struct where where = {0};
    struct rows rows = {.arena = arena, .size = sizeof **runs};
    pyr_buf_puts(&where.sql, "SELECT " RUN_COLUMNS " FROM pyr_run r WHERE 1 = 1");
    where_filter(&where, filter);
    bool fine =
        run(store, pyr_buf_text(&where.sql), where.params, where.count, read_run, &rows, err);
    pyr_buf_deinit(&where.sql);
    rows_reverse(&rows);
    *runs = (struct pyr_kept_run *)rows.items;
    *count = rows.count;
    return fine;
}

static bool read_case(void *context, const struct pyr_db_value *values, size_t count,
                      struct pyr_err *err) {
    (void)count;
    (void)err;
    struct rows *rows = context;
    struct pyr_kept_case *kept = rows_next(rows);
    kept->suite = pyr_db_as_text(rows->arena, &values[0]);
    kept->id = pyr_db_as_text(rows->arena, &values[1]);
    kept->params = pyr_db_as_text(rows->arena, &values[2]);
    kept->open_loop = pyr_db_as_integer(&values[3]) != 0;
    kept->total = (uint64_t)pyr_db_as_integer(&values[4]);
    kept->ok = (uint64_t)pyr_db_as_integer(&values[5]);
    kept->outputs_hash = (uint64_t)pyr_db_as_integer(&values[6]);
    kept->reference = pyr_db_as_text(rows->arena, &values[7]);
    return true;
}

static struct pyr_estimate read_estimate(const struct pyr_db_value *values) {
    return (struct pyr_estimate){.value = pyr_db_as_real(&values[0]),
                                 .lo = pyr_db_as_real(&values[1]),
                                 .hi = pyr_db_as_real(&values[2])};
}

/* A metric that this version does not have is passed over. */
static bool read_metric(void *context, const struct pyr_db_value *values, size_t count,
                        struct pyr_err *err) {
    (void)count;
    (void)err;
    struct rows *rows = context;
    const char *name = pyr_db_as_text(rows->arena, &values[0]);
    enum pyr_metric metric = pyr_metric_find(name ? name : "");
    if (metric == PYR_METRIC_COUNT)
        return true;
    struct pyr_kept_metric *kept = rows_next(rows);
    kept->metric = metric;
    kept->n = (uint64_t)pyr_db_as_integer(&values[1]);
    kept->source = pyr_db_as_text(rows->arena, &values[2]);
    for (int i = 0; i < PYR_KEPT_COUNT; i++)
        kept->at[i] = read_estimate(&values[3 + 3 * i]);
    kept->ratio = read_estimate(&values[RATIO_COLUMN]);
    kept->sd = pyr_db_as_real(&values[SD_COLUMN]);
    kept->min = pyr_db_as_real(&values[SD_COLUMN + 1]);
    kept->max = pyr_db_as_real(&values[SD_COLUMN + 2]);
    return true;
}

static bool read_histogram(void *context, const struct pyr_db_value *values, size_t count,
                           struct pyr_err *err) {
    (void)count;
    (void)err;
    struct rows *rows = context; /* the case's metrics */
    const char *name = pyr_db_as_text(rows->arena, &values[0]);
    struct pyr_kept_metric *metrics = (struct pyr_kept_metric *)rows->items;
    for (size_t i = 0; i < rows->count; i++)
        if (name && strcmp(pyr_metric_info(metrics[i].metric)->name, name) == 0) {
            char *bytes = pyr_arena_alloc(rows->arena, values[1].size);
            memcpy(bytes, values[1].bytes, values[1].size);
            metrics[i].hist = bytes;
            metrics[i].hist_bytes = values[1].size;
        }
    return true;
}

static bool load_cases(struct pyr_store *store, struct pyr_arena *arena, bool histograms,
                       struct pyr_kept_run *kept, struct pyr_err *err) {
    struct pyr_db_value params[2] = {pyr_db_integer(key_of(kept->id))};
    struct rows cases = {.arena = arena, .size = sizeof(struct pyr_kept_case)};
    if (!run(store,
             "SELECT suite, id, params, open_loop, total, ok, outputs_hash, reference FROM "
             "pyr_case WHERE run = $1 "
             "ORDER BY number",
             params, 1, read_case, &cases, err))
        return false;
    for (size_t i = 0; i < cases.count; i++) {
        struct rows metrics = {.arena = arena, .size = sizeof(struct pyr_kept_metric)};
        params[1] = pyr_db_integer((int64_t)i);
        if (!run(store,
                 "SELECT " METRIC_COLUMNS
                 " FROM pyr_metric WHERE run = $1 AND number = $2 ORDER BY metric",
                 params, 2, read_metric, &metrics, err) ||
            (histograms &&
             !run(store, "SELECT metric, data FROM pyr_histogram WHERE run = $1 AND number = $2",
                  params, 2, read_histogram, &metrics, err)))
            return false;
        struct pyr_kept_case *to = (struct pyr_kept_case *)cases.items + i;
        to->metrics = (struct pyr_kept_metric *)metrics.items;
        to->metric_count = metrics.count;
    }
    kept->cases = (struct pyr_kept_case *)cases.items;
    kept->case_count = cases.count;
    return true;
}

bool pyr_store_load(struct pyr_store *store, struct pyr_arena *arena, const char *id,
                    bool histograms, struct pyr_kept_run **kept, struct pyr_err *err) {
    struct rows rows = {.arena = arena, .size = sizeof **kept};
    if (strcmp(id, "latest") == 0) {
        const struct pyr_store_filter newest = {.newest = 1};
        if (!pyr_store_list(store, arena, &newest, kept, &rows.count, err))
            return false;
        rows.items = (char *)*kept;
    } else {
        struct pyr_db_value param = pyr_db_text(id);
        /* By the length and not by LIKE, because an id may hold its wildcards. */
        if (!run(store,
                 "SELECT " RUN_COLUMNS " FROM pyr_run WHERE id = $1 OR substr(id, 1, "
                 "CAST(length($1) AS INTEGER)) = $1 ORDER BY length(id), id LIMIT 3",
                 &param, 1, read_run, &rows, err))
            return false;
    }
    if (rows.count == 0)
        return pyr_fail(err, PYR_E_INPUT,
                        "%s: no run '%s' in it; 'pyrometer history' lists what is there",
                        store->name, id);
    struct pyr_kept_run *found = (struct pyr_kept_run *)rows.items;
    if (rows.count > 1 && strcmp(found->id, id) != 0)
        return pyr_fail(err, PYR_E_INPUT,
                        "'%s' begins several runs (%s, %s, ...); write more of it", id, found[0].id,
                        found[1].id);
    *kept = found;
    return load_cases(store, arena, histograms, found, err);
}

static bool read_point(void *context, const struct pyr_db_value *values, size_t count,
                       struct pyr_err *err) {
    (void)count;
    (void)err;
    struct rows *rows = context;
    struct pyr_store_point *point = rows_next(rows);
    point->run_id = pyr_db_as_text(rows->arena, &values[0]);
    point->revision = pyr_db_as_text(rows->arena, &values[1]);
    point->fingerprint_hash = pyr_db_as_text(rows->arena, &values[2]);
    point->time_unix_s = pyr_db_as_real(&values[3]);
    point->n = (uint64_t)pyr_db_as_integer(&values[4]);
    point->at = read_estimate(&values[5]);
    point->expected = pyr_db_as_text(rows->arena, &values[8]);
    point->reference = pyr_db_as_text(rows->arena, &values[9]);
    point->ratio = read_estimate(&values[10]);
    return true;
}

#define JOINED                                                                                     \
    " JOIN pyr_run r ON r.key = m.run JOIN pyr_case c ON c.run = m.run AND c.number = m.number"

bool pyr_store_series(struct pyr_store *store, struct pyr_arena *arena, const char *suite,
                      const char *case_id, enum pyr_metric metric, int statistic,
                      const struct pyr_store_filter *filter, struct pyr_store_point **points,
                      size_t *count, struct pyr_err *err) {
    struct where where = {0};
    struct rows rows = {.arena = arena, .size = sizeof **points};
    const char *column = pyr_kept_names[statistic];
    pyr_buf_printf(&where.sql,
                   "SELECT r.id, r.revision, r.fingerprint_hash, r.time, m.n, m.%s, m.%s_lo, "
                   "m.%s_hi, k.text, c.reference, m.ratio, m.ratio_lo, m.ratio_hi FROM "
                   "pyr_metric m" JOINED
                   " LEFT JOIN pyr_mark k ON k.revision = r.revision WHERE m.%s IS NOT NULL",
                   column, column, column, column);
    where_is(&where, "m.metric", pyr_metric_info(metric)->name);
    where_is(&where, "c.id", case_id);
    where_is(&where, "c.suite", suite);
    where_filter(&where, filter);
    bool fine =
        run(store, pyr_buf_text(&where.sql), where.params, where.count, read_point, &rows, err);
    pyr_buf_deinit(&where.sql);
    rows_reverse(&rows);
    *points = (struct pyr_store_point *)rows.items;
    *count = rows.count;
    return fine;
}

struct revision {
    const char *text;
    int64_t runs;
};

static bool read_revision(void *context, const struct pyr_db_value *values, size_t count,
                          struct pyr_err *err) {
    (void)count;
    (void)err;
    struct rows *rows = context;
    struct revision *revision = rows_next(rows);
    revision->text = pyr_db_as_text(rows->arena, &values[0]);
    revision->runs = pyr_db_as_integer(&values[1]);
    return true;
}

bool pyr_store_revision(struct pyr_store *store, struct pyr_arena *arena, const char *text,
                        const char **revision, size_t *runs, struct pyr_err *err) {
    struct pyr_db_value param = pyr_db_text(text);
    struct rows rows = {.arena = arena, .size = sizeof(struct revision)};
    *revision = text;
    *runs = 0;
    if (!run(store,
             "SELECT revision, count(*) FROM pyr_run WHERE substr(revision, 1, "
             "CAST(length($1) AS INTEGER)) = $1 GROUP BY revision ORDER BY length(revision), "
             "revision LIMIT 3",
             &param, 1, read_revision, &rows, err))
        return false;
    const struct revision *found = (struct revision *)rows.items;
    if (rows.count == 0)
        return true;
    if (rows.count > 1 && strcmp(found[0].text, text) != 0)
        return pyr_fail(err, PYR_E_INPUT, "'%s' begins several revisions (%s, %s, ...); write more",
                        text, found[0].text, found[1].text);
    *revision = found[0].text;
    *runs = (size_t)found[0].runs;
    return true;
}

struct merge {
    struct pyr_store *store;
    struct pyr_hist *into, *one;
    size_t runs;
};

static bool merge_row(void *context, const struct pyr_db_value *values, size_t count,
                      struct pyr_err *err) {
    (void)count;
    struct merge *merge = context;
    if (!pyr_hist_read(merge->one, values[0].bytes, values[0].size, err))
        return pyr_err_prefix(err, "%s: a histogram", merge->store->name);
    merge->runs++;
    return pyr_hist_merge(merge->into, merge->one, err);
}

bool pyr_store_merge(struct pyr_store *store, const char *suite, const char *case_id,
                     enum pyr_metric metric, const struct pyr_store_filter *filter,
                     struct pyr_hist *hist, size_t *runs, struct pyr_err *err) {
    struct where where = {0};
    struct merge merge = {.store = store, .into = hist, .one = pyr_hist_create()};
    pyr_buf_puts(&where.sql, "SELECT m.data FROM pyr_histogram m" JOINED " WHERE 1 = 1");
    where_is(&where, "m.metric", pyr_metric_info(metric)->name);
    where_is(&where, "c.id", case_id);
    where_is(&where, "c.suite", suite);
    where_filter(&where, filter);
    bool fine =
        run(store, pyr_buf_text(&where.sql), where.params, where.count, merge_row, &merge, err);
    pyr_buf_deinit(&where.sql);
    pyr_hist_destroy(merge.one);
    *runs = merge.runs;
    return fine;
}
