/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "estimate/hist.h"

#include <math.h>
#include <string.h>

/* A whole number of up to 512 64-bit words, least significant first. */
struct big {
    uint64_t words[512];
    size_t used;
};

static void square(struct big *number) {
    static struct big product;
    memset(&product, 0, sizeof product);
    for (size_t i = 0; i < number->used; i++) {
        uint64_t carry = 0;
        for (size_t j = 0; j < number->used; j++) {
            unsigned __int128 sum = (unsigned __int128)number->words[i] * number->words[j] +
                                    product.words[i + j] + carry;
            product.words[i + j] = (uint64_t)sum;
            carry = (uint64_t)(sum >> 64);
        }
        product.words[i + number->used] += carry;
    }
    product.used = number->used * 2;
    *number = product;
}

/* Whether x^256 <= 2^(63*256 + j), for a whole x > 0. */
static bool is_at_most_boundary(uint64_t x, unsigned j) {
    static struct big power;
    memset(&power, 0, sizeof power);
    power.words[0] = x;
    power.used = 1;
    for (int i = 0; i < 8; i++)
        square(&power);
    size_t top = power.used;
    while (power.words[top - 1] == 0)
        top--;
    size_t bit = (top - 1) * 64 + 63 - (size_t)__builtin_clzll(power.words[top - 1]);
    if (bit != 63 * 256 + j)
        return bit < 63 * 256 + j;
    for (size_t i = 0; i + 1 < top; i++)
        if (power.words[i] != 0)
            return false;
    return (power.words[top - 1] & (power.words[top - 1] - 1)) == 0;
}

static void every_boundary_is_the_exact_floor_of_its_power_of_two(void **state) {
    (void)state;
    for (unsigned j = 0; j < 256; j++) {
        assert_true(is_at_most_boundary(pyr_hist_octave[j], j));
        assert_false(is_at_most_boundary(pyr_hist_octave[j] + 1, j));
    }
    assert_true(pyr_hist_octave[256] == UINT64_MAX);
}

static void a_value_falls_into_the_slot_whose_range_holds_it(void **state) {
    (void)state;
    for (unsigned k = 0; k < PYR_HIST_SLOTS; k++) {
        uint64_t lo, hi;
        pyr_hist_slot_range(k, &lo, &hi);
        if (lo > hi)
            continue;
        assert_int_equal(pyr_hist_slot(lo), k);
        assert_int_equal(pyr_hist_slot(hi), k);
        assert_int_equal(pyr_hist_slot(lo + (hi - lo) / 2), k);
    }
    assert_int_equal(pyr_hist_slot(1), 0);
    assert_int_equal(pyr_hist_slot(2), 256);
    assert_int_equal(pyr_hist_slot(3), 406); /* ceil(256 log2 3) */
    assert_int_equal(pyr_hist_slot(UINT64_C(1) << 63), PYR_HIST_SLOTS - 1);
}

static void a_value_read_back_is_within_the_stated_error(void **state) {
    (void)state;
    struct pyr_rng rng;
    pyr_rng_init(&rng, 1);
    struct pyr_hist *hist = pyr_hist_create();
    for (int i = 0; i < 300; i++) {
        uint64_t value = (pyr_rng_next(&rng) >> (1 + pyr_rng_below(&rng, 62))) + 1;
        pyr_hist_reset(hist);
        /* Two neighbours far away keep min and max out of the way. */
        pyr_hist_record(hist, 0);
        pyr_hist_record(hist, value);
        pyr_hist_record(hist, UINT64_MAX);
        struct pyr_hist_value back = pyr_hist_at_rank(hist, 2);
        assert_true(back.lo <= value && value <= back.hi);
        double error = fabs(back.value / (double)value - 1);
        assert_true(error <= PYR_HIST_RELATIVE_ERROR * (1 + 1e-9));
        if (value < 369)
            assert_true(error == 0);
    }
    pyr_hist_destroy(hist);
}

