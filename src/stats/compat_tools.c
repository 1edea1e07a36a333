/* SPDX-License-Identifier: MIT
 *
 * Sources of the definitions: docs/compat.md.
 */
#include "stats/compat_tools.h"

#include <math.h>

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

static const struct pyr_request *at(const struct pyr_compat_view *view, size_t i) {
    return &view->data->requests[i];
}

static double between(uint64_t from_ns, uint64_t to_ns) {
    return from_ns == 0 || to_ns == 0 || to_ns < from_ns ? (double)NAN : (double)(to_ns - from_ns);
}

/* The server's count where it gave one, else ours. */
static double output_tokens(const struct pyr_compat_view *view, size_t i) {
    const struct pyr_request *r = at(view, i);
    return r->flags & PYR_REQUEST_USAGE ? r->usage_output_tokens : r->output_tokens;
}

static double own_output_tokens(const struct pyr_compat_view *view, size_t i) {
    return at(view, i)->output_tokens;
}

/* GuideLLM: the server's count, else one token a chunk. */
static double usage_or_chunks(const struct pyr_compat_view *view, size_t i) {
    const struct pyr_request *r = at(view, i);
    return r->flags & PYR_REQUEST_USAGE ? r->usage_output_tokens : r->chunks;
}

static double prompt_tokens(const struct pyr_compat_view *view, size_t i) {
    return at(view, i)->prompt_tokens;
}

static double latency(const struct pyr_compat_view *view, size_t i) {
    return between(at(view, i)->sent_ns, at(view, i)->last_content_ns);
}

/* Until the answer is over, its end mark included. */
static double latency_to_end(const struct pyr_compat_view *view, size_t i) {
    const struct pyr_request *r = at(view, i);
    return between(r->sent_ns,
                   r->closed_ns > r->last_content_ns ? r->closed_ns : r->last_content_ns);
}

static double content_ttft(const struct pyr_compat_view *view, size_t i) {
    return between(at(view, i)->sent_ns, at(view, i)->first_content_ns);
}

static double seconds(const struct pyr_compat_view *view) {
    return view->end_ns > view->start_ns ? (double)(view->end_ns - view->start_ns) * 1e-9
                                         : (double)NAN;
}

static double duration_ns(const struct pyr_compat_view *view) {
    return seconds(view) * 1e9;
}

static double sum(const struct pyr_compat_view *view,
                  double (*of)(const struct pyr_compat_view *, size_t)) {
    double total = 0;
    for (size_t k = 0; k < view->ok_count; k++)
        total += of(view, view->ok[k]);
    return total;
}

static double completed(const struct pyr_compat_view *view) {
    return (double)view->ok_count;
}

static double completed_per_s(const struct pyr_compat_view *view) {
    return (double)view->ok_count / seconds(view);
}

static double output_per_s(const struct pyr_compat_view *view) {
    return sum(view, output_tokens) / seconds(view);
}

static double own_output_per_s(const struct pyr_compat_view *view) {
    return sum(view, own_output_tokens) / seconds(view);
}

/* --- vLLM ------------------------------------------------------------------------------------- */

static double vllm_ttft(const struct pyr_compat_view *view, size_t i) {
    const struct pyr_request *r = at(view, i);
    return between(r->sent_ns, r->first_byte_ns ? r->first_byte_ns : r->first_content_ns);
}

/* Without content the last chunk is that with the role. */
static double vllm_latency(const struct pyr_compat_view *view, size_t i) {
    return at(view, i)->last_content_ns ? latency(view, i) : vllm_ttft(view, i);
}

static double vllm_tpot(const struct pyr_compat_view *view, size_t i) {
    double n = output_tokens(view, i);
    return n > 1 ? (latency(view, i) - vllm_ttft(view, i)) / (n - 1) : (double)NAN;
}

static double vllm_input(const struct pyr_compat_view *view) {
    return sum(view, prompt_tokens);
}

static double vllm_generated(const struct pyr_compat_view *view) {
    return sum(view, output_tokens);
}

