/* SPDX-License-Identifier: MIT */
#include "estimate/hist.h"

#include "base/mem.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static const unsigned char magic[4] = {'P', 'Y', 'R', 'H'};
enum { VERSION = 1, SCHEMA = 8 };

struct pyr_hist *pyr_hist_create(void) {
    return pyr_xcalloc(1, sizeof(struct pyr_hist));
}

void pyr_hist_destroy(struct pyr_hist *hist) {
    pyr_free(hist);
}

void pyr_hist_reset(struct pyr_hist *hist) {
    memset(hist, 0, sizeof *hist);
}

bool pyr_hist_merge(struct pyr_hist *into, const struct pyr_hist *from, struct pyr_err *err) {
    if (from->count > PYR_HIST_COUNT_MAX || into->count > PYR_HIST_COUNT_MAX - from->count)
        return pyr_fail(err, PYR_E_INPUT,
                        "histogram: more than 2^53 values after merging; merge fewer runs");
    if (from->count == 0)
        return true;
    if (into->count == 0 || from->min < into->min)
        into->min = from->min;
    if (from->max > into->max)
        into->max = from->max;
    into->count += from->count;
    into->zero += from->zero;
    into->overflow += from->overflow;
    into->sum += from->sum;
    for (unsigned k = 0; k < PYR_HIST_SLOTS; k++)
        into->slots[k] += from->slots[k];
    return true;
}

static uint64_t slot_upper(unsigned slot) {
    unsigned octave = slot / 256, j = slot % 256;
    return pyr_hist_octave[j] >> (63 - octave);
}

void pyr_hist_slot_range(unsigned slot, uint64_t *lo, uint64_t *hi) {
    assert(slot < PYR_HIST_SLOTS);
    *hi = slot_upper(slot);
    *lo = slot == 0 ? 1 : slot_upper(slot - 1) + 1;
}

static struct pyr_hist_value value_of_slot(const struct pyr_hist *hist, unsigned slot) {
    struct pyr_hist_value result;
    pyr_hist_slot_range(slot, &result.lo, &result.hi);
    if (result.lo < hist->min)
        result.lo = hist->min;
    if (result.hi > hist->max)
        result.hi = hist->max;
    double middle = exp2((slot - 0.5) / 256);
    result.value = fmin(fmax(middle, (double)result.lo), (double)result.hi);
    return result;
}

struct pyr_hist_value pyr_hist_at_rank(const struct pyr_hist *hist, uint64_t rank) {
    assert(rank >= 1 && rank <= hist->count);
    if (rank <= hist->zero)
        return (struct pyr_hist_value){0};
    uint64_t seen = hist->zero;
    for (unsigned k = 0; k < PYR_HIST_SLOTS; k++) {
        seen += hist->slots[k];
        if (rank <= seen)
            return value_of_slot(hist, k);
    }
    return (struct pyr_hist_value){.value = NAN, .lo = (UINT64_C(1) << 63) + 1, .hi = hist->max};
}

uint64_t pyr_hist_count_upto(const struct pyr_hist *hist, unsigned slot) {
    assert(slot < PYR_HIST_SLOTS);
    uint64_t seen = hist->zero;
    for (unsigned k = 0; k <= slot; k++)
        seen += hist->slots[k];
    return seen;
}

uint64_t pyr_hist_count_above(const struct pyr_hist *hist, uint64_t limit) {
    if (limit > UINT64_C(1) << 63)
        return hist->overflow;
    if (limit == 0)
        return hist->count - hist->zero;
    return hist->count - pyr_hist_count_upto(hist, pyr_hist_slot(limit));
}

double pyr_hist_mean(const struct pyr_hist *hist) {
    return hist->count == 0 ? (double)NAN : (double)hist->sum / (double)hist->count;
}

double pyr_hist_sd(const struct pyr_hist *hist) {
    if (hist->count < 2 || hist->overflow > 0)
        return NAN;
    double mean = pyr_hist_mean(hist);
    double squares = (double)hist->zero * mean * mean;
    for (unsigned k = 0; k < PYR_HIST_SLOTS; k++) {
        if (hist->slots[k] == 0)
            continue;
        double off = value_of_slot(hist, k).value - mean;
        squares += (double)hist->slots[k] * off * off;
    }
    return sqrt(squares / ((double)hist->count - 1));
}

static void put_number(struct pyr_buf *buf, uint64_t number) {
    unsigned char bytes[10];
    size_t used = 0;
    do {
        bytes[used++] = (unsigned char)((number & 127) | (number > 127 ? 128 : 0));
        number >>= 7;
    } while (number > 0);
    pyr_buf_append(buf, bytes, used);
}

