/* SPDX-License-Identifier: MIT */
/* The history of a team. libpq is opened when it is used; its few functions are declared here by
 * their documented prototypes (PostgreSQL manual, chapter "libpq"), so that building needs nothing.
 * Everything goes over in binary, because doubles must come back as they went. */
#include "base/mem.h"
#include "store/db.h"

#include <dlfcn.h>
#include <endian.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* Type numbers of PostgreSQL's catalogue (pg_type.dat), fixed for all versions. */
enum { OID_BYTEA = 17, OID_INT8 = 20, OID_TEXT = 25, OID_FLOAT8 = 701 };
enum { CONNECTION_OK = 0, PGRES_COMMAND_OK = 1, PGRES_TUPLES_OK = 2, DIAG_SQLSTATE = 'C' };

struct api {
    struct pg_conn *(*connect)(const char *where);
    int (*status)(const struct pg_conn *connection);
    char *(*error_message)(const struct pg_conn *connection);
    void (*finish)(struct pg_conn *connection);
    struct pg_result *(*exec_params)(struct pg_conn *connection, const char *sql, int count,
                                     const unsigned *types, const char *const *values,
                                     const int *lengths, const int *formats, int result_format);
    int (*result_status)(const struct pg_result *result);
    char *(*result_error)(const struct pg_result *result);
    char *(*result_error_field)(const struct pg_result *result, int field);
    int (*ntuples)(const struct pg_result *result);
    int (*nfields)(const struct pg_result *result);
    unsigned (*ftype)(const struct pg_result *result, int column);
    int (*is_null)(const struct pg_result *result, int row, int column);
    char *(*value)(const struct pg_result *result, int row, int column);
    int (*length)(const struct pg_result *result, int row, int column);
    void (*clear)(struct pg_result *result);
    void *(*set_notice_processor)(struct pg_conn *connection, void (*say)(void *, const char *),
                                  void *);
};

static const struct {
    const char *name;
    size_t offset;
} symbols[] = {
    {"PQconnectdb", offsetof(struct api, connect)},
    {"PQstatus", offsetof(struct api, status)},
    {"PQerrorMessage", offsetof(struct api, error_message)},
    {"PQfinish", offsetof(struct api, finish)},
    {"PQexecParams", offsetof(struct api, exec_params)},
    {"PQresultStatus", offsetof(struct api, result_status)},
    {"PQresultErrorMessage", offsetof(struct api, result_error)},
    {"PQresultErrorField", offsetof(struct api, result_error_field)},
    {"PQntuples", offsetof(struct api, ntuples)},
    {"PQnfields", offsetof(struct api, nfields)},
    {"PQftype", offsetof(struct api, ftype)},
    {"PQgetisnull", offsetof(struct api, is_null)},
    {"PQgetvalue", offsetof(struct api, value)},
    {"PQgetlength", offsetof(struct api, length)},
    {"PQclear", offsetof(struct api, clear)},
    {"PQsetNoticeProcessor", offsetof(struct api, set_notice_processor)},
};

struct postgres_db {
    struct pyr_db db;
    struct api api;
    void *library;
    struct pg_conn *connection;
    char name[128]; /* for errors: never the URL, which may hold a password */
};

/* libpq's messages have several lines and end in one; ours are one line. */
static void one_line(const char *said, char *out, size_t size) {
    size_t n = 0;
    for (; *said && n + 1 < size; said++)
        out[n++] = *said == '\n' || *said == '\t' ? ' ' : *said;
    while (n > 0 && out[n - 1] == ' ')
        n--;
    out[n] = '\0';
}

static bool fail_result(struct postgres_db *pg, const struct pg_result *result,
                        struct pyr_err *err) {
    char said[512];
    const char *state = result ? pg->api.result_error_field(result, DIAG_SQLSTATE) : NULL;
    one_line(state ? pg->api.result_error(result) : pg->api.error_message(pg->connection), said,
             sizeof said);
    if (!state) /* no answer at all */
        return pyr_fail(err, PYR_E_IO, "%s: the connection is lost (%s); run the command again",
                        pg->name, said);
    if (strcmp(state, "55P03") == 0) /* lock_not_available */
        return pyr_fail(err, PYR_E_IO,
                        "%s: another process holds it locked; wait for it to end, or name another "
                        "history with --history",
                        pg->name);
    if (strcmp(state, "53100") == 0) /* disk_full */
        return pyr_fail(err, PYR_E_IO,
                        "%s: the server's disk is full; make room there, or name another history "
                        "with --history (nothing was half written)",
                        pg->name);
    if (strcmp(state, "42501") == 0 || strcmp(state, "25006") == 0) /* rights, read only */
        return pyr_fail(
            err, PYR_E_IO,
            "%s: this user may not do that (%s); grant it, or name another history with "
            "--history",
            pg->name, said);
    return pyr_fail(err, PYR_E_IO, "%s: %s (SQLSTATE %s)", pg->name, said, state);
}

