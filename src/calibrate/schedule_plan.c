/* SPDX-License-Identifier: MIT */
#include "calibrate/schedule_plan.h"

#include "base/hash.h"
#include "base/parse.h"
#include "base/rng.h"
#include "codec/json_scan.h"

#include <stdio.h>
#include <string.h>

static const char *const fault_names[] = {
    [PYR_FAULT_NONE] = "none",
    [PYR_FAULT_FREEZE] = "freeze",
    [PYR_FAULT_RESET] = "reset",
    [PYR_FAULT_CLOSE] = "close",
    [PYR_FAULT_EOF] = "eof",
    [PYR_FAULT_GARBAGE] = "garbage",
    [PYR_FAULT_BAD_JSON] = "bad_json",
    [PYR_FAULT_SLOW_HEAD] = "slow_head",
    [PYR_FAULT_SLOW_BODY] = "slow_body",
    [PYR_FAULT_STATUS] = "status",
    [PYR_FAULT_CONTENT_TYPE] = "content_type",
    [PYR_FAULT_HTML] = "html",
    [PYR_FAULT_JSON] = "json",
    [PYR_FAULT_LONG_LINE] = "long_line",
    [PYR_FAULT_SPLIT_UTF8] = "split_utf8",
    [PYR_FAULT_NO_DONE] = "no_done",
    [PYR_FAULT_NO_END] = "no_end",
    [PYR_FAULT_ERROR_EVENT] = "error_event",
    [PYR_FAULT_ENDLESS] = "endless",
    [PYR_FAULT_PINGS] = "pings",
    [PYR_FAULT_HANG] = "hang",
    [PYR_FAULT_EMPTY] = "empty",
    [PYR_FAULT_ERROR_FIELD] = "error_field",
    [PYR_FAULT_DONE_ALONE] = "done_alone",
    [PYR_FAULT_HANG_UP] = "hang_up",
};

static bool parse_fault(const char *value, struct pyr_schedule *plan, struct pyr_err *err) {
    for (size_t i = 0; i < sizeof fault_names / sizeof *fault_names; i++) {
        if (strcmp(fault_names[i], value) == 0) {
            plan->fault = (enum pyr_fault)i;
            return true;
        }
    }
    return pyr_fail(err, PYR_E_USAGE, "%s: no such fault", value);
}

static bool parse_key(const char *key, const char *value, struct pyr_schedule *plan,
                      struct pyr_err *err) {
    const struct {
        const char *key;
        uint64_t *ns;
    } durations[] = {{"ttft", &plan->ttft_ns}, {"itl", &plan->itl_ns}, {"hold", &plan->hold_ns}};
    const struct {
        const char *key;
        uint32_t *count;
    } counts[] = {{"tokens", &plan->tokens},
                  {"burst", &plan->burst},
                  {"multi", &plan->multi},
                  {"reasoning", &plan->reasoning},
                  {"at", &plan->at},
                  {"eos", &plan->eos},
                  {"retry_after", &plan->retry_after},
                  {"loading", &plan->loading},
                  {"template", &plan->template_tokens}};
    const struct {
        const char *key;
        bool *flag;
    } flags[] = {{"batch", &plan->batch},        {"spread", &plan->spread}, {"role", &plan->role},
                 {"usage", &plan->usage},        {"strict", &plan->strict}, {"glue", &plan->glue},
                 {"tokenizer", &plan->tokenizer}};
    for (size_t i = 0; i < sizeof durations / sizeof *durations; i++)
        if (strcmp(key, durations[i].key) == 0)
            return pyr_parse_duration_ns(value, durations[i].ns, err);
    uint64_t number = 0;
    if (strcmp(key, "fault") == 0)
        return parse_fault(value, plan, err);
    if (!pyr_parse_u64(value, &number, err))
        return false;
    if (number > UINT32_MAX)
        return pyr_fail(err, PYR_E_USAGE, "%s=%s: too large", key, value);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        if (strcmp(key, counts[i].key) == 0) {
            *counts[i].count = (uint32_t)number;
            return true;
        }
    }
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        if (strcmp(key, flags[i].key) == 0) {
            *flags[i].flag = number != 0;
            return true;
        }
    }
    if (strcmp(key, "status") != 0 || number < 200 || number > 599)
        return pyr_fail(err, PYR_E_USAGE, "%s=%s: no such key or value", key, value);
    plan->status = (uint16_t)number;
    return true;
}

