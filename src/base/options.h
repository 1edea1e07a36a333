/* SPDX-License-Identifier: MIT
 *
 * Options as rows: a table says for each its spellings, its kind, where in a struct its value goes,
 * its limits, its default and its help. Whatever deals with options is made from the rows: the
 * command line, --help and completion (cli), KEY=VALUE of engines and targets, configuration files
 * and the record of a run's settings (suite).
 *
 * A table belongs to whoever uses the struct. In that struct zero and NULL mean "not said"; an
 * option whose default is another says so in `standard`.
 */
#ifndef PYR_BASE_OPTIONS_H
#define PYR_BASE_OPTIONS_H

#include "base/arena.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* KEY=VALUE of an engine or a target. */
struct pyr_option {
    const char *key, *value;
};

enum pyr_option_kind {
    PYR_OPTION_FLAG,     /* bool; as a value on/off, true/false, yes/no, 1/0 */
    PYR_OPTION_TEXT,     /* const char *, the text itself */
    PYR_OPTION_WHOLE,    /* uint64_t from least to most */
    PYR_OPTION_REAL,     /* double from least to most */
    PYR_OPTION_FLOAT,    /* the same as a float */
    PYR_OPTION_SHARE,    /* double: 0 to 1, or 0% to 100% */
    PYR_OPTION_DURATION, /* uint64_t nanoseconds */
    PYR_OPTION_CHOICE,   /* int, the index of one of `choices` */
    PYR_OPTION_LIST,     /* const uint64_t *, each from least to most; size_t at count_offset */
    PYR_OPTION_PAIRS,    /* const struct pyr_option *; size_t at count_offset. "KEY=VALUE,...";
                            may be said several times */
    PYR_OPTION_OWN       /* what `read` makes of the text */
};

enum { PYR_OPTION_ALIASES_MAX = 3 };

struct pyr_option_row {
    /* On a command line. */
    const char *name;                            /* with its dashes; NULL: has none there */
    char letter;                                 /* "-m"; 0: none */
    const char *aliases[PYR_OPTION_ALIASES_MAX]; /* other spellings, NULL-filled */
    unsigned commands;                           /* bits of those that take it; 0: all that take the
                                                    table. Two rows may share a name when none takes both */
    const char *argument;                        /* as --help names it; NULL: takes none */
    const char *group;                           /* heading in --help */
    const char *help;                            /* a sentence without its stop */
    const char *(*word)(size_t index); /* for completion: the values, NULL after the last */
    /* As KEY=VALUE. */
    const char *key;   /* NULL: has none there */
    const char *value; /* that a spelling without an argument stands for: "off" */
    bool whole;        /* commas belong to the value: it is no list that is swept */
    /* The value. */
    enum pyr_option_kind kind;
    size_t offset, count_offset; /* of the fields in the table's struct */
    double least, most;          /* most 0: no bound */
    const char *const *choices;  /* CHOICE, or what completion offers; NULL-terminated */
    const char *standard;        /* the default, as one would type it; NULL: zero */
    /* OWN. Where the option has a key, what it says of a mistake names it: only it knows what of
     * the value may be repeated. */
    bool (*read)(const char *text, void *into, struct pyr_arena *arena, struct pyr_err *err);
    /* The record of settings (docs/formats/results.md, `config`). */
    const char *meta;  /* its name there, with the unit (_s); NULL: recorded otherwise or not */
    bool null_at_zero; /* 0 is "none", not a number */
};

/* The headings that commands share, in the order of --help. */
#define PYR_GROUP_TARGET "What is measured"
#define PYR_GROUP_SERVER "Servers (TARGET is a URL)"
#define PYR_GROUP_LOAD "Load"
#define PYR_GROUP_REQUESTS "Requests"
#define PYR_GROUP_JUDGING "Judging"
#define PYR_GROUP_HISTORY "History"
#define PYR_GROUP_OUTPUT "Output"

struct pyr_option_table {
    const char *what; /* begins the errors of KEY=VALUE: "sim" */
    const struct pyr_option_row *rows;
    size_t count;
};
#define PYR_OPTION_TABLE(what, rows)                                                               \
    { what, rows, sizeof(rows) / sizeof *(rows) }

/* The row of that key or spelling ("--rate", "-r"), or NULL. */
const struct pyr_option_row *pyr_option_by_key(const struct pyr_option_table *table,
                                               const char *key);
bool pyr_option_spells(const struct pyr_option_row *row, const char *word, size_t length);

/* Sets the field of `into` from text (NULL for a flag that was only named). Texts stay the
 * caller's; lists and pairs go into the arena, which PAIRS, LIST and OWN need. The error names the
 * value and what would do, not the option. */
bool pyr_option_set(const struct pyr_option_row *row, const char *text, void *into,
                    struct pyr_arena *arena, struct pyr_err *err);
/* One more at the end of a PAIRS row's list. */
void pyr_option_add_pair(const struct pyr_option_row *row, void *into, struct pyr_arena *arena,
                         struct pyr_option pair);
/* Sets every row that has a default of its own to it. */
void pyr_options_default(const struct pyr_option_table *table, void *into);

/* Fills fields of `into` from options; those that are not named keep their values. Errors begin
 * with the table's name, and an unknown key is answered with the nearest and all others. */
bool pyr_options_apply(const struct pyr_option_table *table, const struct pyr_option *options,
                       size_t count, void *into, struct pyr_arena *arena, struct pyr_err *err);
/* The same for "key=value,key=value", "" being none. TEXT cannot be set so. */
bool pyr_options_apply_text(const struct pyr_option_table *table, const char *text, void *into,
                            struct pyr_err *err);

#endif
