/* SPDX-License-Identifier: MIT
 *
 * The known-schedule server in a child process, the target http attached to it, and requests sent
 * by hand.
 */
#ifndef PYR_TESTS_HTTP_WORLD_H
#define PYR_TESTS_HTTP_WORLD_H

#include "record/recorder.h"
#include "record/runfile.h"
#include "target/target.h"

#include <sys/types.h>

enum { HTTP_SLOTS = 64, HTTP_OPTIONS = 16 };

struct http_world {
    pid_t server;
    char url[400]; /* "http://127.0.0.1:PORT/v1" */
    char dir[200], run_path[300], log_path[300];
    struct pyr_clock clock;
    struct pyr_recorder *recorder;
    struct pyr_lane *lane;
    struct pyr_target *target;
    struct pyr_target_handle *handle;
    struct pyr_slot slots[HTTP_SLOTS];
    char prompts[HTTP_SLOTS][256];
    uint32_t next_ordinal;
    size_t open;
    uint64_t timeout_ns; /* of the target; 0: none */
};

/* A world without a server of its own. */
void http_world_begin(struct http_world *world);
/* Starts the server with its arguments (NULL-terminated, without the first). */
void http_world_serve(struct http_world *world, const char *const *arguments);
/* "key=value" options, NULL-terminated or NULL. Fails the test when the target does not open. */
void http_world_attach(struct http_world *world, const char *spec, const char *const *options,
                       uint32_t max_in_flight);
bool http_world_open(struct http_world *world, const char *spec, const char *const *options,
                     struct pyr_err *err);
/* Makes slot `index` ready for a prompt of "plan:PLAN;" and a number of its own. */
struct pyr_slot *http_world_slot(struct http_world *world, size_t index, const char *plan);
/* Submits, polls until all that was submitted came back; fails the test after 20 s. */
void http_world_run(struct http_world *world, size_t count);
void http_world_submit(struct http_world *world, size_t index);
void http_world_drain(struct http_world *world);
/* One request with a plan; its slot, done. */
struct pyr_slot *http_world_one(struct http_world *world, const char *plan, uint32_t tokens);
/* Detaches, closes, ends the recorder; the run file stays until http_world_end. */
void http_world_close(struct http_world *world);
void http_world_end(struct http_world *world);

#endif