static double vllm_total_per_s(const struct pyr_compat_view *view) {
    return (sum(view, prompt_tokens) + sum(view, output_tokens)) / seconds(view);
}

#define VLLM_WINDOW "from the first request sent to the last one ended, ramp and drain included"

static const struct pyr_compat_formula vllm[] = {
    {"TTFT", PYR_UNIT_NS, PYR_COMPAT_EACH, .each = vllm_ttft, .closed = PYR_M_TTFT_SENT,
     .open = PYR_M_TTFT_SCHED,
     .definition = "from sent to the first chunk, even one with a role and no content (here: the "
                   "first byte of the body); ours ends at the first content and in open loop "
                   "begins at the schedule"},
    {"TPOT", PYR_UNIT_NS, PYR_COMPAT_EACH, .each = vllm_tpot, .closed = PYR_M_TPOT,
     .open = PYR_M_TPOT,
     .definition = "(latency - their TTFT) / (tokens - 1), two tokens or more; ours begins at the "
                   "first content and needs two chunks"},
    {"ITL", PYR_UNIT_NS, PYR_COMPAT_GAPS_FROM_A_BYTE, .closed = PYR_M_ITL, .open = PYR_M_ITL,
     .definition = "gaps between chunks, however many tokens a chunk holds; ours is per token: a "
                   "chunk of k tokens gives k values of gap/k"},
    {"E2EL", PYR_UNIT_NS, PYR_COMPAT_EACH, .each = vllm_latency, .closed = PYR_M_LATENCY_SENT,
     .open = PYR_M_LATENCY_SCHED,
     .definition = "from sent to the last chunk; ours in open loop begins at the schedule"},
    {"Successful requests", PYR_UNIT_COUNT, PYR_COMPAT_WHOLE, .whole = completed,
     .closed = PYR_METRIC_COUNT, .open = PYR_METRIC_COUNT, .definition = "requests that ended ok"},
    {"Benchmark duration", PYR_UNIT_NS, PYR_COMPAT_WHOLE, .whole = duration_ns,
     .closed = PYR_METRIC_COUNT, .open = PYR_METRIC_COUNT, .definition = VLLM_WINDOW},
    {"Total input tokens", PYR_UNIT_TOKENS, PYR_COMPAT_WHOLE, .whole = vllm_input,
     .closed = PYR_METRIC_COUNT, .open = PYR_METRIC_COUNT,
     .definition = "prompt tokens of requests that ended ok, as the server counts them"},
    {"Total generated tokens", PYR_UNIT_TOKENS, PYR_COMPAT_WHOLE, .whole = vllm_generated,
     .closed = PYR_METRIC_COUNT, .open = PYR_METRIC_COUNT,
     .definition = "output tokens of those, as the server counts them, else as we do"},
    {"Request throughput", PYR_UNIT_PER_S, PYR_COMPAT_WHOLE, .whole = completed_per_s,
     .closed = PYR_M_REQUEST_THROUGHPUT, .open = PYR_M_REQUEST_THROUGHPUT,
     .definition = "requests that ended ok / duration, ramp and drain included; ours counts those "
                   "that ended in the steady window / that window"},
    {"Output token throughput", PYR_UNIT_TOKENS_PER_S, PYR_COMPAT_WHOLE, .whole = output_per_s,
     .closed = PYR_M_OUTPUT_TOKEN_THROUGHPUT, .open = PYR_M_OUTPUT_TOKEN_THROUGHPUT,
     .definition = "output tokens of requests that ended ok / duration; ours counts the tokens "
                   "that arrived in the steady window / that window"},
    {"Total token throughput", PYR_UNIT_TOKENS_PER_S, PYR_COMPAT_WHOLE, .whole = vllm_total_per_s,
     .closed = PYR_M_TOTAL_TOKEN_THROUGHPUT, .open = PYR_M_TOTAL_TOKEN_THROUGHPUT,
     .definition = "prompt and output tokens likewise"},
};

/* --- AIPerf ----------------------------------------------------------------------------------- */

