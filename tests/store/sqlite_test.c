/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "support/store_checks.h"

#include "base/fs.h"
#include "store/db.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

static void fresh(char *where, size_t size) {
    char dir[256];
    assert_non_null(pyr_test_temp_dir(dir, sizeof dir));
    snprintf(where, size, "%s/state/pyrometer/history.db", dir);
}

static void runs_come_back_whole(void **state) {
    (void)state;
    char where[512];
    fresh(where, sizeof where);
    pyr_test_store_keeps_runs_whole(where);
}

static void series_and_histograms_come_from_all_runs(void **state) {
    (void)state;
    char where[512];
    fresh(where, sizeof where);
    pyr_test_store_tells_series_and_merges(where);
}

static void a_newer_schema_is_refused(void **state) {
    (void)state;
    char where[512];
    fresh(where, sizeof where);
    pyr_test_store_refuses_a_newer_schema(where);
}

static void runs_are_taken_out(void **state) {
    (void)state;
    char where[512];
    fresh(where, sizeof where);
    pyr_test_store_takes_runs_out(where);
}

static void an_older_schema_is_brought_up_to_date(void **state) {
    (void)state;
    char where[512];
    fresh(where, sizeof where);
    pyr_test_store_migrates(where);
}

static void reading_makes_no_file(void **state) {
    (void)state;
    char where[512];
    fresh(where, sizeof where);
    struct pyr_store *store;
    struct pyr_err err;
    assert_false(pyr_store_open(&(struct pyr_store_config){.where = where}, &store, &err));
    assert_int_equal(err.code, PYR_E_INPUT);
    assert_non_null(strstr(err.text, "no history there yet"));
    assert_false(pyr_fs_is_file(where));
}

static void the_place_follows_the_environment(void **state) {
    (void)state;
    struct pyr_arena *arena = pyr_arena_create();
    const char *where;
    struct pyr_err err;
    assert_ok(err, pyr_store_default(arena, "postgresql://x", "/s", "/h", &where, &err));
    assert_string_equal(where, "postgresql://x");
    assert_ok(err, pyr_store_default(arena, NULL, "/s", "/h", &where, &err));
    assert_string_equal(where, "/s/pyrometer/history.db");
    assert_ok(err, pyr_store_default(arena, "", "relative", "/h", &where, &err));
    assert_string_equal(where, "/h/.local/state/pyrometer/history.db");
    assert_false(pyr_store_default(arena, NULL, NULL, NULL, &where, &err));
    pyr_arena_destroy(arena);
}

static void open_new(const char *where, struct pyr_store **store) {
    struct pyr_err err;
    assert_ok(err, pyr_store_open(&(struct pyr_store_config){.where = where, .write = true}, store,
                                  &err));
}

static void a_damaged_file_is_named(void **state) {
    (void)state;
    char where[512];
    fresh(where, sizeof where);
    struct pyr_store *store;
    open_new(where, &store);
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_err err;
    for (unsigned i = 1; i < 9; i++)
        assert_ok(err, pyr_store_add(store, pyr_test_kept_run(arena, i), &err));
    pyr_store_close(store);
    int file = open(where, O_WRONLY);
    char rubbish[4096];
    memset(rubbish, 0x5a, sizeof rubbish);
    off_t size = lseek(file, 0, SEEK_END);
    for (off_t at = 4096; at < size; at += 4096)
        assert_int_equal(pwrite(file, rubbish, sizeof rubbish, at), sizeof rubbish);
    bool opened =
        pyr_store_open(&(struct pyr_store_config){.where = where, .write = true}, &store, &err);
    if (opened) {
        assert_false(pyr_store_add(store, pyr_test_kept_run(arena, 9), &err));
        pyr_store_close(store);
    }
    assert_non_null(strstr(err.text, "damaged"));
    assert_int_equal(pwrite(file, "no database at all", 18, 0), 18);
    close(file);
    assert_false(pyr_store_open(&(struct pyr_store_config){.where = where}, &store, &err));
    assert_int_equal(err.code, PYR_E_INPUT);
    assert_non_null(strstr(err.text, "damaged or no history"));
    pyr_arena_destroy(arena);
}

static void open_fails(const char *where, bool write, const char *words) {
    struct pyr_store *store;
    struct pyr_err err;
    assert_false(
        pyr_store_open(&(struct pyr_store_config){.where = where, .write = write}, &store, &err));
    assert_non_null(strstr(err.text, words));
}

