/* SPDX-License-Identifier: MIT
 *
 * The port that load drives, at request level: a thing that takes requests and answers them with
 * tokens. Targets: local (a model behind serving, in this process), worker (the same in a child
 * process), http (any OpenAI-compatible server) and null (answers at once). To add one: one file,
 * one row in target/targets.c and the conformance suite green (tests/target/conformance_test.c).
 *
 * Division of work. Load decides when a request goes out, owns its slot and writes the finished
 * record. The target stamps what only it can see, into the slot, by the clock that it was lent, and
 * records content chunks straight into the lane that it was lent, on the thread that saw them.
 * Waiting, pacing and spinning exist only in load: poll never blocks. (A target may lend its own
 * way to sleep, which is as load's.)
 *
 * Threads: open, describe, close on one thread; each attached handle is used by one thread.
 */
#ifndef PYR_TARGET_TARGET_H
#define PYR_TARGET_TARGET_H

#include "base/clock.h"
#include "base/err.h"
#include "base/options.h"
#include "record/recorder.h"
#include "record/run.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct pyr_target; /* each kind's own; its first member is `const struct pyr_target_ops *ops` */
struct pyr_target_handle; /* likewise */

/* What is to be sent. Everything it points to outlives the request. */
struct pyr_prompt {
    const char *text; /* UTF-8; for http what is sent, for others tokenised beforehand */
    size_t text_bytes;
    const int32_t *tokens;     /* (token_count) for in-process targets; NULL: text only */
    uint32_t token_count;      /* 0 when unknown */
    const char *messages_json; /* http chat: a JSON array of messages, or NULL: one user message */
    uint64_t hash;             /* FNV-1a 64 of the text (or of the tokens where there is no text) */
};

struct pyr_limits { /* nanoseconds; PYR_NEVER: none */
    uint64_t connect_ns, first_token_ns, between_tokens_ns, total_ns;
};

/* A request in the hands of a target, from submit until poll gives it back. Owned by load; the
 * target writes `record`'s stamps (sent to closed), counts, kinds, outcome, flags (SHORT, where it
 * knows how many tokens came) and text_hash and nothing else, and may use `target_data` for itself.
 */
struct pyr_slot {
    struct pyr_request record; /* ordinal, case, scheduled and dispatched are load's */
    struct pyr_prompt prompt;
    uint32_t output_tokens; /* asked for, at least 1 */
    bool exact_output;      /* do not stop at an end token */
    bool capture_text;      /* keep the output in `text` (the `run` command) */
    float temperature;      /* 0: greedy */
    uint64_t seed;          /* of the sampler */
    /* The target itself ends a request at these (CANCELLED, a timeout); an in-process target looks
     * at them between two steps of its engine. */
    uint64_t cancel_after_ns; /* after sent; PYR_NEVER: not cancelled */
    struct pyr_limits limits; /* counted from sent (between_tokens: from the last token) */
    const char *error_text;   /* a sentence for a failed request, valid until the next submit */
    const char *caution_text; /* likewise of an ok one of which not all is right, or NULL */
    uint64_t retry_after_ns;  /* a rejected request: the pause that the target asks for; 0: none */
    char *text;               /* with capture_text: (text_bytes), owned by the target until reset */
    size_t text_bytes;
    void *target_data;
    void *load_data;
};

struct pyr_target_config {
    const char *spec;                 /* the TARGET as the user wrote it */
    const char *model;                /* http: the model's name; others NULL */
    const struct pyr_option *options; /* what only one kind knows; unknown keys fail */
    size_t option_count;
    uint32_t threads;             /* compute threads of in-process engines */
    uint32_t sequences;           /* in-process: sequences decoded together; 0: as the load needs */
    uint32_t tokens_per_sequence; /* in-process: longest prompt + output that will be asked */
    uint32_t queue_limit; /* in-process: waiting requests; 0: unbounded up to max_in_flight */
    /* Of a request, and of its connection; also before the start. 0: none was set. */
    uint64_t timeout_ns, timeout_connect_ns;
    uint64_t patience_ns; /* worker: gives no sign for so long when asked, and is ended; 0: 25 s */
    uint64_t seed;
    bool attempt; /* a model's file is tried in a process of its own first (pyr_target_attempt) */
    float temperature;        /* that requests will ask for: the first one asks the same */
    uint64_t *virtual_now_ns; /* the clock that a virtual-time driver moves; NULL: real time */
};

struct pyr_target_info {
    char kind[32];    /* "local", "worker", "http", "null" */
    char name[256];   /* the model's or server's own name */
    char engine[256]; /* engine and version, server software */
    char description[256];
    char notes[1024];    /* how it is measured: sentences, newline-separated; "" for none */
    char cautions[1024]; /* what a reader must know to trust the numbers; the same form */
    bool simulated;      /* results are labelled so */
    bool virtual_time;   /* driven in virtual time: only with config.virtual_now_ns */
    bool counts_tokens;  /* count_tokens works */
    bool weighs_prompts; /* count_tokens works too, at the price of a request: for a few texts */
    bool tokenises;      /* prompts are wanted as tokens (tokenize works) */
    bool streams;
    bool http2;                   /* spoken by the server */
    uint32_t max_handles;         /* attached at the same time; 0: any number */
    uint32_t sequences;           /* decoded together; 0 unknown, or known only after attach */
    uint32_t tokens_per_sequence; /* 0 unknown */
    uint32_t vocabulary_size;     /* 0 unknown */
    uint64_t parameter_count, weight_bytes, bytes_per_token, kv_bytes; /* 0 unknown */
    uint32_t threads;
    pid_t pid;         /* whose process tree is sampled; 0: none of ours */
    uint64_t load_ns;  /* how long open took to load the model; 0 unknown */
    uint64_t spawn_ns; /* worker, launched server: process start until it answers; 0 unknown */
};