static double aiperf_ttst(const struct pyr_compat_view *view, size_t i) {
    return view->second_gap_ns[i] > 0 ? (double)view->second_gap_ns[i] : (double)NAN;
}

static double aiperf_ttfo(const struct pyr_compat_view *view, size_t i) {
    return between(at(view, i)->sent_ns, at(view, i)->first_output_ns);
}

static double aiperf_itl(const struct pyr_compat_view *view, size_t i) {
    double n = own_output_tokens(view, i);
    return n > 1 ? (latency(view, i) - content_ttft(view, i)) / (n - 1) : (double)NAN;
}

static double aiperf_user_rate(const struct pyr_compat_view *view, size_t i) {
    double ns = aiperf_itl(view, i);
    return ns > 0 ? 1e9 / ns : (double)NAN;
}

static const struct pyr_compat_formula aiperf[] = {
    {"time_to_first_token", PYR_UNIT_NS, PYR_COMPAT_EACH, .each = content_ttft,
     .closed = PYR_M_TTFT_SENT, .open = PYR_M_TTFT_SCHED,
     .definition = "from sent to the first content or reasoning; ours is the same in closed loop "
                   "and begins at the schedule in open loop"},
    {"time_to_second_token", PYR_UNIT_NS, PYR_COMPAT_EACH, .each = aiperf_ttst,
     .closed = PYR_METRIC_COUNT, .open = PYR_METRIC_COUNT,
     .definition = "the gap between the first two content chunks"},
    {"time_to_first_output_token", PYR_UNIT_NS, PYR_COMPAT_EACH, .each = aiperf_ttfo,
     .closed = PYR_M_TTFO, .open = PYR_M_TTFO,
     .definition = "from sent to the first content that is no reasoning; ours begins at the "
                   "schedule"},
    {"request_latency", PYR_UNIT_NS, PYR_COMPAT_EACH, .each = latency, .closed = PYR_M_LATENCY_SENT,
     .open = PYR_M_LATENCY_SCHED,
     .definition = "from sent to the last content; ours in open loop begins at the schedule"},
    {"inter_token_latency", PYR_UNIT_NS, PYR_COMPAT_EACH, .each = aiperf_itl, .closed = PYR_M_TPOT,
     .open = PYR_M_TPOT,
     .definition = "one mean a request, (latency - TTFT) / (tokens - 1): what we call TPOT; a "
                   "stall inside a request does not show in its percentiles"},
    {"inter_chunk_latency", PYR_UNIT_NS, PYR_COMPAT_GAPS, .closed = PYR_M_ICL, .open = PYR_M_ICL,
     .definition = "gaps between content chunks; ours is the same over the steady window"},
    {"output_token_throughput_per_user", PYR_UNIT_TOKENS_PER_S, PYR_COMPAT_EACH,
     .each = aiperf_user_rate, .closed = PYR_M_DECODE_RATE, .open = PYR_M_DECODE_RATE,
     .definition = "1 / inter_token_latency, TTFT left out; ours is the same"},
    {"output_sequence_length", PYR_UNIT_TOKENS, PYR_COMPAT_EACH, .each = own_output_tokens,
     .closed = PYR_M_OUTPUT_TOKENS, .open = PYR_M_OUTPUT_TOKENS,
     .definition = "output tokens as the client counts them; ours is the same"},
    {"input_sequence_length", PYR_UNIT_TOKENS, PYR_COMPAT_EACH, .each = prompt_tokens,
     .closed = PYR_M_PROMPT_TOKENS, .open = PYR_M_PROMPT_TOKENS,
     .definition = "prompt tokens as the client counts them; ours is the same"},
    {"output_token_throughput", PYR_UNIT_TOKENS_PER_S, PYR_COMPAT_WHOLE, .whole = own_output_per_s,
     .closed = PYR_M_OUTPUT_TOKEN_THROUGHPUT, .open = PYR_M_OUTPUT_TOKEN_THROUGHPUT,
     .definition = "output tokens of requests that ended ok / duration; ours counts the tokens "
                   "that arrived in the steady window / that window"},
    {"request_throughput", PYR_UNIT_PER_S, PYR_COMPAT_WHOLE, .whole = completed_per_s,
     .closed = PYR_M_REQUEST_THROUGHPUT, .open = PYR_M_REQUEST_THROUGHPUT,
     .definition = "requests that ended ok / duration; ours counts those that ended in the steady "
                   "window / that window"},
    {"request_count", PYR_UNIT_COUNT, PYR_COMPAT_WHOLE, .whole = completed,
     .closed = PYR_METRIC_COUNT, .open = PYR_METRIC_COUNT, .definition = "requests that ended ok"},
    {"benchmark_duration", PYR_UNIT_NS, PYR_COMPAT_WHOLE, .whole = duration_ns,
     .closed = PYR_METRIC_COUNT, .open = PYR_METRIC_COUNT, .definition = VLLM_WINDOW},
};

