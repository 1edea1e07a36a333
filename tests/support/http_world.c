/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "support/http_world.h"

#include "base/hash.h"
#include "calibrate/schedule_server.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

void http_world_begin(struct http_world *world) {
    *world = (struct http_world){.server = -1};
    assert_non_null(pyr_test_temp_dir(world->dir, sizeof world->dir));
    snprintf(world->run_path, sizeof world->run_path, "%s/run.pyr", world->dir);
    snprintf(world->log_path, sizeof world->log_path, "%s/log", world->dir);
}

void http_world_serve(struct http_world *world, const char *const *arguments) {
    int pipes[2];
    char *argv[24] = {(char *)"schedule-server"};
    int argc = 1;
    http_world_begin(world);
    for (; arguments && arguments[argc - 1]; argc++)
        argv[argc] = (char *)arguments[argc - 1];
    argv[argc++] = (char *)"--log";
    argv[argc++] = world->log_path;
    argv[argc++] = (char *)"--log-records";
    argv[argc++] = (char *)"10000";
    assert_int_equal(pipe(pipes), 0);
    world->server = fork();
    assert_true(world->server >= 0);
    if (world->server == 0) {
        dup2(pipes[1], 1);
        close(pipes[0]);
        close(pipes[1]);
        /* Without the parent's exit handlers: its leak check would report the parent's memory. */
        _exit(pyr_schedule_server_main(argc, argv));
    }
    close(pipes[1]);
    char line[300] = "";
    size_t length = 0;
    while (length < sizeof line - 1 && !strchr(line, '\n')) {
        ssize_t got = read(pipes[0], line + length, sizeof line - 1 - length);
        assert_true(got > 0);
        length += (size_t)got;
        line[length] = '\0';
    }
    close(pipes[0]);
    *strchr(line, '\n') = '\0';
    if (strncmp(line, "port ", 5) == 0)
        snprintf(world->url, sizeof world->url, "http://127.0.0.1:%s/v1", line + 5);
    else
        snprintf(world->url, sizeof world->url, "unix:%s:/v1", line + 5);
}

bool http_world_open(struct http_world *world, const char *spec, const char *const *options,
                     struct pyr_err *err) {
    static char keys[HTTP_OPTIONS][64];
    struct pyr_option list[HTTP_OPTIONS];
    size_t count = 0;
    for (; options && options[count]; count++) {
        const char *equals = strchr(options[count], '=');
        snprintf(keys[count], sizeof keys[count], "%.*s", (int)(equals - options[count]),
                 options[count]);
        list[count] = (struct pyr_option){keys[count], equals + 1};
    }
    struct pyr_target_config config = {.spec = spec,
                                       .options = list,
                                       .option_count = count,
                                       .timeout_ns = world->timeout_ns,
                                       .seed = 1};
    return pyr_target_open(&config, false, &world->target, err);
}

void http_world_attach(struct http_world *world, const char *spec, const char *const *options,
                       uint32_t max_in_flight) {
    struct pyr_err err;
    struct pyr_recorder_config recorder = {
        .path = world->run_path, .lanes = 1, .inline_writer = true, .meta_json = "{}"};
    unlink(world->run_path);
    assert_ok(err, pyr_recorder_open(&recorder, &world->clock, &world->recorder, &err));
    world->lane = pyr_recorder_lane(world->recorder, 0);
    assert_ok(err, http_world_open(world, spec ? spec : world->url, options, &err));
    struct pyr_attach attach = {
        .clock = &world->clock, .max_in_flight = max_in_flight, .lane = world->lane};
    assert_ok(err, world->target->ops->attach(world->target, &attach, &world->handle, &err));
    world->next_ordinal = 0;
}

struct pyr_slot *http_world_slot(struct http_world *world, size_t index, const char *plan) {
    struct pyr_slot *slot = &world->slots[index];
    char *prompt = world->prompts[index];
    snprintf(prompt, sizeof world->prompts[0], "plan:%s;number %u", plan, world->next_ordinal);
    *slot = (struct pyr_slot){
        .record = {.ordinal = world->next_ordinal++},
        .prompt = {.text = prompt,
                   .text_bytes = strlen(prompt),
                   .hash = pyr_fnv1a64(PYR_FNV1A64_INIT, prompt, strlen(prompt))},
        .output_tokens = 5,
        .cancel_after_ns = PYR_NEVER,
        .limits = {PYR_NEVER, PYR_NEVER, PYR_NEVER, PYR_NEVER},
    };
    slot->record.prompt_hash = slot->prompt.hash;
    return slot;
}

void http_world_submit(struct http_world *world, size_t index) {
    struct pyr_slot *slot = &world->slots[index];
    slot->record.scheduled_ns = slot->record.dispatched_ns = pyr_now_ns(&world->clock);
    world->open++;
    world->target->ops->submit(world->handle, slot);
}

void http_world_drain(struct http_world *world) {
    const struct pyr_target_ops *ops = world->target->ops;
    uint64_t end_ns = pyr_clock_real_ns() + 20 * PYR_NS_PER_S;
    while (world->open) {
        struct pyr_slot *done[8];
        size_t count = ops->poll(world->handle, done, 8);
        for (size_t i = 0; i < count; i++)
            pyr_lane_request(world->lane, &done[i]->record);
        world->open -= count;
        if (count)
            continue;
        uint64_t now_ns = pyr_clock_real_ns();
        if (now_ns > end_ns)
            fail_msg("%zu requests did not come back", world->open);
        struct pyr_wait wait = ops->wait_handle(world->handle);
        uint64_t until_ns =
            wait.next_ns < now_ns + PYR_NS_PER_S / 10 ? wait.next_ns : now_ns + PYR_NS_PER_S / 10;
        struct timespec timeout = {.tv_nsec = until_ns > now_ns ? (long)(until_ns - now_ns) : 0};
        struct pollfd pollfd = {.fd = wait.fd, .events = POLLIN};
        ppoll(&pollfd, 1, &timeout, NULL);
    }
}

void http_world_run(struct http_world *world, size_t count) {
    for (size_t i = 0; i < count; i++)
        http_world_submit(world, i);
    http_world_drain(world);
}

struct pyr_slot *http_world_one(struct http_world *world, const char *plan, uint32_t tokens) {
    struct pyr_slot *slot = http_world_slot(world, 0, plan);
    slot->output_tokens = tokens;
    http_world_run(world, 1);
    return slot;
}

void http_world_close(struct http_world *world) {
    struct pyr_err err;
    if (world->handle)
        world->target->ops->detach(world->handle);
    if (world->target)
        world->target->ops->close(world->target);
    world->handle = NULL;
    world->target = NULL;
    if (world->recorder)
        assert_ok(err, pyr_recorder_close(world->recorder, &err));
    world->recorder = NULL;
}

void http_world_end(struct http_world *world) {
    http_world_close(world);
    if (world->server > 0) {
        int status = 0;
        kill(world->server, SIGTERM);
        waitpid(world->server, &status, 0);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    unlink(world->run_path);
    unlink(world->log_path);
    rmdir(world->dir);
}
