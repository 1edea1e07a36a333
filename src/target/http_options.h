/* SPDX-License-Identifier: MIT
 *
 * Target http, what is fixed before the first connection: endpoints, options, the constant parts
 * of each request, and what was found out about the server (http_probe.c).
 *
 * Its options are rows (base/options.h): each can be said as KEY=VALUE, and most have a spelling on
 * the command line. docs/http.md.
 */
#ifndef PYR_TARGET_HTTP_OPTIONS_H
#define PYR_TARGET_HTTP_OPTIONS_H

#include "base/buf.h"
#include "base/options.h"
#include "net/endpoint.h"
#include "target/launch.h"
#include "target/target.h"

enum { PYR_HTTP_ENDPOINTS_MAX = 16 };
/* What /tokenize wants: vLLM's and ours, llama-server's, vLLM's of a chat. */
enum pyr_tokenize_shape { PYR_TOKENIZE_PROMPT, PYR_TOKENIZE_CONTENT, PYR_TOKENIZE_MESSAGES };
/* How what a chat's template adds is counted: as a constant, by /tokenize of the chat, by /tokenize
 * within what /apply-template put around a text. */
enum pyr_framing { PYR_FRAMING_CONSTANT, PYR_FRAMING_MESSAGES, PYR_FRAMING_TEMPLATE };

enum pyr_http_api { PYR_HTTP_CHAT, PYR_HTTP_COMPLETIONS, PYR_HTTP_EMBEDDINGS };

/* Fields of a request that not every server takes. */
enum pyr_http_extra {
    PYR_HTTP_IGNORE_EOS,
    PYR_HTTP_MIN_TOKENS,
    PYR_HTTP_SEED,
    PYR_HTTP_STREAM_OPTIONS,
    PYR_HTTP_TEMPERATURE, /* what the user asks: left out only when he says so */
    PYR_HTTP_FIELDS
};
extern const char *const pyr_http_field_names[PYR_HTTP_FIELDS];
enum pyr_http_choice { PYR_HTTP_FIELD_FOUND, PYR_HTTP_FIELD_ON, PYR_HTTP_FIELD_OFF };

struct pyr_http_options {
    enum pyr_http_api api;
    bool stream, probe;
    char model[256]; /* "" until known */
    struct pyr_tls_options tls;
    uint64_t connections; /* 0: one a slot */
    uint64_t connect_timeout_ns, wait_ready_ns;
    bool wait_is_usual;         /* wait_ready_ns was not chosen by the user */
    float temperature;          /* that requests will ask for */
    uint64_t answer_timeout_ns; /* of a request before the start; 0: as long as is usual for it */
    const char *launch;         /* NULL: the server runs already */
    struct pyr_buf headers;     /* lines, each ended by CRLF; holds the key: never printed */
    char key_source[300];       /* where the key came from, for errors: "the file F"; "": no key */
    struct pyr_buf body;        /* ",\"key\":value..." */
    /* Found by the probe, or set. */
    char max_tokens_field[32];
    bool sends[PYR_HTTP_FIELDS];
    enum pyr_http_choice choice[PYR_HTTP_FIELDS];
    bool hangs_up; /* the server closes a connection that it said it would keep */
};

struct http_target {
    struct pyr_target base;
    struct pyr_http_options options;
    struct pyr_endpoint endpoints[PYR_HTTP_ENDPOINTS_MAX];
    char base_paths[PYR_HTTP_ENDPOINTS_MAX][300]; /* "/v1" */
    unsigned endpoint_count;
    char spec[1024];
    char software[128], owner[64]; /* "" unknown */
    char tokenize_path[64];        /* "" when the server has none */
    enum pyr_tokenize_shape tokenize_shape;
    bool weighs; /* no tokenizer, but counts the prompt of each request */
    enum pyr_framing framing;
    struct pyr_buf before_text, behind_text; /* PYR_FRAMING_TEMPLATE: in what a chat becomes */
    uint32_t framing_tokens;        /* PYR_FRAMING_CONSTANT: of a prompt, around its text */
    struct pyr_buf notes, cautions; /* see pyr_target_info */
    bool http2;                     /* the first endpoint chose it */
    uint64_t ready_ns;              /* until a request was answered; with launch from its start */
    uint64_t wait_start_ns;         /* of that, on the real clock */
    /* The server's list when it lacks the user's model, else "". */
    char unlisted[PYR_HTTP_ENDPOINTS_MAX][400];
    struct pyr_launch launched;
    /* Constant parts of a request. */
    char *heads[PYR_HTTP_ENDPOINTS_MAX]; /* up to "Content-Length: " */
    char *body_open, *body_close;
};

extern const struct pyr_option_table pyr_http_option_table;

bool pyr_http_options_read(const struct pyr_target_config *config, struct pyr_http_options *options,
                           struct pyr_err *err);
void pyr_http_options_free(struct pyr_http_options *options);

/* Waits for the endpoints, asks what they are and what they understand, and fills in what is not
 * set (http_dialect.c). */
bool pyr_http_probe(struct http_target *target, struct pyr_err *err);
/* The server's own count, or -1. */
int64_t pyr_http_count_tokens(struct http_target *target, const char *text, size_t bytes);

/* The path of the API below an endpoint's base: "/chat/completions". */
const char *pyr_http_api_path(enum pyr_http_api api);

/* One request as bytes, made piece by piece: nothing is allocated whatever its length. */
struct pyr_http_part {
    const char *bytes;
    size_t count;
    bool escape; /* goes into a JSON string */
};
struct pyr_http_writer {
    struct pyr_http_part parts[7];
    unsigned part;
    size_t offset;
    char length_text[32], fields[320];
};

/* Makes the constant parts; call again when the options have changed. */
void pyr_http_writer_prepare(struct http_target *target);
void pyr_http_writer_release(struct http_target *target);
void pyr_http_writer_init(struct pyr_http_writer *writer, const struct http_target *target,
                          unsigned endpoint, const struct pyr_slot *slot);
/* The next bytes, at most `capacity` (at least 64); 0 at the end. */
size_t pyr_http_writer_fill(struct pyr_http_writer *writer, char *out, size_t capacity);
bool pyr_http_writer_is_done(const struct pyr_http_writer *writer);

#endif
