/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "base/buf.h"
#include "base/fs.h"
#include "model/gguf_check.h"
#include "model/synth.h"
#include "model/vocab.h"
#include "model/weights.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void half_precision_survives_a_round_trip(void **state) {
    (void)state;
    for (unsigned half = 0; half < 65536; half++) {
        bool nan = (half & 0x7c00) == 0x7c00 && (half & 1023);
        if (!nan)
            assert_int_equal(pyr_f16_from_f32(pyr_f32_from_f16((uint16_t)half)), half);
    }
    assert_int_equal(pyr_f16_from_f32(1.0f), 0x3c00);
    assert_int_equal(pyr_f16_from_f32(65519.0f), 0x7bff);
    assert_int_equal(pyr_f16_from_f32(65520.0f), 0x7c00);
    assert_int_equal(pyr_f16_from_f32(1.0f + 0x1p-11f), 0x3c00); /* half way: to even */
    assert_int_equal(pyr_f16_from_f32(1.0f + 0x1.8p-10f), 0x3c02);
    assert_int_equal(pyr_f16_from_f32(-0x1p-24f), 0x8001);
    assert_int_equal(pyr_f16_from_f32(0x1p-25f), 0);
    assert_int_equal(pyr_f16_from_f32(0x1.1p-25f), 1);
    assert_int_equal(pyr_f16_from_f32(NAN) & 0x7fff, 0x7e00);
}

static void weights_have_the_spread_asked_for(void **state) {
    (void)state;
    enum { COUNT = 1 << 16 };
    float *weights = malloc(COUNT * sizeof *weights);
    double sum = 0, squares = 0;
    pyr_weights_fill(PYR_TENSOR_F32, 3, 0, COUNT, 0.5f, weights);
    for (int i = 0; i < COUNT; i++) {
        sum += (double)weights[i];
        squares += (double)weights[i] * (double)weights[i];
    }
    /* five standard errors of a mean and of a variance */
    assert_true(fabs(sum / COUNT) < 5 * 0.5 / 256);
    assert_true(fabs(squares / COUNT - 0.25) < 5 * 0.25 * sqrt(2.0 / COUNT));
    free(weights);
}

static void quantised_weights_are_near_the_true_ones(void **state) {
    (void)state;
    enum { COUNT = 4096 };
    static float truth[COUNT];
    static uint8_t q8[COUNT / 32 * 34], q4[COUNT / 32 * 18];
    static uint16_t f16[COUNT];
    pyr_weights_fill(PYR_TENSOR_F32, 9, 64, COUNT, 0.02f, truth);
    pyr_weights_fill(PYR_TENSOR_F16, 9, 64, COUNT, 0.02f, f16);
    pyr_weights_fill(PYR_TENSOR_Q8_0, 9, 64, COUNT, 0.02f, q8);
    pyr_weights_fill(PYR_TENSOR_Q4_0, 9, 64, COUNT, 0.02f, q4);
    for (int i = 0; i < COUNT; i++) {
        const uint8_t *b8 = q8 + i / 32 * 34, *b4 = q4 + i / 32 * 18;
        uint16_t d8, d4;
        memcpy(&d8, b8, 2);
        memcpy(&d4, b4, 2);
        float step8 = pyr_f32_from_f16(d8), step4 = pyr_f32_from_f16(d4);
        float x8 = step8 * (float)(int8_t)b8[2 + i % 32];
        uint8_t pair = b4[2 + i % 16];
        float x4 = step4 * (float)((i % 32 < 16 ? pair & 15 : pair >> 4) - 8);
        assert_true(fabsf(pyr_f32_from_f16(f16[i]) - truth[i]) <= fabsf(truth[i]) * 0x1p-11f);
        assert_true(fabsf(x8 - truth[i]) <= step8 * 0.51f + 0.001f * fabsf(truth[i]));
        /* the largest of the other sign is clipped by up to one step */
        assert_true(fabsf(x4 - truth[i]) <= fabsf(step4) * 1.01f);
    }
}