static void what_is_no_history_is_named_and_left_alone(void **state) {
    (void)state;
    static const struct pyr_root live = {""};
    char dir[256], where[512];
    struct pyr_buf before = {0}, after = {0};
    struct pyr_db *db;
    struct pyr_err err;
    assert_non_null(pyr_test_temp_dir(dir, sizeof dir));
    snprintf(where, sizeof where, "%s/notes.db", dir);
    assert_ok(err, pyr_db_sqlite.open(&(struct pyr_store_config){.where = where, .write = true},
                                      &db, &err));
    assert_ok(err,
              pyr_db_sqlite.run(db, "CREATE TABLE notes (text TEXT)", NULL, 0, NULL, NULL, &err));
    pyr_db_sqlite.close(db);
    assert_ok(err, pyr_fs_read(&live, where, 1 << 20, &before, &err));
    open_fails(where, false, "of another program");
    open_fails(where, true, "of another program");
    assert_ok(err, pyr_fs_read(&live, where, 1 << 20, &after, &err));
    assert_int_equal(before.length, after.length);
    assert_memory_equal(before.data, after.data, before.length);
    pyr_buf_deinit(&before);
    pyr_buf_deinit(&after);
    open_fails(dir, true, "a folder and no history");
    open_fails("/dev/null", true, "no regular file");
    snprintf(where, sizeof where, "%s/empty.db", dir);
    close(open(where, O_CREAT | O_WRONLY, 0600));
    open_fails(where, false, "nothing is in it yet");
}

static void a_lock_that_stays_is_named(void **state) {
    (void)state;
    char where[512];
    fresh(where, sizeof where);
    struct pyr_store *store, *other;
    open_new(where, &store);
    struct pyr_err err;
    struct pyr_store_config config = {.where = where, .write = true, .busy_ms = 1};
    struct pyr_db *holder;
    assert_ok(err, pyr_db_sqlite.open(&config, &holder, &err));
    assert_ok(err, pyr_db_sqlite.begin(holder, &err));
    struct pyr_arena *arena = pyr_arena_create();
    assert_ok(err, pyr_store_open(&config, &other, &err));
    assert_false(pyr_store_add(other, pyr_test_kept_run(arena, 1), &err));
    assert_non_null(strstr(err.text, "locked"));
    /* Reading is never kept waiting. */
    struct pyr_kept_run *runs;
    size_t count;
    assert_ok(err, pyr_store_list(other, arena, NULL, &runs, &count, &err));
    pyr_db_sqlite.rollback(holder);
    assert_ok(err, pyr_store_add(other, pyr_test_kept_run(arena, 1), &err));
    pyr_db_sqlite.close(holder);
    pyr_store_close(other);
    pyr_store_close(store);
    pyr_arena_destroy(arena);
}

static void die_by_kill(int signal_number) {
    (void)signal_number;
    kill(getpid(), SIGKILL);
}

/* The child's second run has a histogram whose bytes cannot be read: the library touches them in
 * the middle of the transaction, with the rows before it already handed over, and there the child
 * is killed. */
