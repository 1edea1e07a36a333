/* SPDX-License-Identifier: MIT */
#include "target/service.h"

#include "base/mem.h"

#include <string.h>

struct pyr_service {
    struct pyr_serving *serving;
    struct pyr_channel *channel;
    struct pyr_clock clock;
    struct pyr_serving_request *requests; /* (channel->entry_count) */
    int engine_fd, load_fd;
};

bool pyr_service_create(const struct pyr_engine *engine, struct pyr_model *model,
                        const struct pyr_pieces *pieces, const struct pyr_serving_config *config,
                        struct pyr_channel *channel, int engine_fd, int load_fd,
                        struct pyr_service **service_out, struct pyr_err *err) {
    struct pyr_serving *serving;
    if (!pyr_serving_create(engine, model, pieces, config, &serving, err))
        return false;
    struct pyr_service *service = pyr_xcalloc(1, sizeof *service);
    service->serving = serving;
    service->channel = channel;
    service->clock = *config->clock;
    service->engine_fd = engine_fd;
    service->load_fd = load_fd;
    service->requests = pyr_xcalloc(channel->entry_count, sizeof *service->requests);
    *service_out = service;
    return true;
}

void pyr_service_destroy(struct pyr_service *service) {
    if (!service)
        return;
    pyr_serving_destroy(service->serving);
    pyr_free(service->requests);
    pyr_free(service);
}

const struct pyr_serving *pyr_service_serving(const struct pyr_service *service) {
    return service->serving;
}

static void start_request(struct pyr_service *service, uint32_t index, uint64_t now_ns) {
    struct pyr_channel_entry *entry = pyr_channel_entry(service->channel, index);
    struct pyr_serving_request *request = &service->requests[index];
    bool areas = service->channel->prompt_stride > 0;
    *request = (struct pyr_serving_request){
        .record = &entry->record,
        .prompt = areas ? pyr_channel_prompt(service->channel, index) : entry->prompt,
        .prompt_tokens = entry->prompt_tokens,
        .output_tokens = entry->output_tokens,
        .exact_output = entry->exact_output,
        .sampling = {.temperature = entry->temperature, .seed = entry->seed},
        .cancel_after_ns = entry->cancel_after_ns,
        .first_token_ns = entry->first_token_ns,
        .between_tokens_ns = entry->between_tokens_ns,
        .total_ns = entry->total_ns,
        .text_capacity = entry->text_capacity,
    };
    if (entry->text_capacity > 0)
        request->text = areas ? pyr_channel_text(service->channel, index) : entry->text;
    pyr_serving_submit(service->serving, request, now_ns);
}

static void take_commands(struct pyr_service *service, uint32_t pending, uint64_t now_ns) {
    for (; pending > 0; pending--) {
        struct pyr_channel_command command = pyr_channel_receive(service->channel);
        if (command.kind == PYR_COMMAND_SUBMIT)
            start_request(service, command.entry, now_ns);
        else
            pyr_serving_cancel(service->serving, &service->requests[command.entry],
                               (enum pyr_outcome)command.outcome, now_ns);
    }
}

static bool give_finished(struct pyr_service *service) {
    struct pyr_serving_request *request;
    bool any = false;
    while ((request = pyr_serving_take(service->serving))) {
        uint32_t index = (uint32_t)(request - service->requests);
        struct pyr_channel_entry *entry = pyr_channel_entry(service->channel, index);
        entry->text_bytes = request->text_bytes;
        memcpy(entry->error_text, request->error_text, sizeof entry->error_text);
        _Static_assert(sizeof entry->error_text == sizeof request->error_text, "copied whole");
        pyr_channel_give_done(service->channel, index);
        any = true;
    }
    if (any && service->load_fd >= 0)
        pyr_bell_ring(&service->channel->load_bell, service->load_fd);
    return any;
}

bool pyr_service_has_work(const struct pyr_service *service) {
    return pyr_channel_pending(service->channel) > 0 || pyr_serving_has_work(service->serving);
}

bool pyr_service_turn(struct pyr_service *service, uint64_t *done_ns) {
    /* The clock is read after what it is to stamp was sent, so that no request is admitted before
     * it was sent. */
    uint32_t pending = pyr_channel_pending(service->channel);
    uint64_t now_ns = pyr_now_ns(&service->clock);
    *done_ns = now_ns;
    take_commands(service, pending, now_ns);
    /* Refused and cancelled ones need not wait for the step. */
    bool any = give_finished(service) || pending > 0;
    if (pyr_serving_has_work(service->serving)) {
        pyr_serving_step(service->serving, now_ns, done_ns);
        give_finished(service);
        any = true;
    }
    return any;
}

void pyr_service_run(struct pyr_service *service) {
    struct pyr_channel *channel = service->channel;
    struct pyr_bell *bell = &channel->engine_bell;
    uint64_t done_ns;
    while (!atomic_load_explicit(&channel->stop, memory_order_acquire)) {
        if (pyr_service_turn(service, &done_ns))
            continue;
        pyr_bell_arm(bell);
        if (pyr_channel_pending(channel) == 0 &&
            !atomic_load_explicit(&channel->stop, memory_order_acquire))
            pyr_bell_sleep(service->engine_fd);
        pyr_bell_rest(bell, service->engine_fd);
    }
}
