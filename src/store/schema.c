/* SPDX-License-Identifier: MIT */
/* The tables, in the part of SQL that SQLite and PostgreSQL share. A version is never edited once
 * it has been released: a change is a further row of `versions`. */
#include "store/db.h"

static const char *const version_1[] = {
    "CREATE TABLE pyr_run ("
    " key BIGINT PRIMARY KEY," /* hash of the id, shorter in the tables below */
    " id TEXT NOT NULL UNIQUE,"
    " origin TEXT NOT NULL,"
    " time DOUBLE PRECISION,"
    " version TEXT,"
    " command TEXT,"
    " revision TEXT,"
    " run_group TEXT,"
    " fingerprint_hash TEXT,"
    " fingerprint TEXT,"
    " meta TEXT,"
    " run_path TEXT,"
    " partial TEXT,"
    " simulated BIGINT NOT NULL,"
    " noise_floor DOUBLE PRECISION)",
    "CREATE TABLE pyr_case ("
    " run BIGINT NOT NULL REFERENCES pyr_run (key) ON DELETE CASCADE,"
    " number BIGINT NOT NULL,"
    " suite TEXT NOT NULL,"
    " id TEXT NOT NULL,"
    " params TEXT,"
    " open_loop BIGINT NOT NULL,"
    " total BIGINT,"
    " ok BIGINT,"
    " outputs_hash BIGINT,"
    " PRIMARY KEY (run, number))",
    "CREATE INDEX pyr_case_id ON pyr_case (id, suite)",
    "CREATE TABLE pyr_metric ("
    " run BIGINT NOT NULL REFERENCES pyr_run (key) ON DELETE CASCADE,"
    " number BIGINT NOT NULL,"
    " metric TEXT NOT NULL,"
    " n BIGINT,"
    " source TEXT,"
    " value DOUBLE PRECISION, value_lo DOUBLE PRECISION, value_hi DOUBLE PRECISION,"
    " mean DOUBLE PRECISION, mean_lo DOUBLE PRECISION, mean_hi DOUBLE PRECISION,"
    " p50 DOUBLE PRECISION, p50_lo DOUBLE PRECISION, p50_hi DOUBLE PRECISION,"
    " p75 DOUBLE PRECISION, p75_lo DOUBLE PRECISION, p75_hi DOUBLE PRECISION,"
    " p90 DOUBLE PRECISION, p90_lo DOUBLE PRECISION, p90_hi DOUBLE PRECISION,"
    " p95 DOUBLE PRECISION, p95_lo DOUBLE PRECISION, p95_hi DOUBLE PRECISION,"
    " p99 DOUBLE PRECISION, p99_lo DOUBLE PRECISION, p99_hi DOUBLE PRECISION,"
    " p99_9 DOUBLE PRECISION, p99_9_lo DOUBLE PRECISION, p99_9_hi DOUBLE PRECISION,"
    " sd DOUBLE PRECISION, min DOUBLE PRECISION, max DOUBLE PRECISION,"
    " PRIMARY KEY (run, number, metric))",
    "CREATE TABLE pyr_histogram ("
    " run BIGINT NOT NULL REFERENCES pyr_run (key) ON DELETE CASCADE,"
    " number BIGINT NOT NULL,"
    " metric TEXT NOT NULL,"
    " data BYTEA NOT NULL,"
    " PRIMARY KEY (run, number, metric))",
    "CREATE TABLE pyr_mark ("
    " revision TEXT PRIMARY KEY,"
    " text TEXT NOT NULL,"
    " time DOUBLE PRECISION)",
};

/* What was measured beside a case, and each number as a ratio to it: the drift of the machine is
 * not in such a ratio (docs/method/changes.md). */
static const char *const version_2[] = {
    "ALTER TABLE pyr_case ADD COLUMN reference TEXT",
    "ALTER TABLE pyr_metric ADD COLUMN ratio DOUBLE PRECISION",
    "ALTER TABLE pyr_metric ADD COLUMN ratio_lo DOUBLE PRECISION",
    "ALTER TABLE pyr_metric ADD COLUMN ratio_hi DOUBLE PRECISION",
};

static const struct {
    const char *const *statements;
    size_t count;
} versions[PYR_SCHEMA_VERSION] = {
    {version_1, sizeof version_1 / sizeof *version_1},
    {version_2, sizeof version_2 / sizeof *version_2},
};

static bool note_version(void *context, const struct pyr_db_value *values, size_t count,
                         struct pyr_err *err) {
    (void)count;
    (void)err;
    *(int64_t *)context = pyr_db_as_integer(values);
    return true;
}

static bool read_version(struct pyr_db *db, int64_t *version, struct pyr_err *err) {
    bool there;
    *version = 0;
    if (!db->ops->has_table(db, "pyr_schema", &there, err))
        return false;
    return !there || db->ops->run(db, "SELECT max(version) FROM pyr_schema", NULL, 0, note_version,
                                  version, err);
}

static bool go(struct pyr_db *db, const char *sql, struct pyr_err *err) {
    return db->ops->run(db, sql, NULL, 0, NULL, NULL, err);
}

static bool migrate(struct pyr_db *db, int64_t wanted, struct pyr_err *err) {
    int64_t version;
    /* Again, now that no other process can be changing it. */
    if (!read_version(db, &version, err))
        return false;
    if (version == 0 && !go(db, "CREATE TABLE pyr_schema (version BIGINT NOT NULL)", err))
        return false;
    for (int64_t next = version; next < wanted; next++) {
        for (size_t i = 0; i < versions[next].count; i++)
            if (!go(db, versions[next].statements[i], err))
                return false;
        struct pyr_db_value number = pyr_db_integer(next + 1);
        if (!db->ops->run(db, "INSERT INTO pyr_schema (version) VALUES ($1)", &number, 1, NULL,
                          NULL, err))
            return false;
    }
    return true;
}

bool pyr_schema_migrate(struct pyr_db *db, int64_t version, struct pyr_err *err) {
    if (!db->ops->begin(db, err))
        return false;
    if (migrate(db, version, err) && db->ops->commit(db, err))
        return true;
    db->ops->rollback(db);
    return false;
}

bool pyr_schema_prepare(struct pyr_db *db, const char *where, bool write, struct pyr_err *err) {
    int64_t version;
    if (!read_version(db, &version, err))
        return false;
    if (version > PYR_SCHEMA_VERSION)
        return pyr_fail(err, PYR_E_INPUT,
                        "%s: its schema is version %lld and this program (%s) knows version %d; "
                        "update pyrometer, or name another history with --history",
                        where, (long long)version, PYR_VERSION, PYR_SCHEMA_VERSION);
    if (version == PYR_SCHEMA_VERSION)
        return true;
    if (!write && version == 0)
        return pyr_fail(err, PYR_E_INPUT,
                        "%s: nothing is in it yet; any 'pyrometer bench' keeps its run there",
                        where);
    if (!write)
        return pyr_fail(err, PYR_E_INPUT,
                        "%s: its schema is version %lld and this program needs version %d; any "
                        "'pyrometer bench' brings it up to date",
                        where, (long long)version, PYR_SCHEMA_VERSION);
    return pyr_schema_migrate(db, PYR_SCHEMA_VERSION, err);
}
