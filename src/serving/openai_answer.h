/* SPDX-License-Identifier: MIT
 *
 * What an OpenAI-compatible server answers, as bytes. Pure.
 */
#ifndef PYR_SERVING_OPENAI_ANSWER_H
#define PYR_SERVING_OPENAI_ANSWER_H

#include "base/arena.h"
#include "base/buf.h"
#include "serving/openai_request.h"

/* The parts of one choice of an answer that do not change from token to token, made once. */
struct pyr_openai_frame {
    enum pyr_openai_api api;
    uint32_t index;    /* of the choice */
    const char *head;  /* "{"id":...,"model":NAME,": of each object of this answer */
    const char *open;  /* of an event: "data: " up to where the text stands */
    const char *close; /* and what follows it, with the event's end */
    size_t open_bytes, close_bytes;
};

struct pyr_openai_usage {
    uint32_t prompt_tokens, output_tokens;
};

/* `created` is in seconds of the Unix era. */
void pyr_openai_frame_init(struct pyr_openai_frame *frame, struct pyr_arena *arena,
                           enum pyr_openai_api api, bool stream, uint32_t index, uint64_t id,
                           uint64_t created, const char *model);

/* In what follows `chances` is the value of "logprobs", or NULL.
 *
 * Events of a stream. begin: the role (chat; nothing else has one). finish: why a choice ended
 * ("stop", "length"). end: with usage, an event of its own for it, then [DONE]. */
void pyr_openai_event_begin(const struct pyr_openai_frame *frame, struct pyr_buf *out);
void pyr_openai_event_text(const struct pyr_openai_frame *frame, const char *text, size_t bytes,
                           const struct pyr_buf *chances, struct pyr_buf *out);
void pyr_openai_event_finish(const struct pyr_openai_frame *frame, const char *reason,
                             struct pyr_buf *out);
void pyr_openai_event_end(const struct pyr_openai_frame *frame,
                          const struct pyr_openai_usage *usage, struct pyr_buf *out);
void pyr_openai_event_error(unsigned status, const char *message, struct pyr_buf *out);

/* A whole answer: begin, its choices in order, end. */
void pyr_openai_answer_begin(const struct pyr_openai_frame *frame, struct pyr_buf *out);
void pyr_openai_answer_choice(const struct pyr_openai_frame *frame, const char *text, size_t bytes,
                              const struct pyr_buf *chances, const char *reason,
                              struct pyr_buf *out);
void pyr_openai_answer_end(const struct pyr_openai_usage *usage, struct pyr_buf *out);
/* {"error":...}; param and code may be NULL. */
void pyr_openai_error(unsigned status, const char *message, const char *param, const char *code,
                      struct pyr_buf *out);
/* The object of the one model, as /v1/models/NAME gives it, and the list with it. */
void pyr_openai_model(const char *model, uint64_t created, uint32_t context, struct pyr_buf *out);
void pyr_openai_models(const char *model, uint64_t created, uint32_t context, struct pyr_buf *out);

#endif
