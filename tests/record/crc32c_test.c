/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "base/rng.h"
#include "record/crc32c.h"

#include <string.h>

static void the_published_vectors_hold(void **state) {
    (void)state;
    unsigned char bytes[32] = {0};
    assert_int_equal(pyr_crc32c(0, bytes, 32), 0x8a9136aa);
    memset(bytes, 0xff, sizeof bytes);
    assert_int_equal(pyr_crc32c(0, bytes, 32), 0x62a8ab43);
    for (unsigned char i = 0; i < 32; i++)
        bytes[i] = i;
    assert_int_equal(pyr_crc32c(0, bytes, 32), 0x46dd794e);
    assert_int_equal(pyr_crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(pyr_crc32c(0, "", 0), 0);
}

static void both_paths_agree_at_every_length_and_cut(void **state) {
    (void)state;
    struct pyr_rng rng;
    pyr_rng_init(&rng, 1);
    unsigned char bytes[100];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)pyr_rng_next(&rng);
    for (size_t length = 0; length <= sizeof bytes; length++) {
        uint32_t whole = pyr_crc32c_portable(0, bytes, length);
        assert_int_equal(pyr_crc32c(0, bytes, length), whole);
        size_t cut = length / 3;
        assert_int_equal(pyr_crc32c(pyr_crc32c(0, bytes, cut), bytes + cut, length - cut), whole);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_vectors_hold),
        cmocka_unit_test(both_paths_agree_at_every_length_and_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