static bool load_library(struct postgres_db *pg, struct pyr_err *err) {
    pg->library = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);
    if (!pg->library)
        return pyr_fail(
            err, PYR_E_UNSUPPORTED,
            "a PostgreSQL history needs libpq.so.5, which is not there (%s); install it "
            "(Debian: apt-get install libpq5)",
            dlerror());
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
        void *symbol = dlsym(pg->library, symbols[i].name);
        if (!symbol)
            return pyr_fail(err, PYR_E_UNSUPPORTED, "libpq.so.5 has no %s; install a newer one",
                            symbols[i].name);
        memcpy((char *)&pg->api + symbols[i].offset, &symbol, sizeof symbol);
    }
    return true;
}

static void close_postgres(struct pyr_db *db) {
    struct postgres_db *pg = (struct postgres_db *)db;
    if (pg->connection)
        pg->api.finish(pg->connection);
    /* libpq stays loaded: it has registered itself with OpenSSL, which must not lose it. */
    pyr_free(pg);
}

static void say_nothing(void *context, const char *message) {
    (void)context;
    (void)message;
}

/* The URL without user, password and parameters. */
static void name_of(const char *where, char *out, size_t size) {
    const char *rest = strstr(where, "://");
    rest = rest ? rest + 3 : where;
    const char *at = strchr(rest, '@');
    rest = at ? at + 1 : rest;
    snprintf(out, size, "postgresql://%.*s", (int)strcspn(rest, "?"), rest);
}

static bool run_postgres(struct pyr_db *db, const char *sql, const struct pyr_db_value *params,
                         size_t count, pyr_db_row_fn *row, void *context, struct pyr_err *err);

static bool open_postgres(const struct pyr_store_config *config, struct pyr_db **db,
                          struct pyr_err *err) {
    struct postgres_db *pg = pyr_xcalloc(1, sizeof *pg);
    pg->db.ops = &pyr_db_postgres;
    name_of(config->where, pg->name, sizeof pg->name);
    if (!load_library(pg, err)) {
        close_postgres(&pg->db);
        return false;
    }
    pg->connection = pg->api.connect(config->where);
    if (!pg->connection || pg->api.status(pg->connection) != CONNECTION_OK) {
        char said[512] = "no memory";
        if (pg->connection)
            one_line(pg->api.error_message(pg->connection), said, sizeof said);
        pyr_fail(err, PYR_E_IO,
                 "%s: cannot be reached (%s); check that the server runs and that you "
                 "may log in",
                 pg->name, said);
        close_postgres(&pg->db);
        return false;
    }
    pg->api.set_notice_processor(pg->connection, say_nothing, NULL);
    char timeout[64];
    snprintf(timeout, sizeof timeout, "SET lock_timeout = %u",
             config->busy_ms ? config->busy_ms : 5000);
    if (!run_postgres(&pg->db, timeout, NULL, 0, NULL, NULL, err)) {
        close_postgres(&pg->db);
        return false;
    }
    *db = &pg->db;
    return true;
}

/* The parameters in PostgreSQL's binary form; `numbers` holds those that are numbers. */
struct bound {
    unsigned *types;
    const char **values;
    int *lengths, *formats;
    uint64_t *numbers;
};

static void bind(const struct pyr_db_value *params, size_t count, struct bound *bound) {
    for (size_t i = 0; i < count; i++) {
        bound->formats[i] = 1;
        bound->lengths[i] = 8;
        bound->values[i] = (const char *)&bound->numbers[i];
        uint64_t bits;
        switch (params[i].type) {
        case PYR_DB_NULL: /* of a type that the server finds out */
            bound->types[i] = 0;
            bound->values[i] = NULL;
            break;
        case PYR_DB_INTEGER:
            bound->types[i] = OID_INT8;
            bound->numbers[i] = htobe64((uint64_t)params[i].integer);
            break;
        case PYR_DB_REAL:
            bound->types[i] = OID_FLOAT8;
            memcpy(&bits, &params[i].real, sizeof bits);
            bound->numbers[i] = htobe64(bits);
            break;
        case PYR_DB_TEXT:
        case PYR_DB_BYTES:
            bound->types[i] = params[i].type == PYR_DB_TEXT ? OID_TEXT : OID_BYTEA;
            bound->values[i] = params[i].bytes;
            bound->lengths[i] = (int)params[i].size;
            break;
        }
    }
}