bool pyr_plan_parse(const char *text, size_t bytes, struct pyr_schedule *plan,
                    struct pyr_err *err) {
    while (bytes) {
        const char *comma = memchr(text, ',', bytes);
        size_t length = comma ? (size_t)(comma - text) : bytes;
        char pair[64];
        snprintf(pair, sizeof pair, "%.*s", length < sizeof pair ? (int)length : 63, text);
        char *value = strchr(pair, '=');
        if (!value || length >= sizeof pair)
            return pyr_fail(err, PYR_E_USAGE, "%s: a plan is key=value,...", pair);
        *value++ = '\0';
        if (!parse_key(pair, value, plan, err))
            return false;
        text += length + (comma ? 1 : 0);
        bytes -= length + (comma ? 1 : 0);
    }
    if (plan->burst == 0 || plan->multi == 0)
        return pyr_fail(err, PYR_E_USAGE, "burst and multi are at least 1");
    return true;
}

uint64_t pyr_plan_due_ns(const struct pyr_schedule *plan, uint64_t arrived_ns, uint32_t stream,
                         uint32_t token) {
    uint64_t first = arrived_ns + plan->ttft_ns;
    if (plan->spread && plan->itl_ns)
        first += pyr_mix64(stream) % plan->itl_ns;
    if (plan->batch && plan->itl_ns)
        first += (plan->itl_ns - first % plan->itl_ns) % plan->itl_ns;
    return first + token / (plan->burst * plan->multi) * plan->itl_ns;
}

/* The last string under "content" or "prompt" is the prompt: messages end with the user's. */
static void take_prompt(struct pyr_plan_request *request, const struct pyr_json_scan *scan) {
    uint64_t hash = PYR_FNV1A64_INIT;
    const char *at = scan->text, *end = at + scan->text_bytes;
    size_t bytes = 0, kept = 0;
    char text[sizeof request->plan];
    while (at < end) {
        char one[4];
        size_t count = pyr_json_decode_one(&at, end, one);
        hash = pyr_fnv1a64(hash, one, count);
        for (size_t i = 0; i < count && kept < sizeof text - 1; i++)
            text[kept++] = one[i];
        bytes += count;
    }
    text[kept] = '\0';
    request->prompt_hash = hash;
    request->prompt_bytes = bytes;
    char *stop = strchr(text, ';');
    request->has_plan = strncmp(text, "plan:", 5) == 0 && stop;
    if (request->has_plan) {
        *stop = '\0';
        snprintf(request->plan, sizeof request->plan, "%s", text + 5);
    }
}

void pyr_plan_read_request(const char *body, size_t bytes, bool chat,
                           struct pyr_plan_request *request) {
    *request = (struct pyr_plan_request){.chat = chat, .asked_tokens = 16};
    struct pyr_json_scan scan;
    pyr_json_scan_init(&scan, body, bytes);
    enum pyr_json_token token;
    while ((token = pyr_json_scan_next(&scan)) != PYR_JSON_BAD && token != PYR_JSON_END) {
        if (token != PYR_JSON_KEY)
            continue;
        struct pyr_json_scan key = scan;
        token = pyr_json_scan_next(&scan);
        uint64_t count = 0;
        if (token == PYR_JSON_TRUE || token == PYR_JSON_FALSE) {
            bool on = token == PYR_JSON_TRUE;
            if (pyr_json_scan_is(&key, "stream"))
                request->stream = on;
            else if (pyr_json_scan_is(&key, "include_usage"))
                request->include_usage = on;
            else if (pyr_json_scan_is(&key, "ignore_eos"))
                request->ignore_eos = on;
        } else if (token == PYR_JSON_NUMBER && pyr_json_scan_count(&scan, &count)) {
            if (pyr_json_scan_is(&key, "max_tokens") ||
                pyr_json_scan_is(&key, "max_completion_tokens"))
                request->asked_tokens = (uint32_t)count;
            request->min_tokens |= pyr_json_scan_is(&key, "min_tokens");
        } else if (token == PYR_JSON_STRING) {
            if (pyr_json_scan_is(&key, chat ? "content" : "prompt"))
                take_prompt(request, &scan);
            else if (pyr_json_scan_is(&key, "model"))
                snprintf(request->model, sizeof request->model, "%.*s",
                         scan.text_bytes < 64 ? (int)scan.text_bytes : 63, scan.text);
        }
    }
    request->good = token == PYR_JSON_END;
}
