/* SPDX-License-Identifier: MIT */
#include "cli/typed.h"

#include "base/buf.h"

#include <string.h>

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

const char *pyr_typed_again(const struct pyr_cli *cli) {
    struct pyr_buf buf = {0};
    pyr_buf_puts(&buf, "pyrometer");
    for (int i = 0; i < cli->argc; i++) {
        const char *word = without_password(cli->arena, cli->argv[i]);
        word = without_secret(cli->arena, i ? cli->argv[i - 1] : "", word);
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
