/* SPDX-License-Identifier: MIT */
#include "load/driver.h"

#include "base/mem.h"
#include "load/due.h"
#include "load/pace.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define TICK_NS (100 * PYR_NS_PER_MS)
/* A turn of ours that comes so much later than asked means that the process did not run (stopped,
 * swapped, the machine paused): an ordinary wait for a core is a few milliseconds at most. */
#define FREEZE_NS (20 * PYR_NS_PER_MS)
#define FAILURE_PAUSE_NS (10 * PYR_NS_PER_MS)
#define CURVE_STEP_NS (10 * PYR_NS_PER_MS)
/* How long a target may take to give back what it was told to end. An engine looks between two of
 * its steps, the longest of which (a big prompt on a slow machine) take seconds. */
#define CANCEL_GRACE_NS (30 * PYR_NS_PER_S)

enum { POLL_CAPACITY = 64 };

const char *const pyr_phase_names[PYR_PHASE_COUNT] = {"warmup", "measured", "drain"};

struct pyr_load {
    struct pyr_load_config config;
    struct pyr_clock clock;
    const struct pyr_target_ops *ops;
    struct pyr_target_handle *handle;
    struct pyr_slot *slots; /* (max_in_flight); the mapping holds the arrays below too */
    size_t mapped_bytes;
    struct pyr_due *due_items;
    uint32_t *free; /* stack of slots without a request and without a user */
    bool *busy;
    struct pyr_hist *ttft_ns, *latency_ns;
    bool broken; /* the target kept a slot */
    struct pyr_pace pace;

    /* Of the run. */
    const struct pyr_load_plan *plan;
    struct pyr_workload *workload;
    struct pyr_load_result *result;
    struct pyr_load_live live;
    struct pyr_rng think_rng, cancel_rng;
    uint32_t free_count;
    uint64_t measured_start_ns, end_ns; /* PYR_NEVER: not known yet */
    enum pyr_load_end end_reason;
    uint64_t drain_end_ns, grace_end_ns;
    uint64_t measured_sent, measured_in_flight, last_closed_ns;
    uint64_t next_tick_ns, expected_ns;
    bool closing; /* nothing more goes out */
    bool cautioned;
    char short_text[80];
    /* Closed loop. */
    struct pyr_due_heap due;
    uint32_t users, users_asked;
    uint64_t next_curve_ns;
    bool spread;     /* see enum pyr_load_start */
    bool first_wave; /* its phase is open */
    /* Open loop. */
    struct pyr_arrivals arrivals;
    uint64_t next_arrival_ns;  /* PYR_NEVER: no more */
    uint64_t starved_until_ns; /* when the last shortage of slots ended */
    size_t curve_points_marked;
};

/* --- open and close --------------------------------------------------------------------------- */

bool pyr_load_open(const struct pyr_load_config *config, struct pyr_load **out,
                   struct pyr_err *err) {
    assert(config->max_in_flight >= 1);
    struct pyr_load *load = pyr_xcalloc(1, sizeof *load);
    size_t count = config->max_in_flight;
    load->config = *config;
    load->clock.virtual_now_ns = config->virtual_now_ns;
    load->ops = config->target->ops;
    load->ttft_ns = pyr_hist_create();
    load->latency_ns = pyr_hist_create();
    load->mapped_bytes = count * (sizeof *load->slots + sizeof *load->due_items +
                                  sizeof *load->free + sizeof *load->busy);
    load->slots = pyr_map_bytes(load->mapped_bytes, "request slots", err);
    if (!load->slots) {
        pyr_load_close(load);
        return false;
    }
    load->due_items = (struct pyr_due *)(load->slots + count);
    load->free = (uint32_t *)(load->due_items + count);
    load->busy = (bool *)(load->free + count);
    const struct pyr_attach attach = {
        .clock = &load->clock,
        .max_in_flight = config->max_in_flight,
        .likely_in_flight = config->likely_in_flight,
        .lane = config->lane,
        .engine_lane = config->engine_lane,
    };
    if (!load->ops->attach(config->target, &attach, &load->handle, err)) {
        load->handle = NULL;
        pyr_load_close(load);
        return false;
    }
    *out = load;
    return true;
}

void pyr_load_close(struct pyr_load *load) {
    if (!load || load->broken)
        return;
    if (load->handle)
        load->ops->detach(load->handle);
    pyr_hist_destroy(load->ttft_ns);
    pyr_hist_destroy(load->latency_ns);
    pyr_unmap_bytes(load->slots, load->mapped_bytes);
    pyr_free(load);
}

/* --- phases ----------------------------------------------------------------------------------- */

