/* SPDX-License-Identifier: MIT */
/* The history in one file. libsqlite3 is opened when it is used, so that commands that keep nothing
 * do not pay for it. */
#include "base/fs.h"
#include "base/mem.h"
#include "store/db.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct api {
    __typeof__(sqlite3_open_v2) *open_v2;
    __typeof__(sqlite3_close_v2) *close_v2;
    __typeof__(sqlite3_busy_timeout) *busy_timeout;
    __typeof__(sqlite3_prepare_v2) *prepare_v2;
    __typeof__(sqlite3_bind_int64) *bind_int64;
    __typeof__(sqlite3_bind_double) *bind_double;
    __typeof__(sqlite3_bind_text) *bind_text;
    __typeof__(sqlite3_bind_blob) *bind_blob;
    __typeof__(sqlite3_bind_null) *bind_null;
    __typeof__(sqlite3_step) *step;
    __typeof__(sqlite3_finalize) *finalize;
    __typeof__(sqlite3_column_count) *column_count;
    __typeof__(sqlite3_column_type) *column_type;
    __typeof__(sqlite3_column_int64) *column_int64;
    __typeof__(sqlite3_column_double) *column_double;
    __typeof__(sqlite3_column_text) *column_text;
    __typeof__(sqlite3_column_blob) *column_blob;
    __typeof__(sqlite3_column_bytes) *column_bytes;
    __typeof__(sqlite3_errmsg) *errmsg;
    __typeof__(sqlite3_extended_errcode) *extended_errcode;
};

static const struct {
    const char *name;
    size_t offset;
} symbols[] = {
    {"sqlite3_open_v2", offsetof(struct api, open_v2)},
    {"sqlite3_close_v2", offsetof(struct api, close_v2)},
    {"sqlite3_busy_timeout", offsetof(struct api, busy_timeout)},
    {"sqlite3_prepare_v2", offsetof(struct api, prepare_v2)},
    {"sqlite3_bind_int64", offsetof(struct api, bind_int64)},
    {"sqlite3_bind_double", offsetof(struct api, bind_double)},
    {"sqlite3_bind_text", offsetof(struct api, bind_text)},
    {"sqlite3_bind_blob", offsetof(struct api, bind_blob)},
    {"sqlite3_bind_null", offsetof(struct api, bind_null)},
    {"sqlite3_step", offsetof(struct api, step)},
    {"sqlite3_finalize", offsetof(struct api, finalize)},
    {"sqlite3_column_count", offsetof(struct api, column_count)},
    {"sqlite3_column_type", offsetof(struct api, column_type)},
    {"sqlite3_column_int64", offsetof(struct api, column_int64)},
    {"sqlite3_column_double", offsetof(struct api, column_double)},
    {"sqlite3_column_text", offsetof(struct api, column_text)},
    {"sqlite3_column_blob", offsetof(struct api, column_blob)},
    {"sqlite3_column_bytes", offsetof(struct api, column_bytes)},
    {"sqlite3_errmsg", offsetof(struct api, errmsg)},
    {"sqlite3_extended_errcode", offsetof(struct api, extended_errcode)},
};

struct sqlite_db {
    struct pyr_db db;
    struct api api;
    void *library;
    sqlite3 *connection;
    char *path;
    uint32_t busy_ms;
};

enum { DEFAULT_BUSY_MS = 5000, FULL_BYTES = 1 << 16 };

/* SQLite calls it an I/O error when the shared memory of its log finds no room. */
static bool is_disk_full(const char *path) {
    struct statvfs disk;
    return statvfs(path, &disk) == 0 && (uint64_t)disk.f_bavail * disk.f_frsize < FULL_BYTES;
}

static bool fail_full(const char *path, struct pyr_err *err) {
    return pyr_fail(err, PYR_E_IO,
                    "%s: the disk is full; make room there, or name another history with "
                    "--history (nothing was half written)",
                    path);
}

