/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "cli/typed.h"

static void a_command_is_kept_without_what_looks_like_a_secret(void **state) {
    (void)state;
    static const struct {
        const char *command, *kept;
    } cases[] = {
        {"serve --api-key sk-1 --port 1", "serve --api-key *** --port 1"},
        {"serve --api-key=abc --port 1", "serve --api-key=*** --port 1"},
        {"HF_TOKEN=abc serve", "HF_TOKEN=*** serve"},
        {"export MY_PASSWORD='abc'; serve", "export MY_PASSWORD='abc'; serve"},
        {"serve --max-tokens 5 --tokenizer x", "serve --max-tokens 5 --tokenizer x"},
        {"serve --key-file k --auth-mode none", "serve --key-file k --auth-mode none"},
        {"curl -H 'Authorization: Bearer abc'", "curl -H 'Authorization: Bearer ***'"},
        {"x hf_0123456789abcdef y", "x *** y"},
        {"x --name=sk-0123456789abcdef", "x --name=***"},
        {"", ""},
    };
    struct pyr_arena *arena = pyr_arena_create();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(pyr_without_secrets(arena, cases[i].command), cases[i].kept);
    pyr_arena_destroy(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_is_kept_without_what_looks_like_a_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
