/* SPDX-License-Identifier: MIT
 *
 * The port behind the store: a database that takes SQL text. Two kinds, sqlite.c and postgres.c,
 * each opening its library when used. Statements are written once, in the part of SQL that both
 * understand; parameters are $1, $2, ... and appear first in that order. Private to this room.
 */
#ifndef PYR_STORE_DB_H
#define PYR_STORE_DB_H

#include "base/err.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pyr_db_type { PYR_DB_NULL, PYR_DB_INTEGER, PYR_DB_REAL, PYR_DB_TEXT, PYR_DB_BYTES };

struct pyr_db_value {
    enum pyr_db_type type;
    int64_t integer;
    double real;
    const void *bytes; /* TEXT: NUL-terminated besides */
    size_t size;
};

static inline struct pyr_db_value pyr_db_integer(int64_t integer) {
    return (struct pyr_db_value){.type = PYR_DB_INTEGER, .integer = integer};
}
/* NaN goes in as NULL. */
struct pyr_db_value pyr_db_real(double real);
/* NULL goes in as NULL. */
struct pyr_db_value pyr_db_text(const char *text);
struct pyr_db_value pyr_db_bytes(const void *bytes, size_t size);

double pyr_db_as_real(const struct pyr_db_value *value);     /* NaN for NULL */
int64_t pyr_db_as_integer(const struct pyr_db_value *value); /* 0 for NULL */
/* A copy in the arena; NULL for NULL. */
const char *pyr_db_as_text(struct pyr_arena *arena, const struct pyr_db_value *value);

/* Called for each row of an answer; its values are gone when it returns. False ends the query,
 * which then fails with the error that the function filled. */
typedef bool pyr_db_row_fn(void *context, const struct pyr_db_value *values, size_t count,
                           struct pyr_err *err);

struct pyr_db; /* each kind's own; its first member is `const struct pyr_db_ops *ops` */

struct pyr_db_ops {
    bool (*open)(const struct pyr_store_config *config, struct pyr_db **db, struct pyr_err *err);
    /* One statement. `row` may be NULL when no answer is wanted. */
    bool (*run)(struct pyr_db *db, const char *sql, const struct pyr_db_value *params, size_t count,
                pyr_db_row_fn *row, void *context, struct pyr_err *err);
    /* Begins a transaction that writes; where two processes may both want to, the other waits. */
    bool (*begin)(struct pyr_db *db, struct pyr_err *err);
    bool (*commit)(struct pyr_db *db, struct pyr_err *err);
    void (*rollback)(struct pyr_db *db);
    /* Whether a table of that name is there. */
    bool (*has_table)(struct pyr_db *db, const char *table, bool *there, struct pyr_err *err);
    void (*close)(struct pyr_db *db);
    const char *name; /* "SQLite", "PostgreSQL" */
};

struct pyr_db {
    const struct pyr_db_ops *ops;
};

extern const struct pyr_db_ops pyr_db_sqlite, pyr_db_postgres;

enum { PYR_SCHEMA_VERSION = 2 };
/* Brings the schema to PYR_SCHEMA_VERSION (with `write`) or refuses one that is newer, or, without
 * `write`, one that is older. */
bool pyr_schema_prepare(struct pyr_db *db, const char *where, bool write, struct pyr_err *err);
/* For tests of migrations: brings it to `version` and no further. */
bool pyr_schema_migrate(struct pyr_db *db, int64_t version, struct pyr_err *err);

#endif