void pyr_hist_write(const struct pyr_hist *hist, struct pyr_buf *buf) {
    const unsigned char head[2] = {VERSION, SCHEMA};
    pyr_buf_append(buf, magic, sizeof magic);
    pyr_buf_append(buf, head, sizeof head);
    put_number(buf, hist->zero);
    put_number(buf, hist->overflow);
    put_number(buf, hist->min);
    put_number(buf, hist->max);
    put_number(buf, (uint64_t)hist->sum);
    put_number(buf, (uint64_t)(hist->sum >> 64));
    uint64_t used = 0;
    for (unsigned k = 0; k < PYR_HIST_SLOTS; k++)
        used += hist->slots[k] > 0;
    put_number(buf, used);
    unsigned next = 0;
    for (unsigned k = 0; k < PYR_HIST_SLOTS; k++) {
        if (hist->slots[k] == 0)
            continue;
        put_number(buf, k - next);
        put_number(buf, hist->slots[k]);
        next = k + 1;
    }
}

struct reader {
    const unsigned char *at, *end;
    bool failed;
};

static uint64_t take_number(struct reader *reader) {
    uint64_t number = 0;
    for (unsigned shift = 0; shift < 70 && reader->at < reader->end; shift += 7) {
        unsigned char byte = *reader->at++;
        bool last = byte < 128, too_great = shift == 63 && byte > 1,
             padded = shift > 0 && byte == 0;
        if (too_great || padded)
            break;
        number |= (uint64_t)(byte & 127) << shift;
        if (last)
            return number;
    }
    reader->failed = true;
    return 0;
}

static bool read_slots(struct pyr_hist *hist, struct reader *reader) {
    uint64_t used = take_number(reader), next = 0;
    if (used > PYR_HIST_SLOTS)
        return false;
    for (uint64_t i = 0; i < used && !reader->failed; i++) {
        uint64_t gap = take_number(reader), times = take_number(reader);
        if (gap >= PYR_HIST_SLOTS || next + gap >= PYR_HIST_SLOTS || times == 0 ||
            times > PYR_HIST_COUNT_MAX - hist->count)
            return false;
        hist->slots[next + gap] = times;
        hist->count += times;
        next += gap + 1;
    }
    return !reader->failed;
}

/* Whether min, max and sum can belong to these counts. */
static bool parts_agree(const struct pyr_hist *hist) {
    if (hist->count == 0)
        return hist->min == 0 && hist->max == 0 && hist->sum == 0;
    const uint64_t overflow_from = (UINT64_C(1) << 63) + 1;
    unsigned __int128 least = (unsigned __int128)hist->overflow * overflow_from;
    unsigned __int128 most = (unsigned __int128)hist->overflow * UINT64_MAX;
    uint64_t first_lo = 0, first_hi = 0, last_lo = 0, last_hi = 0;
    bool any = hist->zero > 0;
    for (unsigned k = 0; k < PYR_HIST_SLOTS; k++) {
        if (hist->slots[k] == 0)
            continue;
        uint64_t lo, hi;
        pyr_hist_slot_range(k, &lo, &hi);
        if (lo > hi)
            return false;
        if (!any)
            first_lo = lo, first_hi = hi;
        any = true;
        last_lo = lo, last_hi = hi;
        least += (unsigned __int128)hist->slots[k] * lo;
        most += (unsigned __int128)hist->slots[k] * hi;
    }
    if (hist->overflow > 0) {
        last_lo = overflow_from, last_hi = UINT64_MAX;
        if (!any)
            first_lo = last_lo, first_hi = last_hi;
    }
    return hist->min >= first_lo && hist->min <= first_hi && hist->max >= last_lo &&
           hist->max <= last_hi && hist->min <= hist->max && hist->sum >= least &&
           hist->sum <= most;
}

bool pyr_hist_read(struct pyr_hist *hist, const void *bytes, size_t size, struct pyr_err *err) {
    struct reader reader = {bytes, (const unsigned char *)bytes + size, false};
    pyr_hist_reset(hist);
    if (size < 6 || memcmp(bytes, magic, sizeof magic) != 0)
        return pyr_fail(err, PYR_E_INPUT, "histogram: not one of ours (no PYRH at its start)");
    if (reader.at[4] != VERSION || reader.at[5] != SCHEMA)
        return pyr_fail(err, PYR_E_UNSUPPORTED,
                        "histogram: version %u schema %u, this program reads version %d schema %d; "
                        "use the program that wrote it",
                        reader.at[4], reader.at[5], VERSION, SCHEMA);
    reader.at += 6;
    hist->zero = take_number(&reader);
    hist->overflow = take_number(&reader);
    hist->min = take_number(&reader);
    hist->max = take_number(&reader);
    hist->sum = take_number(&reader);
    hist->sum |= (unsigned __int128)take_number(&reader) << 64;
    bool fine = !reader.failed && hist->zero <= PYR_HIST_COUNT_MAX &&
                hist->overflow <= PYR_HIST_COUNT_MAX - hist->zero;
    hist->count = fine ? hist->zero + hist->overflow : 0;
    fine = fine && read_slots(hist, &reader) && reader.at == reader.end && parts_agree(hist);
    if (fine)
        return true;
    pyr_hist_reset(hist);
    return pyr_fail(
        err, PYR_E_INPUT,
        "histogram: damaged (its %zu bytes do not make a whole histogram); measure again", size);
}