static void a_run_is_absent_after_a_kill_in_mid_write(void **state) {
    (void)state;
    char where[512];
    fresh(where, sizeof where);
    pid_t child = fork();
    if (child == 0) {
        struct sigaction action = {.sa_handler = die_by_kill};
        sigaction(SIGSEGV, &action, NULL);
        struct pyr_arena *arena = pyr_arena_create();
        struct pyr_store *store;
        if (!pyr_store_open(&(struct pyr_store_config){.where = where, .write = true}, &store,
                            NULL) ||
            !pyr_store_add(store, pyr_test_kept_run(arena, 1), NULL))
            _exit(3);
        struct pyr_kept_run *doomed = pyr_test_kept_run(arena, 2);
        struct pyr_kept_metric *last = (struct pyr_kept_metric *)&doomed->cases[1].metrics[1];
        last->hist_bytes = 1 << 20;
        last->hist = mmap(NULL, last->hist_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        pyr_store_add(store, doomed, NULL);
        _exit(4);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_store *store;
    struct pyr_kept_run *runs;
    size_t count;
    struct pyr_err err;
    open_new(where, &store);
    assert_ok(err, pyr_store_list(store, arena, NULL, &runs, &count, &err));
    assert_int_equal(count, 1);
    assert_ok(err, pyr_store_add(store, pyr_test_kept_run(arena, 2), &err));
    pyr_store_close(store);
    pyr_arena_destroy(arena);
}

/* Killed at any moment: a child adds runs and says so after each, until it is killed; whatever is
 * there then is whole, and nothing that was said to be there is missing. */
static void every_run_is_whole_whenever_the_writer_is_killed(void **state) {
    (void)state;
    for (unsigned round = 1; round <= 4; round++) {
        char where[512];
        fresh(where, sizeof where);
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        if (child == 0) {
            struct pyr_arena *arena = pyr_arena_create();
            struct pyr_store *store;
            pyr_store_open(&(struct pyr_store_config){.where = where, .write = true}, &store, NULL);
            for (unsigned i = 1;; i++)
                if (!pyr_store_add(store, pyr_test_kept_run(arena, i), NULL) ||
                    write(ends[1], "x", 1) != 1)
                    _exit(3);
        }
        char said;
        for (unsigned i = 0; i < round; i++)
            assert_int_equal(read(ends[0], &said, 1), 1);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        close(ends[1]);
        size_t told = round;
        while (read(ends[0], &said, 1) == 1)
            told++;
        close(ends[0]);
        struct pyr_arena *arena = pyr_arena_create();
        struct pyr_store *store;
        struct pyr_kept_run *runs, *run;
        size_t count;
        struct pyr_err err;
        open_new(where, &store);
        assert_ok(err, pyr_store_list(store, arena, NULL, &runs, &count, &err));
        assert_true(count == told || count == told + 1);
        for (size_t i = 0; i < count; i++) {
            assert_ok(err, pyr_store_load(store, arena, runs[i].id, true, &run, &err));
            assert_int_equal(run->case_count, 2);
            assert_int_equal(run->cases[1].metric_count, 2);
            assert_non_null(pyr_kept_metric(&run->cases[1], PYR_M_LATENCY_SENT)->hist);
        }
        pyr_store_close(store);
        pyr_arena_destroy(arena);
    }
}

/* Mounts need rights that not every machine gives; the child says so with 77. */
static int in_a_small_file_system(unsigned long flags, void (*check)(const char *folder)) {
    char dir[256];
    assert_non_null(pyr_test_temp_dir(dir, sizeof dir));
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
            mount("none", dir, "tmpfs", 0, "size=512k") != 0)
            _exit(77);
        struct pyr_store *store;
        char where[512];
        snprintf(where, sizeof where, "%s/history.db", dir);
        if (!pyr_store_open(&(struct pyr_store_config){.where = where, .write = true}, &store,
                            NULL))
            _exit(3);
        pyr_store_close(store);
        if (flags && mount("none", dir, NULL, MS_REMOUNT | flags, NULL) != 0)
            _exit(77);
        check(where);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* In the child a failed check ends it with a number that says which. */
#define child_check(condition, code)                                                               \
    do {                                                                                           \
        if (!(condition))                                                                          \
            _exit(code);                                                                           \
    } while (0)

static void check_full(const char *where) {
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_store *store;
    struct pyr_err err;
    child_check(
        pyr_store_open(&(struct pyr_store_config){.where = where, .write = true}, &store, &err),
        10);
    unsigned number = 1;
    while (number < 1000 && pyr_store_add(store, pyr_test_kept_run(arena, number), &err))
        number++;
    child_check(strstr(err.text, "the disk is full"), 11);
    struct pyr_kept_run *runs, *run;
    size_t count;
    child_check(pyr_store_list(store, arena, NULL, &runs, &count, &err), 12);
    child_check(count == number - 1, 13);
    child_check(pyr_store_load(store, arena, "latest", true, &run, &err), 14);
    child_check(run->case_count == 2 && run->cases[1].metric_count == 2, 15);
    pyr_store_close(store);
}

static void a_full_disk_is_named_and_leaves_no_half_run(void **state) {
    (void)state;
    int code = in_a_small_file_system(0, check_full);
    if (code == 77)
        skip();
    assert_int_equal(code, 0);
}

static void check_read_only(const char *where) {
    struct pyr_arena *arena = pyr_arena_create();
    struct pyr_store *store;
    struct pyr_err err;
    child_check(
        !pyr_store_open(&(struct pyr_store_config){.where = where, .write = true}, &store, &err),
        10);
    child_check(strstr(err.text, "cannot be written"), 11);
    struct pyr_kept_run *runs;
    size_t count;
    child_check(pyr_store_open(&(struct pyr_store_config){.where = where}, &store, &err), 12);
    child_check(pyr_store_list(store, arena, NULL, &runs, &count, &err) && count == 0, 13);
    pyr_store_close(store);
}

static void a_read_only_folder_is_named_and_can_still_be_read(void **state) {
    (void)state;
    int code = in_a_small_file_system(MS_RDONLY, check_read_only);
    if (code == 77)
        skip();
    assert_int_equal(code, 0);
}

static void a_place_that_cannot_be_made_is_named(void **state) {
    (void)state;
    struct pyr_store *store;
    struct pyr_err err;
    assert_false(pyr_store_open(
        &(struct pyr_store_config){.where = "/proc/version/x/history.db", .write = true}, &store,
        &err));
    assert_int_equal(err.code, PYR_E_IO);
    assert_non_null(strstr(err.text, "--history"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_come_back_whole),
        cmocka_unit_test(series_and_histograms_come_from_all_runs),
        cmocka_unit_test(a_newer_schema_is_refused),
        cmocka_unit_test(runs_are_taken_out),
        cmocka_unit_test(an_older_schema_is_brought_up_to_date),
        cmocka_unit_test(reading_makes_no_file),
        cmocka_unit_test(the_place_follows_the_environment),
        cmocka_unit_test(a_damaged_file_is_named),
        cmocka_unit_test(what_is_no_history_is_named_and_left_alone),
        cmocka_unit_test(a_lock_that_stays_is_named),
        cmocka_unit_test(a_run_is_absent_after_a_kill_in_mid_write),
        cmocka_unit_test(every_run_is_whole_whenever_the_writer_is_killed),
        cmocka_unit_test(a_full_disk_is_named_and_leaves_no_half_run),
        cmocka_unit_test(a_read_only_folder_is_named_and_can_still_be_read),
        cmocka_unit_test(a_place_that_cannot_be_made_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