struct pyr_attach {
    const struct pyr_clock *clock;
    uint32_t max_in_flight; /* never more than this many slots submitted and not given back */
    /* As many as are likely: a target with connections makes these before the start and the rest
     * when they are needed. 0: all. */
    uint32_t likely_in_flight;
    struct pyr_lane *lane; /* of the thread that attaches, for targets that stamp there */
    /* For a target that stamps, and records its engine's steps, on a thread of its own, or NULL. */
    struct pyr_lane *engine_lane;
};

/* How to wait until poll has something: when `fd` >= 0 becomes readable, or at next_ns, whichever
 * comes first. A next_ns that has passed means: poll now. Asked anew before each wait. */
struct pyr_wait {
    int fd;           /* level-triggered; -1: none */
    uint64_t next_ns; /* the next instant at which something happens; PYR_NEVER */
};

struct pyr_target_ops {
    const char *name;
    const char *summary;

    bool (*open)(const struct pyr_target_config *config, struct pyr_target **target,
                 struct pyr_err *err);
    void (*describe)(struct pyr_target *target, struct pyr_target_info *info);
    /* Tokens of a text, or -1 when the target cannot tell. */
    int64_t (*count_tokens)(struct pyr_target *target, const char *text, size_t bytes);
    /* As pyr_engine.tokenize; NULL where info.tokenises is false. */
    int (*tokenize)(struct pyr_target *target, const char *text, size_t bytes, bool special,
                    int32_t *tokens, int capacity);
    /* As pyr_engine.piece; NULL likewise. */
    int (*piece)(struct pyr_target *target, int32_t token, char *bytes, int capacity);

    /* Takes what the measured path needs; nothing is allocated between attach and detach's first
     * call of reset or detach. */
    bool (*attach)(struct pyr_target *target, const struct pyr_attach *attach,
                   struct pyr_target_handle **handle, struct pyr_err *err);
    void (*detach)(struct pyr_target_handle *handle); /* no slot may be in its hands */

    /* Takes the slot. Never fails: what cannot be sent comes back from poll with its outcome. The
     * far side may be woken only by the next poll or wait_handle, so that slots submitted together
     * cost one wake-up: one of them is always called before waiting or pacing. */
    void (*submit)(struct pyr_target_handle *handle, struct pyr_slot *slot);
    /* Does what can be done without waiting; returns at most `capacity` finished slots. In virtual
     * time a poll that gives slots back starts nothing, so that load can answer at the same
     * instant: poll again until it returns 0, then move the clock to wait_handle's next_ns. */
    size_t (*poll)(struct pyr_target_handle *handle, struct pyr_slot **done, size_t capacity);
    struct pyr_wait (*wait_handle)(struct pyr_target_handle *handle);
    /* Waits as load would on wait_handle's descriptor, at most until then; what became ready is
     * handled by the next poll. For a target that saves system calls by it; NULL: load waits. */
    void (*sleep_until)(struct pyr_target_handle *handle, uint64_t now_ns, uint64_t until_ns);
    /* Asks that the slot end soon; it still comes back from poll, as `outcome` (CANCELLED,
     * UNFINISHED, a timeout) unless it finished before. */
    void (*cancel)(struct pyr_target_handle *handle, struct pyr_slot *slot,
                   enum pyr_outcome outcome);
    /* Between cases, nothing in flight: forget caches, give back captured text. */
    bool (*reset)(struct pyr_target_handle *handle, struct pyr_err *err);
    void (*close)(struct pyr_target *target);
};

/* Every kind's struct begins so. */
struct pyr_target {
    const struct pyr_target_ops *ops;
};
struct pyr_target_handle {
    const struct pyr_target_ops *ops;
};

/* The one table (target/targets.c), NULL-terminated. */
extern const struct pyr_target_ops *const pyr_targets[];
/* Chooses the kind by the spec: "http://", "https://", "unix:" -> http; "null:direct" -> null;
 * files, folders, "sim:", "null:" -> local, or worker with `isolate`. */
bool pyr_target_open(const struct pyr_target_config *config, bool isolate,
                     struct pyr_target **target, struct pyr_err *err);

/* Loads a model's file and has the engine make a few steps in a process that may end by it: an
 * engine aborts on what it does not expect of a file, and with it whoever loaded it. Fails with the
 * process's last words. True at once for what is no file. The program must be its own worker
 * (target/worker_main.h); starts a process, from any thread. */
bool pyr_target_attempt(const struct pyr_target_config *config, struct pyr_err *err);

#endif
