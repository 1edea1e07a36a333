/* SPDX-License-Identifier: MIT */
#include "cli/typed.h"

#include "cli/options.h"

#include "base/buf.h"

#include <string.h>
#include <strings.h>

/* Where the password of "scheme://user:password@host" lies in a word; 0 bytes: there is none. */
static size_t find_password(const char *word, const char **password) {
    const char *authority = strstr(word, "://");
    if (!authority)
        return 0;
    authority += 3;
    size_t length = strcspn(authority, "/?#");
    const char *at = memrchr(authority, '@', length);
    const char *colon = at ? memchr(authority, ':', (size_t)(at - authority)) : NULL;
    *password = colon ? colon + 1 : NULL;
    return colon ? (size_t)(at - colon - 1) : 0;
}

static const char *without_password(struct pyr_arena *arena, const char *word) {
    const char *password;
    size_t length = find_password(word, &password);
    return length == 0 ? word
                       : pyr_arena_printf(arena, "%.*s***%s", (int)(password - word), word,
                                          password + length);
}

/* The value of a header given on the command line: "--header 'NAME: VALUE'", "--header=...", or as
 * a KEY=VALUE of the target. Its name stays, and @FILE. */
static const char *without_secret(struct pyr_arena *arena, const char *before, const char *word) {
    const char *header = strcmp(before, "--header") == 0 ? word : strstr(word, "header=");
    if (!header)
        return word;
    const char *name = header == word ? word : header + strlen("header=");
    const char *colon = strchr(name, ':');
    if (*name == '@' || !colon)
        return word;
    return pyr_arena_printf(arena, "%.*s: ***", (int)(colon - word), word);
}

/* Whether a name ends in a word that names a secret: "HF_TOKEN", "--api-key", not "--max-tokens".
 */
static bool names_secret(const char *name, size_t length) {
    static const char *const words[] = {"key",    "apikey", "token", "secret",     "password",
                                        "passwd", "pass",   "auth",  "credential", "credentials"};
    size_t from = length;
    while (from > 0 && name[from - 1] != '_' && name[from - 1] != '-')
        from--;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i]) == length - from &&
            strncasecmp(words[i], name + from, length - from) == 0)
            return true;
    return false;
}

static bool is_known_key(const char *word, size_t length) {
    static const char *const begins[] = {"sk-",    "hf_",   "ghp_", "gho_", "github_pat_",
                                         "glpat-", "xoxb-", "AKIA", "eyJ"};
    for (size_t i = 0; length >= 16 && i < sizeof begins / sizeof *begins; i++)
        if (strncmp(word, begins[i], strlen(begins[i])) == 0)
            return true;
    return false;
}

/* Bytes at the end of the word that are the secret; 0: none. `next`: the word behind it is. */
static size_t secret_part(const char *word, size_t length, bool *next) {
    const char *equals = memchr(word, '=', length);
    size_t name = equals ? (size_t)(equals - word) : length;
    bool secret = names_secret(word, name);
    *next =
        (!equals && secret && *word == '-') || (length == 6 && strncasecmp(word, "bearer", 6) == 0);
    if (equals && secret)
        return length - name - 1;
    if (equals && is_known_key(equals + 1, length - name - 1))
        return length - name - 1;
    return is_known_key(word, length) ? length : 0;
}

const char *pyr_without_secrets(struct pyr_arena *arena, const char *command) {
    static const char gaps[] = " \t\n;|&()'\"";
    struct pyr_buf out = {0};
    bool next = false, any = false;
    for (const char *at = command; *at;) {
        size_t gap = strspn(at, gaps), length = strcspn(at + gap, gaps);
        const char *word = at + gap;
        bool behind = next && length > 0;
        size_t hidden = length == 0 ? 0 : secret_part(word, length, &next);
        hidden = behind ? length : hidden;
        pyr_buf_append(&out, at, gap + length - hidden);
        pyr_buf_puts(&out, hidden ? "***" : "");
        any = any || hidden;
        at = word + length;
    }
    const char *text = any ? pyr_arena_strdup(arena, pyr_buf_text(&out)) : command;
    pyr_buf_deinit(&out);
    return text;
}

static const char *line_of(const struct pyr_cli *cli, char *const *words, size_t count) {
    struct pyr_buf buf = {0};
    pyr_buf_puts(&buf, "pyrometer");
    for (size_t i = 0; i < count; i++) {
        const char *word = without_password(cli->arena, words[i]);
        word = without_secret(cli->arena, i ? words[i - 1] : "", word);
        if (strchr(word, ' ')) /* a command of the shell */
            word = pyr_without_secrets(cli->arena, word);
        pyr_buf_putc(&buf, ' ');
        if (*word && word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                       "0123456789_-+=:,./@%")] == '\0') {
            pyr_buf_puts(&buf, word);
            continue;
        }
        pyr_buf_putc(&buf, '\'');
        for (; *word; word++) {
            if (*word == '\'')
                pyr_buf_puts(&buf, "'\\''");
            else
                pyr_buf_putc(&buf, *word);
        }
        pyr_buf_putc(&buf, '\'');
    }
    const char *line = pyr_arena_strdup(cli->arena, pyr_buf_text(&buf));
    pyr_buf_deinit(&buf);
    return line;
}

const char *pyr_typed_again(const struct pyr_cli *cli) {
    return line_of(cli, cli->argv, (size_t)cli->argc);
}

const char *pyr_typed_to_repeat(const struct pyr_cli *cli) {
    static const char *const own[] = {"--output", "--group"};
    size_t count;
    char **words = pyr_args_without(cli->arena, cli->command, cli->argc, cli->argv, own,
                                    sizeof own / sizeof *own, &count);
    return line_of(cli, words, count);
}