static bool fail_sqlite(struct sqlite_db *sqlite, struct pyr_err *err) {
    const char *path = sqlite->path, *said = sqlite->api.errmsg(sqlite->connection);
    int code = sqlite->api.extended_errcode(sqlite->connection);
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return pyr_fail(err, PYR_E_IO,
                        "%s: another process has held it locked for %.3g s; wait for it to end, or "
                        "name another history with --history",
                        path, sqlite->busy_ms / 1e3);
    case SQLITE_FULL:
        return fail_full(path, err);
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
        return pyr_fail(
            err, PYR_E_IO,
            "%s: cannot be written (%s); mend its rights or those of its folder, or name "
            "another history with --history",
            path, said);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return pyr_fail(err, PYR_E_INPUT,
                        "%s: damaged or no history (%s); move it away, and bring runs back from "
                        "their run files with 'pyrometer history add RUN'",
                        path, said);
    case SQLITE_IOERR:
        if (is_disk_full(path))
            return fail_full(path, err);
        return pyr_fail(err, PYR_E_IO,
                        "%s: reading or writing failed (%s, code %d); check the disk, or name "
                        "another history with --history",
                        path, said, code);
    default:
        return pyr_fail(err, PYR_E_IO, "%s: %s (SQLite code %d)", path, said, code);
    }
}

static bool load_library(struct sqlite_db *sqlite, struct pyr_err *err) {
    sqlite->library = dlopen("libsqlite3.so.0", RTLD_NOW | RTLD_LOCAL);
    if (!sqlite->library)
        return pyr_fail(err, PYR_E_UNSUPPORTED,
                        "the history needs libsqlite3.so.0, which is not there (%s); install it "
                        "(Debian: apt-get install libsqlite3-0)",
                        dlerror());
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
        void *symbol = dlsym(sqlite->library, symbols[i].name);
        if (!symbol)
            return pyr_fail(err, PYR_E_UNSUPPORTED,
                            "libsqlite3.so.0 has no %s; install a newer one", symbols[i].name);
        memcpy((char *)&sqlite->api + symbols[i].offset, &symbol, sizeof symbol);
    }
    return true;
}

static bool make_folder(const char *path, struct pyr_err *err) {
    const char *slash = strrchr(path, '/');
    if (!slash || slash == path)
        return true;
    char *folder = pyr_xstrdup(path);
    folder[slash - path] = '\0';
    bool fine = pyr_fs_make_dirs(folder, err) ||
                pyr_err_prefix(err, "the folder of the history (another: --history)");
    pyr_free(folder);
    return fine;
}

static bool run_sqlite(struct pyr_db *db, const char *sql, const struct pyr_db_value *params,
                       size_t count, pyr_db_row_fn *row, void *context, struct pyr_err *err);

/* A file on a medium that cannot be written has no place for the shared memory of its write-ahead
 * log; such a file does not change either, which is what immutable=1 promises. */
static int open_frozen(struct sqlite_db *sqlite) {
    struct pyr_buf uri = {0};
    pyr_buf_puts(&uri, "file:");
    for (const char *c = sqlite->path; *c; c++)
        if (*c == '?' || *c == '#' || *c == '%')
            pyr_buf_printf(&uri, "%%%02X", (unsigned char)*c);
        else
            pyr_buf_putc(&uri, *c);
    pyr_buf_puts(&uri, "?immutable=1");
    sqlite->api.close_v2(sqlite->connection);
    int code = sqlite->api.open_v2(pyr_buf_text(&uri), &sqlite->connection,
                                   SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);
    pyr_buf_deinit(&uri);
    return code;
}

static bool folder_is_writable(const char *path) {
    const char *slash = strrchr(path, '/');
    if (!slash)
        return access(".", W_OK) == 0;
    char *folder = pyr_xstrdup(path);
    folder[slash == path ? 1 : slash - path] = '\0';
    bool writable = access(folder, W_OK) == 0;
    pyr_free(folder);
    return writable;
}

struct tables {
    int64_t all, ours;
};

static bool note_tables(void *context, const struct pyr_db_value *values, size_t count,
                        struct pyr_err *err) {
    (void)count;
    (void)err;
    *(struct tables *)context =
        (struct tables){pyr_db_as_integer(&values[0]), pyr_db_as_integer(&values[1])};
    return true;
}

