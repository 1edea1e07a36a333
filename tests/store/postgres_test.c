/* SPDX-License-Identifier: MIT
 *
 * Against a real server of its own: in a temporary folder, on a socket only. PostgreSQL refuses to
 * run as root, so root runs it as the user that Debian's package made.
 */
#include "support/support.h"

#include "support/store_checks.h"

#include "store/db.h"

#include <glob.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[256], bin[256], as_user[32], url[512];
static unsigned databases;

static int shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int shell(const char *format, ...) {
    char command[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    return system(command);
}

/* True when a server answers; else `why` says what is missing. */
static bool start_server(const char **why) {
    glob_t found;
    if (glob("/usr/lib/postgresql/*/bin/initdb", 0, NULL, &found) == 0)
        snprintf(bin, sizeof bin, "%.*s",
                 (int)(strrchr(found.gl_pathv[0], '/') - found.gl_pathv[0]), found.gl_pathv[0]);
    globfree(&found);
    *why = "PostgreSQL is not installed (Debian: apt-get install postgresql)";
    if (!bin[0])
        return false;
    assert_non_null(pyr_test_temp_dir(folder, sizeof folder));
    if (geteuid() == 0) {
        const struct passwd *user = getpwnam("postgres");
        *why = "root cannot run PostgreSQL and there is no user postgres";
        if (!user || chown(folder, user->pw_uid, user->pw_gid) != 0)
            return false;
        snprintf(as_user, sizeof as_user, "runuser -u postgres --");
    }
    *why = "the server did not start; its log is in the test's temporary folder";
    return shell("cd %s && %s %s/initdb -D %s/data -A trust -U postgres -N >%s/log 2>&1", folder,
                 as_user, bin, folder, folder) == 0 &&
           shell("cd %s && %s %s/pg_ctl -w -D %s/data -l %s/server.log -o \"-k %s -c "
                 "listen_addresses= -c fsync=off\" start >/dev/null 2>&1",
                 folder, as_user, bin, folder, folder, folder) == 0;
}

static void stop_server(void) {
    shell("cd %s && %s %s/pg_ctl -w -D %s/data -m immediate stop >/dev/null 2>&1; rm -rf %s",
          folder, as_user, bin, folder, folder);
}

/* A database without tables. */
static const char *fresh(void) {
    databases++;
    assert_int_equal(shell("%s/createdb -h %s -U postgres history%u", bin, folder, databases), 0);
    snprintf(url, sizeof url, "postgresql:///history%u?host=%s&user=postgres", databases, folder);
    return url;
}

static void runs_come_back_whole(void **state) {
    (void)state;
    pyr_test_store_keeps_runs_whole(fresh());
}

static void series_and_histograms_come_from_all_runs(void **state) {
    (void)state;
    pyr_test_store_tells_series_and_merges(fresh());
}

static void a_newer_schema_is_refused(void **state) {
    (void)state;
    pyr_test_store_refuses_a_newer_schema(fresh());
}

static void runs_are_taken_out(void **state) {
    (void)state;
    pyr_test_store_takes_runs_out(fresh());
}

static void an_older_schema_is_brought_up_to_date(void **state) {
    (void)state;
    pyr_test_store_migrates(fresh());
}

static void no_server_is_named_without_the_password(void **state) {
    (void)state;
    struct pyr_store *store;
    struct pyr_err err;
    assert_false(pyr_store_open(
        &(struct pyr_store_config){.where = "postgresql://me:secret@%2Fnowhere/history"}, &store,
        &err));
    assert_int_equal(err.code, PYR_E_IO);
    assert_non_null(strstr(err.text, "cannot be reached"));
    assert_null(strstr(err.text, "secret"));
}

static void a_lock_that_stays_is_named(void **state) {
    (void)state;
    struct pyr_store_config config = {.where = fresh(), .write = true, .busy_ms = 1};
    struct pyr_store *store;
    struct pyr_db *holder;
    struct pyr_err err;
    assert_ok(err, pyr_store_open(&config, &store, &err));
    assert_ok(err, pyr_db_postgres.open(&config, &holder, &err));
    assert_ok(err, pyr_db_postgres.begin(holder, &err));
    struct pyr_arena *arena = pyr_arena_create();
    assert_false(pyr_store_add(store, pyr_test_kept_run(arena, 1), &err));
    assert_non_null(strstr(err.text, "locked"));
    pyr_db_postgres.rollback(holder);
    assert_ok(err, pyr_store_add(store, pyr_test_kept_run(arena, 1), &err));
    pyr_db_postgres.close(holder);
    pyr_store_close(store);
    pyr_arena_destroy(arena);
}

/* The connection ends in the middle of the transaction, as when the writer is killed. */
static void a_lost_connection_leaves_no_half_run(void **state) {
    (void)state;
    struct pyr_store_config config = {.where = fresh(), .write = true};
    struct pyr_db *writer, *other;
    struct pyr_err err;
    struct pyr_store *store;
    assert_ok(err, pyr_store_open(&config, &store, &err));
    assert_ok(err, pyr_db_postgres.open(&config, &writer, &err));
    assert_ok(err, pyr_db_postgres.open(&config, &other, &err));
    assert_ok(err, pyr_db_postgres.begin(writer, &err));
    assert_ok(err, pyr_db_postgres.run(writer,
                                       "INSERT INTO pyr_run (key, id, origin, simulated) VALUES "
                                       "(1, 'half', 'x', 0)",
                                       NULL, 0, NULL, NULL, &err));
    assert_ok(err, pyr_db_postgres.run(other,
                                       "SELECT pg_terminate_backend(pid, 5000) FROM "
                                       "pg_stat_activity WHERE state = 'idle in transaction'",
                                       NULL, 0, NULL, NULL, &err));
    assert_false(pyr_db_postgres.commit(writer, &err));
    assert_int_equal(err.code, PYR_E_IO);
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_kept_run *runs;
    size_t count;
    assert_ok(err, pyr_store_list(store, arena, NULL, &runs, &count, &err));
    assert_int_equal(count, 0);
    pyr_db_postgres.close(writer);
    pyr_db_postgres.close(other);
    pyr_store_close(store);
    pyr_arena_destroy(arena);
}

int main(void) {
    const char *why;
    if (!start_server(&why)) {
        printf("skipped: %s\n", why);
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_come_back_whole),
        cmocka_unit_test(series_and_histograms_come_from_all_runs),
        cmocka_unit_test(a_newer_schema_is_refused),
        cmocka_unit_test(runs_are_taken_out),
        cmocka_unit_test(an_older_schema_is_brought_up_to_date),
        cmocka_unit_test(no_server_is_named_without_the_password),
        cmocka_unit_test(a_lock_that_stays_is_named),
        cmocka_unit_test(a_lost_connection_leaves_no_half_run),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    stop_server();
    return failed;
}
