/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "base/fs.h"
#include "suite/find_run.h"

#include <string.h>
#include <sys/stat.h>

static char dir[256];

static void put(const char *name, const char *text) {
    char path[512];
    struct pyr_err err;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_ok(err, pyr_fs_write_whole(path, text, strlen(text), &err));
}

/* out/ with two runs, the newer one killed before it left results, and a folder that is none. */
static int make_folders(void **state) {
    (void)state;
    static const char *const folders[] = {"out/history/20260101T000000Z",
                                          "out/history/20260102T000000Z", "out/history/zzz"};
    char path[512];
    struct pyr_err err;
    if (!pyr_test_temp_dir(dir, sizeof dir))
        return -1;
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, folders[i]);
        if (!pyr_fs_make_dirs(path, &err))
            return -1;
    }
    put("out/history/20260101T000000Z/run.pyr", "1");
    put("out/history/20260102T000000Z/run.pyr", "2");
    put("out/results.json", "{\"run_file\": \"elsewhere/out/history/20260101T000000Z/run.pyr\"}");
    put("out/history/20260101T000000Z/results.json", "{\"run_file\": \"gone/run.pyr\"}");
    put("other.json", "{\"run_file\": \"gone/run.pyr\"}");
    put("broken.json", "{");
    return 0;
}

static void found(const char *said, const char *wanted) {
    char path[512], run[PATH_MAX], full[512];
    struct pyr_err err;
    snprintf(path, sizeof path, "%s/%s", dir, said);
    snprintf(full, sizeof full, "%s/%s", dir, wanted);
    assert_ok(err, pyr_find_run(path, run, &err));
    assert_string_equal(run, full);
}

static void whatever_names_a_run_leads_to_it(void **state) {
    (void)state;
    found("out", "out/history/20260102T000000Z/run.pyr");
    found("out/results.json", "out/history/20260101T000000Z/run.pyr");
    found("out/history/20260101T000000Z", "out/history/20260101T000000Z/run.pyr");
    found("out/history/20260101T000000Z/results.json", "out/history/20260101T000000Z/run.pyr");
    found("out/history/20260101T000000Z/run.pyr", "out/history/20260101T000000Z/run.pyr");
}

static void what_leads_nowhere_says_so(void **state) {
    (void)state;
    static const char *const nowhere[] = {".", "out/history/zzz", "other.json", "broken.json"};
    for (size_t i = 0; i < sizeof nowhere / sizeof *nowhere; i++) {
        char path[512], run[PATH_MAX];
        struct pyr_err err;
        snprintf(path, sizeof path, "%s/%s", dir, nowhere[i]);
        assert_false(pyr_find_run(path, run, &err));
        assert_non_null(strstr(err.text, path));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_names_a_run_leads_to_it),
        cmocka_unit_test(what_leads_nowhere_says_so),
    };
    return cmocka_run_group_tests(tests, make_folders, NULL);
}