static struct pyr_db_value read_value(const struct api *api, const struct pg_result *result,
                                      int row, int column) {
    struct pyr_db_value value = {.type = PYR_DB_NULL};
    if (api->is_null(result, row, column))
        return value;
    const char *bytes = api->value(result, row, column);
    uint64_t bits = 0;
    switch (api->ftype(result, column)) {
    case OID_INT8:
        memcpy(&bits, bytes, sizeof bits);
        return pyr_db_integer((int64_t)be64toh(bits));
    case OID_FLOAT8:
        memcpy(&bits, bytes, sizeof bits);
        bits = be64toh(bits);
        value.type = PYR_DB_REAL;
        memcpy(&value.real, &bits, sizeof bits);
        return value;
    default:
        value.type = api->ftype(result, column) == OID_BYTEA ? PYR_DB_BYTES : PYR_DB_TEXT;
        value.bytes = bytes;
        value.size = (size_t)api->length(result, row, column);
        return value;
    }
}

enum { MOST_COLUMNS = 64 };

static bool read_rows(const struct api *api, const struct pg_result *result, pyr_db_row_fn *row,
                      void *context, struct pyr_err *err) {
    int columns = api->nfields(result), rows = api->ntuples(result);
    struct pyr_db_value values[MOST_COLUMNS];
    for (int i = 0; i < rows; i++) {
        for (int k = 0; k < columns && k < MOST_COLUMNS; k++)
            values[k] = read_value(api, result, i, k);
        if (!row(context, values, (size_t)columns, err))
            return false;
    }
    return true;
}

static bool run_postgres(struct pyr_db *db, const char *sql, const struct pyr_db_value *params,
                         size_t count, pyr_db_row_fn *row, void *context, struct pyr_err *err) {
    struct postgres_db *pg = (struct postgres_db *)db;
    const struct api *api = &pg->api;
    struct bound bound = {.types = pyr_xcalloc(count + 1, sizeof *bound.types),
                          .values = pyr_xcalloc(count + 1, sizeof *bound.values),
                          .lengths = pyr_xcalloc(count + 1, sizeof *bound.lengths),
                          .formats = pyr_xcalloc(count + 1, sizeof *bound.formats),
                          .numbers = pyr_xcalloc(count + 1, sizeof *bound.numbers)};
    bind(params, count, &bound);
    struct pg_result *result = api->exec_params(pg->connection, sql, (int)count, bound.types,
                                                bound.values, bound.lengths, bound.formats, 1);
    int status = result ? api->result_status(result) : -1;
    bool fine;
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        fine = fail_result(pg, result, err);
    else
        fine = !row || read_rows(api, result, row, context, err);
    api->clear(result);
    pyr_free(bound.types);
    pyr_free(bound.values);
    pyr_free(bound.lengths);
    pyr_free(bound.formats);
    pyr_free(bound.numbers);
    return fine;
}

static void rollback_postgres(struct pyr_db *db) {
    run_postgres(db, "ROLLBACK", NULL, 0, NULL, NULL, NULL);
}

/* The lock makes two programs that both find an old schema bring it up to date one after the
 * other. Its number is arbitrary ("pyro"). */
static bool begin_postgres(struct pyr_db *db, struct pyr_err *err) {
    if (!run_postgres(db, "BEGIN", NULL, 0, NULL, NULL, err))
        return false;
    if (run_postgres(db, "SELECT pg_advisory_xact_lock(1887007343)", NULL, 0, NULL, NULL, err))
        return true;
    rollback_postgres(db);
    return false;
}

static bool commit_postgres(struct pyr_db *db, struct pyr_err *err) {
    return run_postgres(db, "COMMIT", NULL, 0, NULL, NULL, err);
}

static bool note_there(void *context, const struct pyr_db_value *values, size_t count,
                       struct pyr_err *err) {
    (void)count;
    (void)err;
    *(bool *)context = pyr_db_as_integer(values) > 0;
    return true;
}

static bool has_table_postgres(struct pyr_db *db, const char *table, bool *there,
                               struct pyr_err *err) {
    struct pyr_db_value name = pyr_db_text(table);
    *there = false;
    return run_postgres(db,
                        "SELECT count(*) FROM information_schema.tables WHERE table_schema = "
                        "current_schema() AND table_name = $1",
                        &name, 1, note_there, there, err);
}

const struct pyr_db_ops pyr_db_postgres = {
    .open = open_postgres,
    .run = run_postgres,
    .begin = begin_postgres,
    .commit = commit_postgres,
    .rollback = rollback_postgres,
    .has_table = has_table_postgres,
    .close = close_postgres,
    .name = "PostgreSQL",
};