/* --- GuideLLM --------------------------------------------------------------------------------- */

static bool streamed(const struct pyr_compat_view *view, size_t i) {
    return at(view, i)->flags & PYR_REQUEST_STREAMED;
}

static double guidellm_ttft(const struct pyr_compat_view *view, size_t i) {
    return streamed(view, i) ? content_ttft(view, i) : 0;
}

static double guidellm_tpot(const struct pyr_compat_view *view, size_t i) {
    double n = usage_or_chunks(view, i);
    double ns = streamed(view, i) ? latency(view, i) : latency_to_end(view, i);
    return n > 0 ? ns / n : 0;
}

static double guidellm_itl(const struct pyr_compat_view *view, size_t i) {
    double n = usage_or_chunks(view, i);
    const struct pyr_request *r = at(view, i);
    return n > 1 && streamed(view, i) ? between(r->first_content_ns, r->last_content_ns) / (n - 1)
                                      : 0;
}

static double guidellm_itl_weight(const struct pyr_compat_view *view, size_t i) {
    double n = usage_or_chunks(view, i);
    return n > 1 ? n - 1 : 0;
}

/* The mean of their rate over time: tokens / the time from the first token to the last. */
static double guidellm_output_per_s(const struct pyr_compat_view *view) {
    uint64_t first_ns = UINT64_MAX, last_ns = 0;
    for (size_t k = 0; k < view->ok_count; k++) {
        const struct pyr_request *r = at(view, view->ok[k]);
        if (r->first_content_ns && r->first_content_ns < first_ns)
            first_ns = r->first_content_ns;
        if (r->last_content_ns > last_ns)
            last_ns = r->last_content_ns;
    }
    return last_ns > first_ns ? sum(view, usage_or_chunks) / ((double)(last_ns - first_ns) * 1e-9)
                              : (double)NAN;
}

