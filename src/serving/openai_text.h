/* SPDX-License-Identifier: MIT
 *
 * From tokens to text that may be sent: characters are never split, and nothing is given out that
 * could turn out to be the beginning of a stop string. Pure: no I/O, nothing allocated after init.
 */
#ifndef PYR_SERVING_OPENAI_TEXT_H
#define PYR_SERVING_OPENAI_TEXT_H

#include "base/arena.h"
#include "serving/openai_request.h"
#include "serving/pieces.h"

struct pyr_openai_text {
    const struct pyr_pieces *pieces;
    const struct pyr_openai_stop *stops;
    size_t stop_count;
    char *held; /* not yet given out, behind what was given out last */
    size_t held_bytes, given_bytes;
    bool stopped; /* a stop string came: there will be no more text */
};

/* `pieces` and `stops` outlive it. */
void pyr_openai_text_init(struct pyr_openai_text *text, struct pyr_arena *arena,
                          const struct pyr_pieces *pieces, const struct pyr_openai_stop *stops,
                          size_t stop_count);
/* Takes one token; *out is the text that can now be sent, valid until the next call. Returns its
 * bytes. */
size_t pyr_openai_text_token(struct pyr_openai_text *text, int32_t token, const char **out);
/* At the end: what was held back. */
size_t pyr_openai_text_rest(struct pyr_openai_text *text, const char **out);

#endif
