/* SPDX-License-Identifier: MIT */
#include "report/json_load.h"

#include "report/figures.h"
#include "report/json_text.h"

#include <math.h>

json_t *pyr_json_estimate(const struct pyr_estimate *at, double factor) {
    json_t *object = json_object();
    pyr_json_put(object, "value", pyr_json_number(at->value * factor));
    pyr_json_put(object, "lo", pyr_json_number(at->lo * factor));
    pyr_json_put(object, "hi", pyr_json_number(at->hi * factor));
    if (at->reason)
        pyr_json_put(object, "reason", pyr_json_text(at->reason));
    return object;
}

json_t *pyr_json_phases(const struct pyr_case_result *result) {
    json_t *array = json_array();
    for (size_t i = 0; i < result->phase_count; i++) {
        const struct pyr_phase_result *phase = &result->phases[i];
        json_t *object = json_object();
        pyr_json_put(object, "name", pyr_json_text(phase->name));
        pyr_json_put(object, "of_pattern", json_boolean(phase->of_pattern));
        pyr_json_put(object, "start_s", pyr_json_number(phase->start_s));
        pyr_json_put(object, "seconds", pyr_json_number(phase->seconds));
        pyr_json_put(object, "requests", pyr_json_count(phase->requests));
        pyr_json_put(object, "ok", pyr_json_count(phase->ok));
        pyr_json_put(object, "latency_p50_ms", pyr_json_number(phase->latency_p50_ns / 1e6));
        pyr_json_put(object, "latency_p90_ms", pyr_json_number(phase->latency_p90_ns / 1e6));
        pyr_json_put(object, "ttft_p50_ms", pyr_json_number(phase->ttft_p50_ns / 1e6));
        pyr_json_put(object, "rate", pyr_json_number(phase->rate));
        pyr_json_put(object, "in_flight", pyr_json_number(phase->in_flight));
        pyr_json_put(object, "asked_rate", pyr_json_number(phase->asked_rate));
        pyr_json_put(object, "asked_concurrency", pyr_json_number(phase->asked_concurrency));
        json_array_append_new(array, object);
    }
    return array;
}

json_t *pyr_json_turns(const struct pyr_case_result *result) {
    json_t *array = json_array();
    for (size_t i = 0; i < result->turn_count; i++) {
        const struct pyr_turn_result *turn = &result->turns[i];
        json_t *object = json_object();
        pyr_json_put(object, "turn", json_integer((json_int_t)turn->turn));
        pyr_json_put(object, "and_later", json_boolean(turn->and_later));
        pyr_json_put(object, "requests", pyr_json_count(turn->requests));
        pyr_json_put(object, "ok", pyr_json_count(turn->ok));
        pyr_json_put(object, "prompt_tokens_mean", pyr_json_number(turn->prompt_tokens));
        pyr_json_put(object, "output_tokens_mean", pyr_json_number(turn->output_tokens));
        pyr_json_put(object, "ttft_p50_ms", pyr_json_estimate(&turn->ttft_p50_ns, 1e-6));
        pyr_json_put(object, "ttft_p90_ms", pyr_json_estimate(&turn->ttft_p90_ns, 1e-6));
        pyr_json_put(object, "latency_p50_ms", pyr_json_estimate(&turn->latency_p50_ns, 1e-6));
        json_array_append_new(array, object);
    }
    return array;
}

json_t *pyr_json_own_queue(const struct pyr_case_result *result) {
    const struct pyr_own_queue *queue = &result->own_queue;
    json_t *object = json_object();
    pyr_json_put(object, "waited", pyr_json_count(queue->waited));
    pyr_json_put(object, "never_sent", pyr_json_count(queue->never_sent));
    pyr_json_put(object, "wait_p50_ms", pyr_json_number(queue->wait_p50_ns / 1e6));
    pyr_json_put(object, "wait_p99_ms", pyr_json_number(queue->wait_p99_ns / 1e6));
    pyr_json_put(object, "wait_max_ms", pyr_json_number(queue->wait_max_ns / 1e6));
    return object;
}