static void the_vocabulary_is_printable_and_reachable(void **state) {
    (void)state;
    static const size_t sizes[] = {PYR_VOCAB_MIN, 512, 32000, 128256, PYR_VOCAB_MAX};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        struct pyr_arena *arena = pyr_arena_create();
        struct pyr_vocab vocab;
        struct pyr_err err;
        assert_ok(err, pyr_vocab_make(arena, sizes[s], &vocab, &err));
        assert_int_equal(vocab.count, sizes[s]);
        assert_string_equal(vocab.pieces[PYR_VOCAB_FIRST_BYTE + 10], "<0x0A>");
        for (size_t i = PYR_VOCAB_FIRST_PIECE; i < vocab.count; i++) {
            const char *piece = vocab.pieces[i];
            if (strncmp(piece, "\xe2\x96\x81", 3) == 0)
                piece += 3;
            for (; *piece; piece++)
                assert_true(*piece > ' ' && *piece <= '~');
            assert_true(i == PYR_VOCAB_FIRST_PIECE || vocab.scores[i] < vocab.scores[i - 1]);
        }
        pyr_arena_destroy(arena);
    }
    struct pyr_err err;
    struct pyr_vocab vocab;
    assert_false(pyr_vocab_make(NULL, 100, &vocab, &err));
    assert_int_equal(err.code, PYR_E_USAGE);
}

struct place {
    char folder[256], path[300];
};

static int make_place(void **state) {
    struct place *place = calloc(1, sizeof *place);
    *state = place;
    if (!pyr_test_temp_dir(place->folder, sizeof place->folder))
        return -1;
    snprintf(place->path, sizeof place->path, "%s/model.gguf", place->folder);
    return 0;
}

static int remove_place(void **state) {
    struct place *place = *state;
    unlink(place->path);
    int left = rmdir(place->folder); /* fails when a temporary file was left behind */
    free(place);
    return left;
}

static struct pyr_synth_config tiny(uint32_t type, uint64_t seed, unsigned threads) {
    struct pyr_synth_config config = {.type = type, .seed = seed, .threads = threads};
    config.shape = *pyr_synth_shape_find("stories260k", NULL);
    return config;
}

static uint64_t synth_hash(const char *path, const struct pyr_synth_config *config) {
    struct pyr_buf buf = {0};
    struct pyr_err err;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    assert_ok(err, pyr_synth(path, config, NULL, &err));
    assert_ok(err, pyr_fs_read(NULL, path, SIZE_MAX, &buf, &err));
    for (size_t i = 0; i < buf.length; i++)
        hash = (hash ^ (unsigned char)buf.data[i]) * UINT64_C(0x100000001b3);
    pyr_buf_deinit(&buf);
    return hash;
}

static void a_seed_gives_the_same_bytes_on_any_number_of_threads(void **state) {
    const struct place *place = *state;
    static const uint32_t types[] = {PYR_TENSOR_F32, PYR_TENSOR_F16, PYR_TENSOR_Q8_0,
                                     PYR_TENSOR_Q4_0};
    for (size_t i = 0; i < 4; i++) {
        struct pyr_synth_config one = tiny(types[i], 7, 1), many = tiny(types[i], 7, 5);
        struct pyr_synth_config other = tiny(types[i], 8, 1);
        uint64_t hash = synth_hash(place->path, &one);
        assert_true(hash == synth_hash(place->path, &many));
        assert_true(hash != synth_hash(place->path, &other));
    }
}

static void the_files_read_as_what_they_are(void **state) {
    const struct place *place = *state;
    static const char *const shapes[] = {"stories260k", "15m"};
    static const uint64_t parameters[] = {UINT64_C(292800), UINT64_C(15191712)};
    for (int i = 0; i < 2; i++) {
        struct pyr_synth_config config = tiny(PYR_TENSOR_Q4_0, 1, 2);
        struct pyr_synth_result result;
        struct pyr_gguf_shape shape;
        struct pyr_gguf_file file;
        struct pyr_err err;
        config.shape = *pyr_synth_shape_find(shapes[i], NULL);
        assert_ok(err, pyr_synth(place->path, &config, &result, &err));
        assert_ok(err, pyr_gguf_open(place->path, &file, &err));
        assert_ok(err, pyr_gguf_check(&file.gguf, place->path, &shape, &err));
        assert_int_equal(shape.parameters, result.parameter_count);
        assert_int_equal(shape.parameters, parameters[i]);
        assert_int_equal(file.mapping_bytes, result.file_bytes);
        assert_int_equal(shape.layers, config.shape.layers);
        assert_int_equal(shape.vocabulary, config.shape.vocabulary);
        assert_true(shape.tied == config.shape.tied);
        assert_true(shape.synthetic);
        pyr_gguf_close(&file);
    }
}

