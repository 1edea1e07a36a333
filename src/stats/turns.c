/* SPDX-License-Identifier: MIT */
#include "stats/turns.h"

#include "base/mem.h"
#include "estimate/quantile.h"
#include "stats/window.h"

#include <math.h>

enum { TURNS_MAX = 12 }; /* what a screen holds; later ones share the last row */

static size_t row_of(const struct pyr_request *request) {
    return request->session < TURNS_MAX ? request->session : TURNS_MAX - 1;
}

/* The times of one turn, in order of the requests, as keys: from sent to first or last content. */
static size_t gather(const struct pyr_case_data *data, size_t row, bool first, uint64_t *keys) {
    size_t n = 0;
    for (size_t i = 0; i < data->count; i++) {
        const struct pyr_request *request = &data->requests[i];
        uint64_t end_ns = first ? request->first_content_ns : request->last_content_ns;
        if (request->outcome == PYR_OUTCOME_OK && row_of(request) == row &&
            pyr_in_span(data->steady, request) && end_ns >= request->sent_ns &&
            request->sent_ns > 0)
            keys[n++] = end_ns - request->sent_ns;
    }
    return n;
}

/* Quantiles of keys[0 .. n); the memory behind them is lent: keys holds three times as many. */
static void quantiles(uint64_t *keys, size_t n, size_t room, const double *qs, size_t count,
                      struct pyr_arena *arena, struct pyr_quantile *out) {
    uint64_t *sorted = keys + room;
    memcpy(sorted, keys, n * sizeof *keys);
    pyr_sort_keys(sorted, keys + 2 * room, n);
    const struct pyr_sample sample = {.in_order = keys, .sorted = sorted, .n = n};
    pyr_quantiles(&sample, qs, count, arena, out);
}

static void fill_times(const struct pyr_case_data *data, size_t row, uint64_t *keys,
                       struct pyr_arena *arena, struct pyr_turn_result *turn) {
    static const double levels[] = {0.5, 0.9};
    struct pyr_quantile at[2];
    quantiles(keys, gather(data, row, true, keys), data->count, levels, 2, arena, at);
    turn->ttft_p50_ns = at[0].estimate;
    turn->ttft_p90_ns = at[1].estimate;
    quantiles(keys, gather(data, row, false, keys), data->count, levels, 1, arena, at);
    turn->latency_p50_ns = at[0].estimate;
}

void pyr_turns_make(const struct pyr_case_data *data, struct pyr_arena *arena,
                    struct pyr_case_result *result) {
    size_t rows = 0;
    uint16_t last = 0;
    for (size_t i = 0; i < data->count; i++) {
        rows = row_of(&data->requests[i]) >= rows ? row_of(&data->requests[i]) + 1 : rows;
        last = data->requests[i].session > last ? data->requests[i].session : last;
    }
    if (rows < 2)
        return;
    struct pyr_turn_result *turns = pyr_arena_array(arena, rows, sizeof *turns);
    for (size_t row = 0; row < rows; row++)
        turns[row] = (struct pyr_turn_result){.turn = (uint32_t)row,
                                              .and_later = row + 1 == TURNS_MAX && last > row};
    for (size_t i = 0; i < data->count; i++) {
        const struct pyr_request *request = &data->requests[i];
        struct pyr_turn_result *turn = &turns[row_of(request)];
        if (!pyr_in_span(data->steady, request))
            continue;
        turn->requests++;
        if (request->outcome != PYR_OUTCOME_OK)
            continue;
        turn->ok++;
        turn->prompt_tokens += request->flags & PYR_REQUEST_USAGE ? request->usage_prompt_tokens
                                                                  : request->prompt_tokens;
        turn->output_tokens += pyr_request_tokens(request);
    }
    uint64_t *keys = pyr_xcalloc(3 * data->count, sizeof *keys);
    for (size_t row = 0; row < rows; row++) {
        fill_times(data, row, keys, arena, &turns[row]);
        turns[row].prompt_tokens /= (double)turns[row].ok;
        turns[row].output_tokens /= (double)turns[row].ok;
    }
    pyr_free(keys);
    result->turns = turns;
    result->turn_count = rows;
}