static const struct pyr_compat_formula guidellm[] = {
    {"time_to_first_token_ms", PYR_UNIT_NS, PYR_COMPAT_EACH, .each = guidellm_ttft,
     .closed = PYR_M_TTFT_SENT, .open = PYR_M_TTFT_SCHED,
     .definition = "from sent to the first content or reasoning, 0 for an answer that did not "
                   "stream; ours in open loop begins at the schedule"},
    {"time_per_output_token_ms", PYR_UNIT_NS, PYR_COMPAT_EACH, .each = guidellm_tpot,
     .weight = usage_or_chunks, .closed = PYR_M_TPOT, .open = PYR_M_TPOT,
     .definition = "(last content - sent) / tokens: the time to first token is inside it, where "
                   "ours leaves it out; weighted by tokens"},
    {"inter_token_latency_ms", PYR_UNIT_NS, PYR_COMPAT_EACH, .each = guidellm_itl,
     .weight = guidellm_itl_weight, .closed = PYR_M_ITL, .open = PYR_M_ITL,
     .definition = "one mean a request, (last - first content) / (tokens - 1), weighted by "
                   "tokens - 1; ours is of the gaps themselves, so that a stall shows"},
    {"request_latency", PYR_UNIT_NS, PYR_COMPAT_EACH, .each = latency_to_end,
     .closed = PYR_M_LATENCY_SENT, .open = PYR_M_LATENCY_SCHED,
     .definition = "from sent to the end of the answer, its end mark included; ours ends at the "
                   "last content and in open loop begins at the schedule"},
    {"prompt_token_count", PYR_UNIT_TOKENS, PYR_COMPAT_EACH, .each = prompt_tokens,
     .closed = PYR_M_PROMPT_TOKENS, .open = PYR_M_PROMPT_TOKENS,
     .definition = "prompt tokens; ours is the same"},
    {"output_token_count", PYR_UNIT_TOKENS, PYR_COMPAT_EACH, .each = usage_or_chunks,
     .closed = PYR_M_OUTPUT_TOKENS, .open = PYR_M_OUTPUT_TOKENS,
     .definition = "the server's count, and without one a token for each chunk; ours is counted"},
    {"requests_per_second (mean)", PYR_UNIT_PER_S, PYR_COMPAT_WHOLE, .whole = completed_per_s,
     .closed = PYR_M_REQUEST_THROUGHPUT, .open = PYR_M_REQUEST_THROUGHPUT,
     .definition = "requests that ended ok / the whole run; ours counts those that ended in the "
                   "steady window / that window"},
    {"output_tokens_per_second (mean)", PYR_UNIT_TOKENS_PER_S, PYR_COMPAT_WHOLE,
     .whole = guidellm_output_per_s, .closed = PYR_M_OUTPUT_TOKEN_THROUGHPUT,
     .open = PYR_M_OUTPUT_TOKEN_THROUGHPUT,
     .definition = "output tokens / the time from the first token of the run to the last; ours "
                   "counts the tokens that arrived in the steady window / that window"},
};

/* --- LLMPerf ---------------------------------------------------------------------------------- */

/* What never comes is 0 there, and counts. */
static double llmperf_ttft(const struct pyr_compat_view *view, size_t i) {
    double ns = content_ttft(view, i);
    return isnan(ns) ? 0 : ns;
}

static double llmperf_itl(const struct pyr_compat_view *view, size_t i) {
    double n = own_output_tokens(view, i);
    return n > 0 ? latency(view, i) / n : 0;
}

static double llmperf_user_rate(const struct pyr_compat_view *view, size_t i) {
    double ns = latency_to_end(view, i);
    return ns > 0 ? own_output_tokens(view, i) / (ns * 1e-9) : 0;
}

static double llmperf_per_minute(const struct pyr_compat_view *view) {
    return completed_per_s(view) * 60;
}

static double error_rate(const struct pyr_compat_view *view) {
    double all = (double)(view->ok_count + view->failed);
    return all > 0 ? (double)view->failed / all : (double)NAN;
}

