/* SPDX-License-Identifier: MIT */
#include "record/run.h"

#include <assert.h>

const char *pyr_outcome_name(enum pyr_outcome outcome) {
    static const char *const names[PYR_OUTCOME_COUNT] = {
        [PYR_OUTCOME_OK] = "ok",
        [PYR_OUTCOME_CANCELLED] = "cancelled",
        [PYR_OUTCOME_UNFINISHED] = "unfinished",
        [PYR_OUTCOME_REJECTED] = "rejected",
        [PYR_OUTCOME_ENGINE] = "engine",
        [PYR_OUTCOME_TOO_LONG] = "too_long",
        [PYR_OUTCOME_WORKER] = "worker",
        [PYR_OUTCOME_REFUSED] = "refused",
        [PYR_OUTCOME_RESET] = "reset",
        [PYR_OUTCOME_TIMEOUT_CONNECT] = "timeout_connect",
        [PYR_OUTCOME_TIMEOUT_FIRST] = "timeout_first",
        [PYR_OUTCOME_TIMEOUT_BETWEEN] = "timeout_between",
        [PYR_OUTCOME_TIMEOUT_TOTAL] = "timeout_total",
        [PYR_OUTCOME_HTTP_3XX] = "http_3xx",
        [PYR_OUTCOME_HTTP_4XX] = "http_4xx",
        [PYR_OUTCOME_HTTP_5XX] = "http_5xx",
        [PYR_OUTCOME_PROTOCOL] = "protocol",
        [PYR_OUTCOME_STREAM_ERROR] = "stream_error",
        [PYR_OUTCOME_SHORT] = "short",
        [PYR_OUTCOME_TLS] = "tls",
        [PYR_OUTCOME_LOCAL] = "local",
    };
    assert(outcome < PYR_OUTCOME_COUNT);
    return names[outcome];
}

const char *pyr_request_kind_name(int bit) {
    static const char *const names[PYR_KIND_COUNT] = {"content", "reasoning", "tool_call",
                                                      "refusal", "media",     "choices"};
    assert(bit >= 0 && bit < PYR_KIND_COUNT);
    return names[bit];
}