static void zero_and_overflow_are_counted_and_never_clamped(void **state) {
    (void)state;
    struct pyr_hist *hist = pyr_hist_create();
    pyr_hist_record(hist, 0);
    pyr_hist_record(hist, UINT64_C(1) << 63);
    pyr_hist_record_n(hist, (UINT64_C(1) << 63) + 1, 2);
    pyr_hist_record_n(hist, 7, 0);
    assert_int_equal(hist->count, 4);
    assert_int_equal(hist->zero, 1);
    assert_int_equal(hist->overflow, 2);
    assert_int_equal(hist->min, 0);
    assert_true(pyr_hist_at_rank(hist, 1).value == 0);
    assert_true(pyr_hist_at_rank(hist, 2).hi == UINT64_C(1) << 63);
    assert_true(isnan(pyr_hist_at_rank(hist, 3).value));
    assert_true(isnan(pyr_hist_sd(hist)));
    assert_int_equal(pyr_hist_count_above(hist, 0), 3);
    assert_int_equal(pyr_hist_count_above(hist, UINT64_C(1) << 63), 2);
    assert_int_equal(pyr_hist_count_upto(hist, PYR_HIST_SLOTS - 1), 2);
    pyr_hist_destroy(hist);
}

static void fill(struct pyr_hist *hist, uint64_t seed, int n) {
    struct pyr_rng rng;
    pyr_rng_init(&rng, seed);
    for (int i = 0; i < n; i++)
        pyr_hist_record(hist, (uint64_t)(2e7 * pyr_rng_lognormal(&rng, 1)));
}

static void mean_and_sd_are_those_of_the_values(void **state) {
    (void)state;
    struct pyr_hist *hist = pyr_hist_create();
    assert_true(isnan(pyr_hist_mean(hist)));
    pyr_hist_record(hist, 100);
    assert_true(isnan(pyr_hist_sd(hist)));
    pyr_hist_record(hist, 200);
    pyr_hist_record(hist, 300);
    assert_true(pyr_hist_mean(hist) == 200);
    assert_true(fabs(pyr_hist_sd(hist) - 100) < 1e-9);
    pyr_hist_destroy(hist);
}

static void merging_equals_recording_into_one(void **state) {
    (void)state;
    struct pyr_hist *one = pyr_hist_create(), *parts[3];
    struct pyr_err err;
    for (int i = 0; i < 3; i++) {
        parts[i] = pyr_hist_create();
        fill(parts[i], 7 + (uint64_t)i, 2000);
        fill(one, 7 + (uint64_t)i, 2000);
    }
    struct pyr_hist *empty = pyr_hist_create();
    assert_ok(err, pyr_hist_merge(empty, parts[2], &err));
    assert_ok(err, pyr_hist_merge(empty, parts[0], &err));
    assert_ok(err, pyr_hist_merge(empty, parts[1], &err));
    assert_memory_equal(empty, one, sizeof *one);
    pyr_hist_reset(parts[0]);
    assert_ok(err, pyr_hist_merge(empty, parts[0], &err));
    assert_memory_equal(empty, one, sizeof *one);
    pyr_hist_record_n(parts[0], 5, PYR_HIST_COUNT_MAX);
    assert_false(pyr_hist_merge(empty, parts[0], &err));
    assert_memory_equal(empty, one, sizeof *one);
    for (int i = 0; i < 3; i++)
        pyr_hist_destroy(parts[i]);
    pyr_hist_destroy(one);
    pyr_hist_destroy(empty);
}