/* The first statement that touches the file: what is no database shows here. Another program's is
 * left as it is, journal mode and all. */
static bool check_tables(struct sqlite_db *sqlite, struct pyr_err *err) {
    struct tables tables = {0};
    if (!run_sqlite(&sqlite->db,
                    "SELECT count(*), coalesce(sum(name = 'pyr_schema'), 0) FROM sqlite_master "
                    "WHERE type = 'table'",
                    NULL, 0, note_tables, &tables, err))
        return false;
    return tables.all == 0 || tables.ours > 0 ||
           pyr_fail(err, PYR_E_INPUT,
                    "%s: a database of another program; name another history with --history",
                    sqlite->path);
}

/* A device or a socket would be opened, and fail at the first write. */
static bool check_kind(const char *path, struct pyr_err *err) {
    struct stat file;
    if (stat(path, &file) != 0 || S_ISREG(file.st_mode))
        return true;
    return pyr_fail(err, PYR_E_INPUT, "%s: %s; name a file with --history", path,
                    S_ISDIR(file.st_mode) ? "a folder and no history" : "no regular file");
}

static bool connect_file(struct sqlite_db *sqlite, bool write, struct pyr_err *err) {
    /* What a machine and its models are called is nobody else's; the journal gets the same mode. */
    int made = write ? open(sqlite->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
    if (made >= 0)
        close(made);
    int flags = write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
    int code = sqlite->api.open_v2(sqlite->path, &sqlite->connection, flags, NULL);
    if (code == SQLITE_OK && !write && !folder_is_writable(sqlite->path))
        code = open_frozen(sqlite);
    if (!sqlite->connection)
        return pyr_fail(err, PYR_E_NOMEM, "%s: no memory to open it", sqlite->path);
    if (code != SQLITE_OK)
        return fail_sqlite(sqlite, err);
    sqlite->api.busy_timeout(sqlite->connection, (int)sqlite->busy_ms);
    struct pyr_db *db = &sqlite->db;
    if (!check_tables(sqlite, err))
        return false;
    if (!write)
        return true;
    return run_sqlite(db, "PRAGMA journal_mode=WAL", NULL, 0, NULL, NULL, err) &&
           /* In WAL mode NORMAL may lose the last runs in a power cut; FULL does not. */
           run_sqlite(db, "PRAGMA synchronous=FULL", NULL, 0, NULL, NULL, err) &&
           run_sqlite(db, "PRAGMA foreign_keys=ON", NULL, 0, NULL, NULL, err);
}

static void close_sqlite(struct pyr_db *db) {
    struct sqlite_db *sqlite = (struct sqlite_db *)db;
    if (sqlite->connection)
        sqlite->api.close_v2(sqlite->connection);
    if (sqlite->library)
        dlclose(sqlite->library);
    pyr_free(sqlite->path);
    pyr_free(sqlite);
}

static bool open_sqlite(const struct pyr_store_config *config, struct pyr_db **db,
                        struct pyr_err *err) {
    struct sqlite_db *sqlite = pyr_xcalloc(1, sizeof *sqlite);
    sqlite->db.ops = &pyr_db_sqlite;
    sqlite->path = pyr_xstrdup(config->where);
    sqlite->busy_ms = config->busy_ms ? config->busy_ms : DEFAULT_BUSY_MS;
    bool fine;
    if (config->write)
        fine = make_folder(config->where, err);
    else
        fine = access(config->where, F_OK) == 0 ||
               pyr_fail(err, PYR_E_INPUT,
                        "%s: no history there yet; 'pyrometer bench' keeps its first run there",
                        config->where);
    if (fine && check_kind(config->where, err) && load_library(sqlite, err) &&
        connect_file(sqlite, config->write, err)) {
        *db = &sqlite->db;
        return true;
    }
    close_sqlite(&sqlite->db);
    return false;
}

static void bind(struct sqlite_db *sqlite, sqlite3_stmt *statement, int at,
                 const struct pyr_db_value *value) {
    const struct api *api = &sqlite->api;
    switch (value->type) {
    case PYR_DB_NULL:
        api->bind_null(statement, at);
        break;
    case PYR_DB_INTEGER:
        api->bind_int64(statement, at, value->integer);
        break;
    case PYR_DB_REAL:
        api->bind_double(statement, at, value->real);
        break;
    case PYR_DB_TEXT:
        api->bind_text(statement, at, value->bytes, (int)value->size, SQLITE_STATIC);
        break;
    case PYR_DB_BYTES:
        api->bind_blob(statement, at, value->bytes, (int)value->size, SQLITE_STATIC);
        break;
    }
}

enum { MOST_COLUMNS = 64 };

static void read_row(const struct api *api, sqlite3_stmt *statement, struct pyr_db_value *values,
                     int count) {
    for (int i = 0; i < count; i++) {
        values[i] = (struct pyr_db_value){.type = PYR_DB_NULL};
        switch (api->column_type(statement, i)) {
        case SQLITE_INTEGER:
            values[i] = pyr_db_integer(api->column_int64(statement, i));
            break;
        case SQLITE_FLOAT:
            values[i].type = PYR_DB_REAL;
            values[i].real = api->column_double(statement, i);
            break;
        case SQLITE_TEXT:
            values[i].type = PYR_DB_TEXT;
            values[i].bytes = api->column_text(statement, i);
            break;
        case SQLITE_BLOB:
            values[i].type = PYR_DB_BYTES;
            values[i].bytes = api->column_blob(statement, i);
            break;
        default:
            break;
        }
        if (values[i].type == PYR_DB_TEXT || values[i].type == PYR_DB_BYTES)
            values[i].size = (size_t)api->column_bytes(statement, i);
    }
}

static bool run_sqlite(struct pyr_db *db, const char *sql, const struct pyr_db_value *params,
                       size_t count, pyr_db_row_fn *row, void *context, struct pyr_err *err) {
    struct sqlite_db *sqlite = (struct sqlite_db *)db;
    const struct api *api = &sqlite->api;
    sqlite3_stmt *statement;
    if (api->prepare_v2(sqlite->connection, sql, -1, &statement, NULL) != SQLITE_OK)
        return fail_sqlite(sqlite, err);
    for (size_t i = 0; i < count; i++)
        bind(sqlite, statement, (int)i + 1, &params[i]);
    struct pyr_db_value values[MOST_COLUMNS];
    int code, columns = api->column_count(statement);
    bool fine = columns <= MOST_COLUMNS;
    while (fine && (code = api->step(statement)) == SQLITE_ROW)
        if (row) {
            read_row(api, statement, values, columns);
            fine = row(context, values, (size_t)columns, err);
        }
    if (fine && code != SQLITE_DONE)
        fine = fail_sqlite(sqlite, err);
    api->finalize(statement);
    return fine;
}

static bool begin_sqlite(struct pyr_db *db, struct pyr_err *err) {
    return run_sqlite(db, "BEGIN IMMEDIATE", NULL, 0, NULL, NULL, err);
}

static bool commit_sqlite(struct pyr_db *db, struct pyr_err *err) {
    return run_sqlite(db, "COMMIT", NULL, 0, NULL, NULL, err);
}

static void rollback_sqlite(struct pyr_db *db) {
    /* A full disk has rolled back already, and then this fails, rightly. */
    run_sqlite(db, "ROLLBACK", NULL, 0, NULL, NULL, NULL);
}

static bool note_there(void *context, const struct pyr_db_value *values, size_t count,
                       struct pyr_err *err) {
    (void)count;
    (void)err;
    *(bool *)context = pyr_db_as_integer(values) > 0;
    return true;
}

static bool has_table_sqlite(struct pyr_db *db, const char *table, bool *there,
                             struct pyr_err *err) {
    struct pyr_db_value name = pyr_db_text(table);
    *there = false;
    return run_sqlite(db, "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = $1",
                      &name, 1, note_there, there, err);
}

const struct pyr_db_ops pyr_db_sqlite = {
    .open = open_sqlite,
    .run = run_sqlite,
    .begin = begin_sqlite,
    .commit = commit_sqlite,
    .rollback = rollback_sqlite,
    .has_table = has_table_sqlite,
    .close = close_sqlite,
    .name = "SQLite",
};
