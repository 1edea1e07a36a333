/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "base/fs.h"
#include "record/metric.h"
#include "report/exposition.h"
#include "report/metrics_doc.h"

#include <stdlib.h>
#include <string.h>

static void the_document_is_up_to_date(void **state) {
    (void)state;
    struct pyr_buf want = {0}, have = {0};
    struct pyr_err err = {0};
    const char *path = PYR_TEST_DATA "/../../docs/metrics.md", *mode = getenv("PYR_GOLDEN");
    const struct pyr_root root = {.prefix = ""};
    pyr_metrics_doc(&want);
    if (mode && strcmp(mode, "write") == 0)
        assert_ok(err, pyr_fs_write_whole(path, want.data, want.length, &err));
    assert_ok(err, pyr_fs_read(&root, path, 1 << 20, &have, &err));
    if (strcmp(want.data, have.data) != 0)
        fail_msg("docs/metrics.md is not what metric.def says; write it again with "
                 "PYR_GOLDEN=write");
    pyr_buf_deinit(&want);
    pyr_buf_deinit(&have);
}

static void no_two_metrics_share_a_name_in_prometheus(void **state) {
    (void)state;
    struct pyr_buf names[PYR_METRIC_COUNT] = {{0}};
    for (int i = 0; i < PYR_METRIC_COUNT; i++) {
        pyr_exposition_name(&names[i], (enum pyr_metric)i);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(names[i].data, names[j].data);
    }
    for (int i = 0; i < PYR_METRIC_COUNT; i++)
        pyr_buf_deinit(&names[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_document_is_up_to_date),
        cmocka_unit_test(no_two_metrics_share_a_name_in_prometheus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
