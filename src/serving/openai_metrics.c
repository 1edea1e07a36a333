/* SPDX-License-Identifier: MIT */
#include "serving/openai_metrics.h"

static void head(struct pyr_buf *out, const char *name, const char *type, const char *help) {
    pyr_buf_printf(out, "# HELP pyrometer_serve_%s %s\n# TYPE pyrometer_serve_%s %s\n", name, help,
                   name, type);
}

static void one(struct pyr_buf *out, const char *name, const char *type, const char *help,
                uint64_t value) {
    head(out, name, type, help);
    pyr_buf_printf(out, "pyrometer_serve_%s %llu\n", name, (unsigned long long)value);
}

void pyr_openai_metrics(const struct pyr_openai_totals *totals,
                        const struct pyr_openai_stats *stats, const struct pyr_serving_info *info,
                        struct pyr_buf *out) {
    static const char *const ends[PYR_OPENAI_ENDS] = {
        [PYR_OPENAI_OK] = "ok",
        [PYR_OPENAI_GONE] = "gone",
        [PYR_OPENAI_REJECTED] = "rejected",
        [PYR_OPENAI_INVALID] = "invalid",
        [PYR_OPENAI_FAILED] = "failed",
    };
    const struct pyr_serving_counters *c = &stats->counters;
    head(out, "requests_total", "counter", "Requests for completions, by how they ended.");
    for (int i = 0; i < PYR_OPENAI_ENDS; i++)
        pyr_buf_printf(out, "pyrometer_serve_requests_total{outcome=\"%s\"} %llu\n", ends[i],
                       (unsigned long long)totals->ends[i]);
    one(out, "prompt_tokens_total", "counter", "Prompt tokens of requests that were taken.",
        totals->prompt_tokens);
    one(out, "output_tokens_total", "counter", "Tokens given to clients.", totals->output_tokens);
    one(out, "requests_running", "gauge", "Requests that hold a sequence.", stats->running);
    one(out, "requests_waiting", "gauge", "Requests that wait for a sequence.", stats->waiting);
    one(out, "sequences", "gauge", "Sequences decoded together at most.", info->sequences);
    one(out, "kv_bytes", "gauge", "Memory of all sequences.", info->kv_bytes);
    one(out, "steps_total", "counter", "Steps of the engine.", c->steps);
    one(out, "prompt_rows_total", "counter", "Prompt tokens given to the engine.", c->prompt_rows);
    one(out, "decode_rows_total", "counter", "Output tokens given back to the engine.",
        c->decode_rows);
    one(out, "preempted_total", "counter", "Sequences whose memory was taken back.", c->preempted);
    head(out, "step_seconds_total", "counter", "Time inside the engine's steps.");
    pyr_buf_printf(out, "pyrometer_serve_step_seconds_total %.9f\n", (double)c->step_ns / 1e9);
}