/* Rows of special tokens: zero in an output matrix, half of a printable row where it is tied. */
static void special_tokens_cannot_win(void **state) {
    const struct place *place = *state;
    for (int tied = 0; tied < 2; tied++) {
        struct pyr_synth_config config = tiny(PYR_TENSOR_F32, 5, 2);
        struct pyr_gguf_file file;
        struct pyr_err err;
        config.shape.tied = tied;
        assert_ok(err, pyr_synth(place->path, &config, NULL, &err));
        assert_ok(err, pyr_gguf_open(place->path, &file, &err));
        const struct pyr_gguf_tensor *output =
            pyr_gguf_find_tensor(&file.gguf, tied ? "token_embd.weight" : "output.weight");
        const float *rows = (const float *)((const char *)file.mapping + output->offset);
        size_t dim = config.shape.dim, printable = config.shape.vocabulary - PYR_VOCAB_FIRST_PIECE;
        for (size_t row = 0; row < PYR_VOCAB_FIRST_PIECE; row++) {
            size_t donor = PYR_VOCAB_FIRST_PIECE + row % printable;
            for (size_t i = 0; i < dim; i++)
                assert_true(rows[row * dim + i] == (tied ? rows[donor * dim + i] / 2 : 0));
        }
        assert_true(rows[PYR_VOCAB_FIRST_PIECE * dim] != 0);
        pyr_gguf_close(&file);
    }
}

static bool stop_at_once(void *context, double share) {
    ++*(int *)context;
    assert_true(share > 0 && share <= 1);
    return false;
}

static void stopping_leaves_nothing_behind(void **state) {
    const struct place *place = *state;
    struct pyr_synth_config config = tiny(PYR_TENSOR_F32, 1, 1);
    struct pyr_err err;
    int calls = 0;
    config.progress = stop_at_once;
    config.progress_context = &calls;
    assert_false(pyr_synth(place->path, &config, NULL, &err));
    assert_int_equal(err.code, PYR_E_INTERRUPTED);
    assert_int_equal(calls, 1);
    assert_int_equal(access(place->path, F_OK), -1);
}

/* A limit on the size of files stands in for a full disk: the same path, without a disk to fill. */
static void a_file_that_does_not_fit_is_named_and_removed(void **state) {
    const struct place *place = *state;
    pid_t child = fork();
    if (child == 0) {
        struct pyr_synth_config config = tiny(PYR_TENSOR_F32, 1, 1);
        struct pyr_err err = {0};
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){100000, 100000});
        bool ok = pyr_synth(place->path, &config, NULL, &err);
        _exit(!ok && err.code == PYR_E_IO && strstr(err.text, place->path) ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void impossible_shapes_are_refused(void **state) {
    const struct place *place = *state;
    struct pyr_err err;
    struct pyr_synth_config config = tiny(PYR_TENSOR_F32, 1, 1);
    config.shape.heads = 7;
    assert_false(pyr_synth(place->path, &config, NULL, &err));
    assert_int_equal(err.code, PYR_E_USAGE);
    config = tiny(PYR_TENSOR_F32, 1, 1);
    config.shape.kv_heads = 3;
    assert_false(pyr_synth(place->path, &config, NULL, &err));
    config = tiny(PYR_TENSOR_F32, 1, 1);
    config.shape.layers = 0;
    assert_false(pyr_synth(place->path, &config, NULL, &err));
    config = tiny(PYR_TENSOR_F32, 1, 1);
    config.shape.vocabulary = 10;
    assert_false(pyr_synth(place->path, &config, NULL, &err));
    assert_null(pyr_synth_shape_find("tinyllama-1.1", &err));
    assert_non_null(strstr(err.text, "did you mean tinyllama-1.1b"));
    uint32_t type;
    assert_false(pyr_synth_type_find("q5", &type, &err));
    assert_true(pyr_synth_type_find("Q8_0", &type, &err) && type == PYR_TENSOR_Q8_0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(half_precision_survives_a_round_trip),
        cmocka_unit_test(weights_have_the_spread_asked_for),
        cmocka_unit_test(quantised_weights_are_near_the_true_ones),
        cmocka_unit_test(the_vocabulary_is_printable_and_reachable),
        cmocka_unit_test_setup_teardown(a_seed_gives_the_same_bytes_on_any_number_of_threads,
                                        make_place, remove_place),
        cmocka_unit_test_setup_teardown(the_files_read_as_what_they_are, make_place, remove_place),
        cmocka_unit_test_setup_teardown(special_tokens_cannot_win, make_place, remove_place),
        cmocka_unit_test_setup_teardown(stopping_leaves_nothing_behind, make_place, remove_place),
        cmocka_unit_test_setup_teardown(a_file_that_does_not_fit_is_named_and_removed, make_place,
                                        remove_place),
        cmocka_unit_test_setup_teardown(impossible_shapes_are_refused, make_place, remove_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