static void written_bytes_read_back_to_the_same_histogram(void **state) {
    (void)state;
    struct pyr_hist *hist = pyr_hist_create(), *back = pyr_hist_create();
    struct pyr_buf buf = {0};
    struct pyr_err err;
    pyr_hist_write(hist, &buf);
    fill(back, 1, 10);
    assert_ok(err, pyr_hist_read(back, buf.data, buf.length, &err));
    assert_memory_equal(hist, back, sizeof *hist);
    fill(hist, 3, 5000);
    pyr_hist_record(hist, 0);
    pyr_hist_record(hist, UINT64_MAX);
    pyr_buf_clear(&buf);
    pyr_hist_write(hist, &buf);
    assert_ok(err, pyr_hist_read(back, buf.data, buf.length, &err));
    assert_memory_equal(hist, back, sizeof *hist);
    assert_true(buf.length < 8192);
    /* Every cut and every changed byte is refused or read as some whole histogram, never worse. */
    for (size_t size = 0; size < buf.length; size += 7)
        assert_false(pyr_hist_read(back, buf.data, size, &err));
    buf.data[4] = 9;
    assert_false(pyr_hist_read(back, buf.data, buf.length, &err));
    assert_int_equal(err.code, PYR_E_UNSUPPORTED);
    assert_int_equal(back->count, 0);
    pyr_buf_deinit(&buf);
    pyr_hist_destroy(hist);
    pyr_hist_destroy(back);
}

static void bytes_that_contradict_themselves_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
    } bad[] = {
#define HIST_BYTES(text) {"PYRH\x01\x08" text, sizeof "PYRH\x01\x08" text - 1}
        HIST_BYTES("\x00\x00\x02\x02\x02\x00\x01\x00\x01"),     /* 2 in the slot of 1 */
        HIST_BYTES("\x00\x00\x01\x01\x02\x00\x01\x00\x01"),     /* sum 2 of one 1 */
        HIST_BYTES("\x00\x00\x01\x01\x01\x00\x01\x00\x00"),     /* a used slot with no values */
        HIST_BYTES("\x00\x00\x01\x01\x01\x00\x01\x01\x01"),     /* a slot no whole number reaches */
        HIST_BYTES("\x00\x00\x01\x01\x81\x00\x00\x01\x00\x01"), /* a padded number */
        HIST_BYTES("\x00\x00\x01\x00\x00\x00\x00"),             /* empty, yet a minimum */
        HIST_BYTES("\x00\x00\x01\x01\x01\x00\x01\x00\x01\x00"), /* a byte too many */
#undef HIST_BYTES
    };
    struct pyr_hist *hist = pyr_hist_create();
    struct pyr_err err;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(pyr_hist_read(hist, bad[i].bytes, bad[i].size, &err));
    static const char good[] = "PYRH\x01\x08\x00\x00\x01\x01\x01\x00\x01\x00\x01";
    assert_ok(err, pyr_hist_read(hist, good, sizeof good - 1, &err));
    assert_int_equal(hist->count, 1);
    pyr_hist_destroy(hist);
}

static void a_thousand_runs_merge(void **state) {
    (void)state;
    struct pyr_hist *run = pyr_hist_create(), *back = pyr_hist_create(), *all = pyr_hist_create();
    struct pyr_buf buf = {0};
    struct pyr_err err;
    fill(run, 11, 10000);
    pyr_hist_write(run, &buf);
    uint64_t start = pyr_clock_real_ns();
    for (int i = 0; i < 1000; i++) {
        assert_ok(err, pyr_hist_read(back, buf.data, buf.length, &err));
        assert_ok(err, pyr_hist_merge(all, back, &err));
    }
    print_message("1000 stored histograms read and merged in %.1f ms\n",
                  (double)(pyr_clock_real_ns() - start) / 1e6);
    assert_int_equal(all->count, 10000000);
    assert_true(all->sum == run->sum * 1000);
    pyr_buf_deinit(&buf);
    pyr_hist_destroy(run);
    pyr_hist_destroy(back);
    pyr_hist_destroy(all);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_boundary_is_the_exact_floor_of_its_power_of_two),
        cmocka_unit_test(a_value_falls_into_the_slot_whose_range_holds_it),
        cmocka_unit_test(a_value_read_back_is_within_the_stated_error),
        cmocka_unit_test(zero_and_overflow_are_counted_and_never_clamped),
        cmocka_unit_test(mean_and_sd_are_those_of_the_values),
        cmocka_unit_test(merging_equals_recording_into_one),
        cmocka_unit_test(written_bytes_read_back_to_the_same_histogram),
        cmocka_unit_test(bytes_that_contradict_themselves_are_refused),
        cmocka_unit_test(a_thousand_runs_merge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
