/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "base/fs.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[256];

static int make_folder(void **state) {
    (void)state;
    return pyr_test_temp_dir(folder, sizeof folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    (void)state;
    return rmdir(folder);
}

static void place(char *path, size_t size, const char *name) {
    snprintf(path, size, "%s/%s", folder, name);
}

static void a_pipe_is_written_to_and_not_replaced(void **state) {
    (void)state;
    struct pyr_err err = {0};
    struct stat there;
    char path[512], got[16] = "";
    place(path, sizeof path, "pipe");
    assert_int_equal(mkfifo(path, 0600), 0);
    int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_ok(err, pyr_fs_write_whole(path, "report", 6, &err));
    assert_int_equal(read(fd, got, sizeof got - 1), 6);
    assert_string_equal(got, "report");
    assert_int_equal(stat(path, &there), 0);
    assert_true(S_ISFIFO(there.st_mode));
    close(fd);
    unlink(path);
}

static void a_link_stays_a_link(void **state) {
    (void)state;
    struct pyr_err err = {0};
    struct stat there;
    char path[512], target[512];
    place(path, sizeof path, "link");
    place(target, sizeof target, "target");
    assert_ok(err, pyr_fs_write_whole(target, "old", 3, &err));
    assert_int_equal(symlink(target, path), 0);
    assert_ok(err, pyr_fs_write_whole(path, "newer", 5, &err));
    assert_int_equal(lstat(path, &there), 0);
    assert_true(S_ISLNK(there.st_mode));
    assert_int_equal(stat(target, &there), 0);
    assert_int_equal(there.st_size, 5);
    unlink(path);
    unlink(target);
}

static void a_folder_is_refused_with_the_mend(void **state) {
    (void)state;
    struct pyr_err err = {0};
    assert_false(pyr_fs_write_whole(folder, "x", 1, &err));
    assert_non_null(strstr(err.text, "a folder; name a file in it"));
}

static void make_old(const char *path) {
    const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
}

static void what_a_killed_process_left_is_swept(void **state) {
    (void)state;
    struct pyr_err err = {0};
    char path[512], dead[600], ours[600], young[600], other[600];
    pid_t gone = fork();
    assert_true(gone >= 0);
    if (gone == 0)
        _exit(0);
    assert_int_equal(waitpid(gone, NULL, 0), gone);
    place(path, sizeof path, "results.json");
    snprintf(dead, sizeof dead, "%s.tmp.%d", path, (int)gone);
    snprintf(ours, sizeof ours, "%s.tmp.%d", path, (int)getppid());
    snprintf(other, sizeof other, "%s2.tmp.%d", path, (int)gone);
    make_old(dead);
    make_old(ours);
    make_old(other);
    assert_ok(err, pyr_fs_write_whole(path, "x", 1, &err));
    assert_int_not_equal(access(dead, F_OK), 0);
    assert_int_equal(access(ours, F_OK), 0); /* its process lives */
    assert_int_equal(access(other, F_OK), 0);
    /* One of just now may be of a process in another container. */
    snprintf(young, sizeof young, "%s.tmp.%d", path, (int)gone);
    close(open(young, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    assert_ok(err, pyr_fs_write_whole(path, "x", 1, &err));
    assert_int_equal(access(young, F_OK), 0);
    unlink(young);
    unlink(ours);
    unlink(other);
    unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_killed_process_left_is_swept),
        cmocka_unit_test(a_pipe_is_written_to_and_not_replaced),
        cmocka_unit_test(a_link_stays_a_link),
        cmocka_unit_test(a_folder_is_refused_with_the_mend),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