json_t *pyr_json_lockstep(const struct pyr_case_result *result) {
    const struct pyr_lockstep *seen = &result->lockstep;
    json_t *object = json_object();
    pyr_json_put(object, "found", json_boolean(seen->found));
    pyr_json_put(object, "index", pyr_json_number(seen->index));
    pyr_json_put(object, "burst", pyr_json_number(seen->burst));
    pyr_json_put(object, "burst_by_chance", pyr_json_number(seen->by_chance));
    pyr_json_put(object, "round_s", pyr_json_number(seen->round_ns * 1e-9));
    return object;
}

json_t *pyr_json_drift(const struct pyr_case_result *result) {
    json_t *object = json_object();
    pyr_json_put(object, "seconds", pyr_json_number(result->drift->seconds));
    pyr_json_put(object, "rss_mb_per_hour",
                 pyr_json_estimate(&result->drift->rss_bytes_per_h, 1e-6));
    pyr_json_put(object, "latency_p50_ms_per_hour",
                 pyr_json_estimate(&result->drift->latency_ns_per_h, 1e-6));
    pyr_json_put(object, "ttft_p50_ms_per_hour",
                 pyr_json_estimate(&result->drift->ttft_ns_per_h, 1e-6));
    return object;
}

static json_t *levels_json(const struct pyr_stress_result *stress) {
    json_t *array = json_array();
    struct pyr_use uses[PYR_USES_MAX];
    size_t count = pyr_uses_of(PYR_USE_LEVEL, uses); /* what the curves are drawn from */
    for (size_t i = 0; stress && i < stress->level_count; i++) {
        const struct pyr_level *level = &stress->levels[i];
        json_t *object = json_object();
        pyr_json_put(object, "load", pyr_json_number(level->load));
        pyr_json_put(object, "verdict", pyr_json_text(pyr_level_verdict_name(level->verdict)));
        pyr_json_put(object, "by", pyr_json_text(level->by));
        pyr_json_put(object, "evidence", pyr_json_text(level->evidence));
        pyr_json_put(object, "tries", pyr_json_count(level->tries));
        pyr_json_put(object, "pooled_tries", pyr_json_count(level->pooled_tries));
        pyr_json_put(object, "case", pyr_json_text(level->one->plan->id));
        pyr_json_put(object, "seconds", pyr_json_number(level->one->whole_s));
        pyr_json_put(object, "ended_early", pyr_json_text(level->one->ended_early));
        pyr_json_put(object, "saturated", json_boolean(level->one->saturating));
        for (size_t k = 0; k < count; k++) {
            const struct pyr_figure figure = pyr_figure_of_use(&uses[k]);
            struct pyr_estimate at = pyr_figure_of(level->pooled, &figure);
            bool time = pyr_metric_info(uses[k].metric)->unit == PYR_UNIT_NS;
            pyr_json_put(object, uses[k].text, pyr_json_estimate(&at, time ? 1e-6 : 1));
        }
        json_array_append_new(array, object);
    }
    return array;
}

json_t *pyr_json_stress(const struct pyr_stress_result *stress) {
    json_t *object = json_object(), *stable = json_array();
    bool open = stress && stress->open_loop;
    for (size_t i = 0; stress && i < stress->stable_count; i++)
        json_array_append_new(stable, open ? pyr_json_number(stress->stable_levels[i])
                                           : json_integer((json_int_t)stress->stable_levels[i]));
    pyr_json_put(object, "max_sustainable_load",
                 pyr_json_number(stress ? stress->max_sustainable_load : (double)NAN));
    pyr_json_put(object, "first_failing_load",
                 pyr_json_number(stress ? stress->first_failing_load : (double)NAN));
    pyr_json_put(object, "failed_by", pyr_json_text(stress ? stress->failed_by : NULL));
    pyr_json_put(object, "load_unit", pyr_json_text(open ? "requests/s" : "concurrency"));
    pyr_json_put(object, "stable_concurrency_levels", open ? json_array() : json_incref(stable));
    pyr_json_put(object, "stable_rates", open ? json_incref(stable) : json_array());
    json_decref(stable);
    pyr_json_put(object, "levels", levels_json(stress));
    if (!stress)
        pyr_json_put(object, "reason",
                     json_string("this run made no search for a sustainable load"));
    return object;
}