static const struct pyr_compat_formula llmperf[] = {
    {"ttft_s", PYR_UNIT_NS, PYR_COMPAT_EACH, .each = llmperf_ttft, .closed = PYR_M_TTFT_SENT,
     .open = PYR_M_TTFT_SCHED,
     .definition = "from sent to the first content, 0 where none came; ours counts reasoning too, "
                   "leaves those out, and in open loop begins at the schedule"},
    {"inter_token_latency_s", PYR_UNIT_NS, PYR_COMPAT_EACH, .each = llmperf_itl,
     .closed = PYR_M_ITL, .open = PYR_M_ITL,
     .definition = "the sum of a request's gaps, the time to first token included, / tokens: one "
                   "mean a request; ours is of the gaps themselves and leaves that time out"},
    {"end_to_end_latency_s", PYR_UNIT_NS, PYR_COMPAT_EACH, .each = latency_to_end,
     .closed = PYR_M_LATENCY_SENT, .open = PYR_M_LATENCY_SCHED,
     .definition = "from sent to the end of the answer, its end mark included; ours ends at the "
                   "last content and in open loop begins at the schedule"},
    {"request_output_throughput_token_per_s", PYR_UNIT_TOKENS_PER_S, PYR_COMPAT_EACH,
     .each = llmperf_user_rate, .closed = PYR_M_DECODE_RATE, .open = PYR_M_DECODE_RATE,
     .definition = "tokens / end-to-end latency, with the time to first token; our decode rate "
                   "leaves that time out"},
    {"number_input_tokens", PYR_UNIT_TOKENS, PYR_COMPAT_EACH, .each = prompt_tokens,
     .closed = PYR_M_PROMPT_TOKENS, .open = PYR_M_PROMPT_TOKENS,
     .definition = "prompt tokens as a tokenizer on the client counts them there; here as ours"},
    {"number_output_tokens", PYR_UNIT_TOKENS, PYR_COMPAT_EACH, .each = own_output_tokens,
     .closed = PYR_M_OUTPUT_TOKENS, .open = PYR_M_OUTPUT_TOKENS,
     .definition = "output tokens as a tokenizer on the client counts them there; here as ours"},
    {"mean_output_throughput_token_per_s", PYR_UNIT_TOKENS_PER_S, PYR_COMPAT_WHOLE,
     .whole = own_output_per_s, .closed = PYR_M_OUTPUT_TOKEN_THROUGHPUT,
     .open = PYR_M_OUTPUT_TOKEN_THROUGHPUT,
     .definition = "output tokens of requests that ended ok / duration, ramp and drain included; "
                   "ours counts the tokens that arrived in the steady window / that window"},
    {"num_completed_requests", PYR_UNIT_COUNT, PYR_COMPAT_WHOLE, .whole = completed,
     .closed = PYR_METRIC_COUNT, .open = PYR_METRIC_COUNT, .definition = "requests that ended ok"},
    {"num_completed_requests_per_min", PYR_UNIT_COUNT, PYR_COMPAT_WHOLE,
     .whole = llmperf_per_minute, .closed = PYR_M_REQUEST_THROUGHPUT,
     .open = PYR_M_REQUEST_THROUGHPUT, .ours_factor = 60,
     .definition = "requests that ended ok / duration, a minute; ours (times 60) counts those that "
                   "ended in the steady window / that window"},
    {"error_rate", PYR_UNIT_RATIO, PYR_COMPAT_WHOLE, .whole = error_rate,
     .closed = PYR_M_ERROR_RATE, .open = PYR_M_ERROR_RATE,
     .definition = "failed / all; ours leaves out requests that were cancelled on purpose"},
};

/* --- the table -------------------------------------------------------------------------------- */

#define FORMULAS(array) .formulas = (array), .formula_count = COUNT_OF(array)

const struct pyr_compat_tool pyr_compat_tools[] = {
    {.name = "vllm",
     .title = "vLLM bench serve",
     .rules = "Requests that ended ok in the measured phase and its drain, the whole of it; "
              "tokens as the server counts them, else as we do; percentiles by linear "
              "interpolation between order statistics, without an interval.",
     FORMULAS(vllm)},
    {.name = "aiperf",
     .title = "NVIDIA AIPerf",
     .rules = "Requests that ended ok in the measured phase and its drain, the whole of it; "
              "tokens as we count them; percentiles by linear interpolation between order "
              "statistics, without an interval.",
     FORMULAS(aiperf)},
    {.name = "guidellm",
     .title = "GuideLLM",
     .step_percentiles = true,
     .rules = "Requests that ended ok in the measured phase and its drain, nothing trimmed; "
              "tokens as the server counts them, else one a chunk; a percentile is the smallest "
              "value at which the cumulated weight reaches it, without an interval.",
     FORMULAS(guidellm)},
    {.name = "llmperf",
     .title = "LLMPerf",
     .sample_sd = true,
     .rules = "Requests that ended ok in the measured phase and its drain, the whole of it; "
              "tokens as we count them; percentiles by linear interpolation between order "
              "statistics, without an interval.",
     FORMULAS(llmperf)},
};
const size_t pyr_compat_tool_count = COUNT_OF(pyr_compat_tools);