static void mark(struct pyr_load *load, enum pyr_mark_kind kind, uint64_t time_ns, double value,
                 const char *text) {
    pyr_lane_mark_at(load->config.lane, kind, load->plan->case_index, time_ns, value, text);
}

static void enter_phase(struct pyr_load *load, uint32_t phase, uint64_t at_ns) {
    if (load->live.phase != PYR_PHASE_COUNT)
        mark(load, PYR_MARK_PHASE_END, at_ns, load->live.phase, pyr_phase_names[load->live.phase]);
    load->live.phase = phase;
    if (phase != PYR_PHASE_COUNT)
        mark(load, PYR_MARK_PHASE_START, at_ns, phase, pyr_phase_names[phase]);
}

static uint64_t earlier(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static uint64_t later(uint64_t instant_ns, uint64_t by_ns) {
    return instant_ns > PYR_NEVER - by_ns ? PYR_NEVER : instant_ns + by_ns;
}

/* The measured phase ends there at the latest. */
static void end_at(struct pyr_load *load, uint64_t at_ns, enum pyr_load_end reason) {
    if (at_ns >= load->end_ns)
        return;
    load->end_ns = at_ns;
    load->end_reason = reason;
}

static void begin_measured(struct pyr_load *load, uint64_t at_ns) {
    load->measured_start_ns = at_ns;
    load->live.measured_start_ns = load->result->measured_start_ns = at_ns;
    if (load->plan->duration_ns)
        end_at(load, later(at_ns, load->plan->duration_ns), PYR_LOAD_ENDED_TIME);
    enter_phase(load, PYR_PHASE_MEASURED, at_ns);
}

static void end_first_wave(struct pyr_load *load, uint64_t at_ns) {
    load->first_wave = false;
    mark(load, PYR_MARK_PHASE_END, at_ns, PYR_PHASE_FIRST_WAVE, PYR_FIRST_WAVE);
}

static void begin_drain(struct pyr_load *load, uint64_t at_ns, enum pyr_load_end reason) {
    if (load->live.phase == PYR_PHASE_DRAIN)
        return;
    if (load->live.phase == PYR_PHASE_MEASURED)
        load->result->measured_end_ns = at_ns;
    load->result->end = reason;
    load->end_ns = at_ns;
    load->drain_end_ns = later(at_ns, load->plan->drain_ns);
    enter_phase(load, PYR_PHASE_DRAIN, at_ns);
}

/* Tells the target to end all it has. */
static void cancel_all(struct pyr_load *load, uint64_t now_ns, enum pyr_outcome outcome) {
    if (load->closing)
        return;
    load->closing = true;
    load->next_arrival_ns = PYR_NEVER;
    load->grace_end_ns = later(now_ns, CANCEL_GRACE_NS);
    for (uint32_t i = 0; i < load->config.max_in_flight; i++)
        if (load->busy[i])
            load->ops->cancel(load->handle, &load->slots[i], outcome);
}

static uint32_t open_phase(const struct pyr_load *load, uint64_t scheduled_ns) {
    return scheduled_ns >= load->measured_start_ns ? PYR_PHASE_MEASURED : PYR_PHASE_WARMUP;
}

/* Goes on to the next arrival after one that was sent, or counted as unsent. */
static void next_arrival(struct pyr_load *load) {
    load->measured_sent += load->next_arrival_ns >= load->measured_start_ns;
    bool enough = load->plan->requests && load->measured_sent >= load->plan->requests;
    load->next_arrival_ns =
        enough ? PYR_NEVER : later(load->live.started_ns, pyr_arrivals_next(&load->arrivals));
}

/* Requests that were due in time and never went out: data like any other. */
static void record_unsent(struct pyr_load *load, uint64_t now_ns) {
    for (; load->next_arrival_ns < load->end_ns; next_arrival(load)) {
        struct pyr_slot slot = {.record = {
                                    .ordinal = load->plan->first_ordinal + load->result->records++,
                                    .case_index = load->plan->case_index,
                                    .phase = open_phase(load, load->next_arrival_ns),
                                    .worker = load->config.worker,
                                    .outcome = PYR_OUTCOME_UNFINISHED,
                                    .flags = load->free_count ? 0 : PYR_REQUEST_WAITED,
                                    .scheduled_ns = load->next_arrival_ns,
                                    .closed_ns = now_ns,
                                }};
        pyr_workload_next(load->workload, load->config.max_in_flight, &slot);
        pyr_lane_request(load->config.lane, &slot.record);
        load->result->unsent++;
        load->result->waited += load->free_count == 0;
        load->live.ended++;
        load->live.outcomes[PYR_OUTCOME_UNFINISHED]++;
    }
}

/* Ends the run early and at once. */
static void interrupt(struct pyr_load *load, uint64_t now_ns, enum pyr_load_end reason) {
    begin_drain(load, now_ns, reason);
    load->result->end = reason;
    cancel_all(load, now_ns, PYR_OUTCOME_CANCELLED);
}

static void advance_phase(struct pyr_load *load, uint64_t now_ns) {
    const struct pyr_load_plan *plan = load->plan;
    if (plan->open_loop && load->live.phase == PYR_PHASE_WARMUP &&
        now_ns >= load->measured_start_ns)
        begin_measured(load, load->measured_start_ns);
    if (load->live.phase != PYR_PHASE_DRAIN) {
        bool done = !plan->open_loop && !load->spread && plan->requests &&
                    load->measured_sent >= plan->requests && load->measured_in_flight == 0;
        if (done) /* phases are half open: one nanosecond on, the last request lies inside */
            begin_drain(load, earlier(load->last_closed_ns + 1, load->end_ns),
                        PYR_LOAD_ENDED_REQUESTS);
        else if (now_ns >= load->end_ns)
            begin_drain(load, load->end_ns, load->end_reason);
        else if (plan->enough && *plan->enough && load->live.phase == PYR_PHASE_MEASURED)
            begin_drain(load, now_ns, PYR_LOAD_ENDED_ENOUGH);
    }
    if (load->live.phase == PYR_PHASE_DRAIN && now_ns >= load->drain_end_ns && !load->closing) {
        record_unsent(load, now_ns);
        cancel_all(load, now_ns, PYR_OUTCOME_UNFINISHED);
    } else if (load->live.phase == PYR_PHASE_DRAIN && load->spread &&
               load->measured_in_flight == 0) {
        cancel_all(load, now_ns, PYR_OUTCOME_CANCELLED); /* it was there for the load alone */
    }
}

/* --- sending ---------------------------------------------------------------------------------- */

/* The first requests of users that start spread. */
static bool is_of_fill(const struct pyr_load *load, const struct pyr_request *record) {
    return load->spread && record->ordinal - load->plan->first_ordinal < load->plan->concurrency;
}

static double share_of_fill(const struct pyr_load *load, const struct pyr_request *record) {
    return (record->ordinal - load->plan->first_ordinal + 0.5) / load->plan->concurrency;
}

static void send_request(struct pyr_load *load, uint32_t index, uint32_t phase,
                         uint64_t scheduled_ns, uint64_t now_ns, uint16_t flags) {
    const struct pyr_load_plan *plan = load->plan;
    struct pyr_slot *slot = &load->slots[index];
    uint32_t ordinal = plan->first_ordinal + load->result->records++;
    slot->record = (struct pyr_request){
        .ordinal = ordinal,
        .case_index = plan->case_index,
        .phase = phase,
        .worker = load->config.worker,
        .flags = flags,
        .scheduled_ns = scheduled_ns,
        .dispatched_ns = now_ns,
    };
    pyr_workload_next(load->workload, index, slot);
    if (!plan->open_loop)
        slot->record.user = (uint16_t)(index % UINT16_MAX + 1);
    if (is_of_fill(load, &slot->record)) {
        double tokens = ceil(slot->output_tokens * share_of_fill(load, &slot->record));
        slot->output_tokens = slot->record.asked_tokens = (uint32_t)tokens;
    }
    slot->seed = pyr_mix64(plan->seed + ordinal);
    slot->error_text = NULL;
    slot->retry_after_ns = 0;
    slot->cancel_after_ns = PYR_NEVER;
    if (plan->cancel_share > 0 && pyr_rng_unit(&load->cancel_rng) < plan->cancel_share)
        slot->cancel_after_ns = plan->cancel_after_ns;
    load->busy[index] = true;
    load->live.sent++;
    load->live.in_flight++;
    load->measured_in_flight += phase == PYR_PHASE_MEASURED;
    if (flags & PYR_REQUEST_WAITED)
        load->result->waited++;
    else if (now_ns - scheduled_ns > load->result->late_max_ns)
        load->result->late_max_ns = now_ns - scheduled_ns;
    load->ops->submit(load->handle, slot);
}

static bool has_sent_all(const struct pyr_load *load) {
    return load->plan->requests && load->measured_sent >= load->plan->requests;
}

static bool may_send_closed(const struct pyr_load *load) {
    if (load->closing)
        return false;
    if (load->spread)
        return load->live.phase != PYR_PHASE_DRAIN || load->measured_in_flight > 0;
    return load->live.phase != PYR_PHASE_DRAIN && !has_sent_all(load);
}

/* What the user who is due begins or ends by sending. */
static void pass_closed(struct pyr_load *load, uint64_t due_ns) {
    const struct pyr_load_plan *plan = load->plan;
    uint64_t least = plan->warmup_requests + (load->spread ? plan->concurrency : 0);
    if (load->first_wave && load->live.sent >= plan->concurrency)
        end_first_wave(load, due_ns);
    if (load->live.phase == PYR_PHASE_WARMUP && load->live.sent >= least &&
        due_ns - load->live.started_ns >= plan->warmup_ns)
        begin_measured(load, due_ns);
    else if (load->live.phase == PYR_PHASE_MEASURED && has_sent_all(load))
        begin_drain(load, earlier(due_ns, load->end_ns), PYR_LOAD_ENDED_REQUESTS);
}

/* Lets users in until there are as many as the curve asks for; those too many leave when they would
 * send next. */
static void follow_curve(struct pyr_load *load, uint64_t now_ns) {
    if (now_ns < load->next_curve_ns)
        return;
    load->next_curve_ns = now_ns + CURVE_STEP_NS;
    double asked = pyr_curve_value(load->plan->concurrency_curve, now_ns - load->live.started_ns);
    uint32_t users =
        asked < load->config.max_in_flight ? (uint32_t)asked : load->config.max_in_flight;
    if (users != load->users_asked) {
        /* Marks are the knots of straight lines, and this is a step. */
        if (load->users_asked)
            mark(load, PYR_MARK_ASKED_CONCURRENCY, now_ns, load->users_asked, NULL);
        mark(load, PYR_MARK_ASKED_CONCURRENCY, now_ns, users, NULL);
    }
    load->users_asked = users;
    for (; load->users < users && load->free_count > 0; load->users++)
        pyr_due_push(&load->due, now_ns, load->free[--load->free_count]);
}

static void send_closed(struct pyr_load *load, uint64_t now_ns) {
    const struct pyr_load_plan *plan = load->plan;
    if (plan->concurrency_curve)
        follow_curve(load, now_ns);
    while (load->due.count > 0 && load->due.items[0].at_ns <= now_ns && may_send_closed(load)) {
        struct pyr_due due = pyr_due_pop(&load->due);
        if (load->users > load->users_asked) {
            load->users--;
            load->free[load->free_count++] = due.user;
            continue;
        }
        pass_closed(load, due.at_ns);
        if (!may_send_closed(load))
            break;
        load->measured_sent += load->live.phase == PYR_PHASE_MEASURED;
        send_request(load, due.user, load->live.phase, due.at_ns, now_ns, 0);
    }
}

static void send_open(struct pyr_load *load, uint64_t now_ns) {
    while (load->next_arrival_ns <= now_ns && load->next_arrival_ns < load->end_ns &&
           load->free_count > 0) {
        uint64_t scheduled_ns = load->next_arrival_ns;
        uint16_t flags = scheduled_ns < load->starved_until_ns ? PYR_REQUEST_WAITED : 0;
        uint32_t index = load->free[--load->free_count];
        send_request(load, index, open_phase(load, scheduled_ns), scheduled_ns, now_ns, flags);
        next_arrival(load);
    }
    const struct pyr_curve *curve = load->plan->arrivals.curve;
    while (curve && load->curve_points_marked < curve->count) {
        const struct pyr_curve_knot *point = &curve->points[load->curve_points_marked];
        if (point->time_ns > now_ns - load->live.started_ns)
            break;
        mark(load, PYR_MARK_ASKED_RATE, load->live.started_ns + point->time_ns, point->value, NULL);
        load->curve_points_marked++;
    }
}

/* --- ending ----------------------------------------------------------------------------------- */

static void keep_error(struct pyr_load *load, const struct pyr_slot *slot) {
    char *text = load->result->first_error[slot->record.outcome];
    if (!slot->error_text || text[0] || slot->record.outcome == PYR_OUTCOME_CANCELLED)
        return; /* what was asked for is no error */
    snprintf(text, sizeof load->result->first_error[0], "%s", slot->error_text);
    char sentence[224];
    snprintf(sentence, sizeof sentence, "%s: %s",
             pyr_outcome_name((enum pyr_outcome)slot->record.outcome), text);
    pyr_lane_mark(load->config.lane, PYR_MARK_WARNING, load->plan->case_index, 0, sentence);
}

/* The first one of a load: the others are like it. */
static void keep_caution(struct pyr_load *load, const struct pyr_slot *slot) {
    if (load->cautioned)
        return;
    load->cautioned = true;
    pyr_lane_mark(load->config.lane, PYR_MARK_WARNING, load->plan->case_index, 0,
                  slot->caution_text);
}

static void count_measured(struct pyr_load *load, const struct pyr_request *record) {
    struct pyr_load_live *live = &load->live;
    load->measured_in_flight--;
    live->measured_ended++;
    if (record->outcome != PYR_OUTCOME_OK)
        return;
    uint64_t from_ns = load->plan->open_loop ? record->scheduled_ns : record->sent_ns;
    live->prompt_tokens += record->prompt_tokens;
    live->output_tokens += pyr_request_tokens(record);
    if (record->first_content_ns >= from_ns)
        pyr_hist_record(load->ttft_ns, record->first_content_ns - from_ns);
    if (record->last_content_ns >= from_ns)
        pyr_hist_record(load->latency_ns, record->last_content_ns - from_ns);
}

/* When the user of a closed loop sends again. */
static uint64_t user_due(struct pyr_load *load, const struct pyr_slot *slot) {
    const struct pyr_request *record = &slot->record;
    double think_ns = (double)load->plan->think_ns;
    if (load->plan->think_exponential)
        think_ns *= pyr_rng_exponential(&load->think_rng);
    if (is_of_fill(load, record))
        think_ns *= share_of_fill(load, record);
    uint64_t due_ns = later(record->closed_ns, (uint64_t)think_ns);
    if (record->outcome != PYR_OUTCOME_OK && record->outcome != PYR_OUTCOME_CANCELLED &&
        due_ns < record->scheduled_ns + FAILURE_PAUSE_NS)
        due_ns = record->scheduled_ns + FAILURE_PAUSE_NS;
    if (load->plan->heed_retry_after && due_ns < later(record->closed_ns, slot->retry_after_ns))
        due_ns = later(record->closed_ns, slot->retry_after_ns);
    return due_ns;
}

static void fail_short(struct pyr_load *load, struct pyr_slot *slot) {
    struct pyr_request *record = &slot->record;
    record->outcome = PYR_OUTCOME_SHORT;
    snprintf(load->short_text, sizeof load->short_text, "%u tokens of the %u asked for",
             pyr_request_tokens(record), slot->output_tokens);
    slot->error_text = load->short_text;
}

static void end_request(struct pyr_load *load, struct pyr_slot *slot, uint64_t now_ns) {
    const struct pyr_load_plan *plan = load->plan;
    struct pyr_request *record = &slot->record;
    uint32_t index = (uint32_t)(slot - load->slots);
    assert(index < load->config.max_in_flight && load->busy[index]);
    load->busy[index] = false;
    if (record->closed_ns == 0 || record->closed_ns > now_ns)
        record->closed_ns = now_ns;
    if (record->outcome == PYR_OUTCOME_OK && (record->flags & PYR_REQUEST_SHORT) &&
        plan->short_is_error)
        fail_short(load, slot);
    pyr_lane_request(load->config.lane, record);
    load->live.in_flight--;
    load->live.ended++;
    load->live.outcomes[record->outcome]++;
    if (record->outcome != PYR_OUTCOME_OK)
        keep_error(load, slot);
    else if (slot->caution_text)
        keep_caution(load, slot);
    if (record->phase == PYR_PHASE_MEASURED)
        count_measured(load, record);
    if (record->closed_ns > load->last_closed_ns)
        load->last_closed_ns = record->closed_ns;
    if (plan->ended)
        plan->ended(plan->ended_context, slot);
    if (!plan->open_loop) {
        pyr_due_push(&load->due, user_due(load, slot), index);
        return;
    }
    if (load->free_count == 0)
        load->starved_until_ns = record->closed_ns;
    load->free[load->free_count++] = index;
}

/* --- the loop --------------------------------------------------------------------------------- */

static double done_share(const struct pyr_load *load, uint64_t now_ns) {
    const struct pyr_load_plan *plan = load->plan;
    if (load->live.phase == PYR_PHASE_WARMUP || load->measured_start_ns == PYR_NEVER)
        return 0;
    double by_count = 0, by_time = 0;
    if (plan->requests)
        by_count = (double)load->live.measured_ended / (double)plan->requests;
    if (load->end_ns != PYR_NEVER && load->end_ns > load->measured_start_ns)
        by_time = (double)(now_ns - load->measured_start_ns) /
                  (double)(load->end_ns - load->measured_start_ns);
    return fmin(1, fmax(by_count, by_time));
}

/* What a turn looks at beside requests: our own freezes, signals, the recorder, the progress. */
static void look_around(struct pyr_load *load, uint64_t now_ns) {
    const struct pyr_load_plan *plan = load->plan;
    bool real = !pyr_clock_is_virtual(&load->clock);
    if (real && now_ns > load->expected_ns + FREEZE_NS) {
        uint64_t frozen_ns = now_ns - load->expected_ns;
        mark(load, PYR_MARK_FREEZE, now_ns, (double)frozen_ns, NULL);
        load->result->freezes++;
        load->result->frozen_ns += frozen_ns;
    }
    load->expected_ns = now_ns;
    if (plan->stop && *plan->stop && !load->result->signal) {
        load->result->signal = *plan->stop;
        mark(load, PYR_MARK_SIGNAL, now_ns, load->result->signal, NULL);
        interrupt(load, now_ns, PYR_LOAD_ENDED_SIGNAL);
    }
    if (now_ns < load->next_tick_ns)
        return;
    load->next_tick_ns = now_ns + TICK_NS;
    if (real)
        pyr_pace_look(&load->pace, now_ns);
    if (pyr_recorder_error(load->config.recorder) && !load->closing)
        interrupt(load, now_ns, PYR_LOAD_ENDED_RECORDER);
    if (plan->live) {
        load->live.now_ns = now_ns;
        load->live.done_share = done_share(load, now_ns);
        load->live.measured_in_flight = load->measured_in_flight;
        load->live.behind_ns =
            plan->open_loop && load->next_arrival_ns < now_ns ? now_ns - load->next_arrival_ns : 0;
        plan->live(plan->live_context, &load->live);
    }
}

/* The next instant at which a request may go out. */
static uint64_t next_send_ns(const struct pyr_load *load) {
    if (load->plan->open_loop)
        return load->free_count > 0 && load->next_arrival_ns < load->end_ns ? load->next_arrival_ns
                                                                            : PYR_NEVER;
    return load->due.count > 0 && may_send_closed(load) ? load->due.items[0].at_ns : PYR_NEVER;
}

/* The next instant at which something changes by the plan alone. */
static uint64_t next_change_ns(const struct pyr_load *load) {
    if (load->closing)
        return load->grace_end_ns;
    if (load->live.phase == PYR_PHASE_DRAIN)
        return load->drain_end_ns;
    uint64_t next_ns = load->end_ns;
    if (load->plan->open_loop && load->live.phase == PYR_PHASE_WARMUP)
        next_ns = earlier(next_ns, load->measured_start_ns);
    if (load->plan->concurrency_curve)
        next_ns = earlier(next_ns, load->next_curve_ns);
    return next_ns;
}

/* False when there is nothing that could ever happen. */
static bool wait_for_more(struct pyr_load *load, uint64_t now_ns) {
    struct pyr_wait wait = load->ops->wait_handle(load->handle);
    uint64_t send_ns = next_send_ns(load);
    uint64_t until_ns = earlier(earlier(send_ns, next_change_ns(load)), wait.next_ns);
    if (pyr_clock_is_virtual(&load->clock)) {
        if (until_ns == PYR_NEVER)
            return false;
        if (until_ns > now_ns)
            *load->config.virtual_now_ns = until_ns;
        return true;
    }
    until_ns = earlier(until_ns, load->next_tick_ns);
    if (until_ns <= now_ns)
        return true;
    load->expected_ns = until_ns;
    bool spin = load->plan->spin && load->pace.spins && send_ns == until_ns;
    if (!load->ops->sleep_until)
        pyr_pace_wait(wait.fd, now_ns, until_ns, spin);
    else if (pyr_pace_until(until_ns, spin) > now_ns)
        load->ops->sleep_until(load->handle, now_ns, pyr_pace_until(until_ns, spin));
    return true;
}

static bool run_is_over(const struct pyr_load *load) {
    return load->live.phase == PYR_PHASE_DRAIN && load->live.in_flight == 0 &&
           (load->closing || load->next_arrival_ns >= load->end_ns);
}

static bool run_loop(struct pyr_load *load, struct pyr_err *err) {
    struct pyr_slot *done[POLL_CAPACITY];
    for (;;) {
        uint64_t now_ns = pyr_now_ns(&load->clock);
        look_around(load, now_ns);
        advance_phase(load, now_ns);
        if (load->plan->open_loop)
            send_open(load, now_ns);
        else
            send_closed(load, now_ns);
        size_t count = load->ops->poll(load->handle, done, POLL_CAPACITY);
        if (count > 0) {
            now_ns = pyr_now_ns(&load->clock);
            for (size_t i = 0; i < count; i++)
                end_request(load, done[i], now_ns);
            continue;
        }
        if (run_is_over(load))
            return true;
        if (load->closing && now_ns >= load->grace_end_ns) {
            load->broken = true;
            return pyr_fail(err, PYR_E_ENGINE,
                            "the target did not give back %llu requests that it was told to end",
                            (unsigned long long)load->live.in_flight);
        }
        if (!wait_for_more(load, now_ns)) {
            load->broken = load->live.in_flight > 0;
            return pyr_fail(err, PYR_E_ENGINE,
                            "the target has %llu requests in hand and nothing to do",
                            (unsigned long long)load->live.in_flight);
        }
    }
}

/* --- a run ------------------------------------------------------------------------------------ */

/* A schedule ends a mean gap after its last instant: when one more would have been due. */
static uint64_t schedule_end_ns(const struct pyr_arrival_options *arrivals) {
    size_t count = arrivals->schedule_count;
    uint64_t last_ns = arrivals->schedule_ns[count - 1];
    if (count < 2 || last_ns == arrivals->schedule_ns[0])
        return last_ns + PYR_NS_PER_S;
    return last_ns + (last_ns - arrivals->schedule_ns[0]) / (count - 1);
}

/* The phases of an open loop are a matter of its schedule alone: a second walk along it, before the
 * start, finds where they lie. */
static void plan_arrivals(struct pyr_load *load, uint64_t *start_offset_ns,
                          uint64_t *end_offset_ns) {
    const struct pyr_load_plan *plan = load->plan;
    pyr_arrivals_init(&load->arrivals, &plan->arrivals);
    struct pyr_arrivals scout = load->arrivals;
    uint64_t at_ns = pyr_arrivals_next(&scout), start_ns = plan->warmup_ns;
    for (uint64_t i = 0; i < plan->warmup_requests && at_ns != PYR_NEVER; i++)
        at_ns = pyr_arrivals_next(&scout);
    if (plan->warmup_requests && at_ns > start_ns)
        start_ns = at_ns;
    *start_offset_ns = start_ns;
    *end_offset_ns = PYR_NEVER;
    const struct pyr_curve *curve = plan->arrivals.curve;
    if (curve && curve->points[curve->count - 1].value == 0)
        *end_offset_ns = curve->points[curve->count - 1].time_ns;
    if (plan->arrivals.schedule_ns)
        *end_offset_ns = schedule_end_ns(&plan->arrivals);
    if (!plan->requests)
        return;
    while (at_ns < start_ns)
        at_ns = pyr_arrivals_next(&scout);
    uint64_t last_ns = at_ns;
    for (uint64_t i = 0; i < plan->requests && at_ns != PYR_NEVER; i++) {
        last_ns = at_ns;
        at_ns = pyr_arrivals_next(&scout);
    }
    if (at_ns != PYR_NEVER) /* later than the last one even when they come together */
        *end_offset_ns = earlier(*end_offset_ns, at_ns > last_ns ? at_ns : last_ns + 1);
}

static void prepare_slots(struct pyr_load *load) {
    const struct pyr_load_plan *plan = load->plan;
    struct pyr_limits limits = plan->limits;
    uint64_t *each[] = {&limits.connect_ns, &limits.first_token_ns, &limits.between_tokens_ns,
                        &limits.total_ns};
    for (size_t i = 0; i < sizeof each / sizeof *each; i++)
        if (*each[i] == 0)
            *each[i] = PYR_NEVER;
    load->free_count = 0;
    uint32_t count = load->config.max_in_flight;
    if (plan->open_loop && plan->concurrency && plan->concurrency < count)
        count = plan->concurrency;
    for (uint32_t i = 0; i < load->config.max_in_flight; i++) {
        load->slots[i] = (struct pyr_slot){
            .exact_output = plan->exact_output,
            .capture_text = plan->capture_text,
            .temperature = plan->temperature,
            .limits = limits,
        };
        load->busy[i] = false;
    }
    for (uint32_t i = count; i-- > 0;) /* the first to be taken is slot 0 */
        load->free[load->free_count++] = i;
}

static void prepare(struct pyr_load *load, const struct pyr_load_plan *plan,
                    struct pyr_workload *workload, struct pyr_load_result *result) {
    memset(result, 0, sizeof *result);
    load->plan = plan;
    load->workload = workload;
    load->result = result;
    load->live = (struct pyr_load_live){
        .phase = PYR_PHASE_COUNT, .ttft_ns = load->ttft_ns, .latency_ns = load->latency_ns};
    pyr_hist_reset(load->ttft_ns);
    pyr_hist_reset(load->latency_ns);
    pyr_rng_init_stream(&load->think_rng, plan->seed, 1);
    pyr_rng_init_stream(&load->cancel_rng, plan->seed, 2);
    load->measured_start_ns = load->end_ns = load->drain_end_ns = load->grace_end_ns = PYR_NEVER;
    load->measured_sent = load->measured_in_flight = load->last_closed_ns = 0;
    load->starved_until_ns = 0;
    load->next_arrival_ns = PYR_NEVER;
    load->curve_points_marked = 0;
    load->closing = load->cautioned = false;
    load->due = (struct pyr_due_heap){.items = load->due_items};
    load->users = load->users_asked = 0;
    load->first_wave = false;
    load->spread = result->spread = !plan->open_loop && plan->start == PYR_START_SPREAD &&
                                    plan->concurrency > 1 && !plan->concurrency_curve &&
                                    (plan->warmup_requests || plan->warmup_ns);
    prepare_slots(load);
}

static void start(struct pyr_load *load) {
    const struct pyr_load_plan *plan = load->plan;
    uint64_t start_offset_ns = 0, end_offset_ns = PYR_NEVER;
    if (plan->open_loop)
        plan_arrivals(load, &start_offset_ns, &end_offset_ns);
    uint64_t now_ns = pyr_now_ns(&load->clock);
    load->live.started_ns = load->result->started_ns = now_ns;
    load->next_tick_ns = now_ns + TICK_NS;
    load->expected_ns = load->next_curve_ns = now_ns;
    if (plan->deadline_ns)
        end_at(load, plan->deadline_ns, PYR_LOAD_ENDED_TIME);
    if (!plan->open_loop && !plan->concurrency_curve) {
        mark(load, PYR_MARK_ASKED_CONCURRENCY, now_ns, plan->concurrency, NULL);
        load->users = load->users_asked = plan->concurrency;
        for (uint32_t i = 0; i < plan->concurrency; i++)
            pyr_due_push(&load->due, now_ns, load->free[--load->free_count]);
    }
    if (plan->warmup_requests || plan->warmup_ns)
        enter_phase(load, PYR_PHASE_WARMUP, now_ns);
    else
        begin_measured(load, now_ns);
    if (!plan->open_loop && !load->spread && !plan->concurrency_curve && plan->concurrency > 1) {
        load->first_wave = true;
        mark(load, PYR_MARK_PHASE_START, now_ns, PYR_PHASE_FIRST_WAVE, PYR_FIRST_WAVE);
    }
    if (!plan->open_loop)
        return;
    if (!plan->arrivals.curve)
        mark(load, PYR_MARK_ASKED_RATE, now_ns, plan->arrivals.rate, NULL);
    if (load->measured_start_ns == PYR_NEVER)
        load->measured_start_ns = later(now_ns, start_offset_ns);
    if (end_offset_ns != PYR_NEVER)
        end_at(load, later(now_ns, end_offset_ns),
               plan->requests ? PYR_LOAD_ENDED_REQUESTS : PYR_LOAD_ENDED_ARRIVALS);
    load->next_arrival_ns = later(now_ns, pyr_arrivals_next(&load->arrivals));
}

bool pyr_load_run(struct pyr_load *load, const struct pyr_load_plan *plan,
                  struct pyr_workload *workload, struct pyr_load_result *result,
                  struct pyr_err *err) {
    assert(!load->broken);
    assert(plan->open_loop || plan->concurrency_curve ||
           (plan->concurrency >= 1 && plan->concurrency <= load->config.max_in_flight));
    assert(plan->requests || plan->duration_ns || plan->deadline_ns || plan->arrivals.curve ||
           plan->arrivals.schedule_ns);
    assert(!plan->open_loop || plan->arrivals.kind);
    memset(result, 0, sizeof *result);
    if (!load->ops->reset(load->handle, err))
        return false;
    prepare(load, plan, workload, result);
    bool real = !pyr_clock_is_virtual(&load->clock);
    if (real)
        pyr_pace_start(&load->pace, plan->urgent);
    start(load);
    bool ok = run_loop(load, err);
    result->urgent = real && load->pace.urgent;
    if (real)
        pyr_pace_stop(&load->pace);
    uint64_t now_ns = pyr_now_ns(&load->clock);
    begin_drain(load, now_ns, PYR_LOAD_ENDED_TIME);
    if (now_ns < load->end_ns)
        now_ns = load->end_ns;
    if (load->first_wave)
        end_first_wave(load, now_ns);
    enter_phase(load, PYR_PHASE_COUNT, now_ns);
    result->ended_ns = now_ns;
    memcpy(result->outcomes, load->live.outcomes, sizeof result->outcomes);
    if (plan->live) {
        load->live.now_ns = now_ns;
        load->live.done_share = 1;
        plan->live(plan->live_context, &load->live);
    }
    return ok;
}
