/* SPDX-License-Identifier: MIT */
#include "stats/verdict.h"

#include "base/mem.h"
#include "estimate/dist.h"

#include <assert.h>
#include <stdint.h>

const char *pyr_verdict_name(enum pyr_verdict verdict) {
    static const char *const names[] = {"INCOMPARABLE", "INCONCLUSIVE", "UNCHANGED", "IMPROVED",
                                        "REGRESSED"};
    return names[verdict];
}

/* At a true ln ratio of x the estimate exceeds both bars in 8 of 10 cases when x is .84 standard
 * errors above them: T' for the point, 1.96 standard errors for the interval (from T' where it must
 * lie beyond it). */
static double least_detectable(const struct pyr_estimate *worse, double gate, bool beyond) {
    const double z80 = 0.8416212335729143;
    double se = (log(worse->hi) - log(worse->lo)) / (2 * PYR_Z975);
    double bar = beyond ? log1p(gate) + PYR_Z975 * se : fmax(log1p(gate), PYR_Z975 * se);
    return expm1(bar + z80 * se);
}

/* The ratio turned so that above 1 is worse. */
static struct pyr_estimate turned(const struct pyr_estimate *ratio, bool higher_is_better) {
    if (!higher_is_better)
        return *ratio;
    return (struct pyr_estimate){
        .value = 1 / ratio->value, .lo = 1 / ratio->hi, .hi = 1 / ratio->lo};
}

/* Whether the whole interval of the difference lies within the absolute floor. */
static bool is_beneath_notice(const struct pyr_estimate *ratio, const struct pyr_gate *gate) {
    if (!(gate->absolute_floor > 0) || !(gate->level > 0))
        return false;
    return fabs(ratio->lo - 1) * gate->level < gate->absolute_floor &&
           fabs(ratio->hi - 1) * gate->level < gate->absolute_floor;
}

static bool is_below_floor(const struct pyr_estimate *ratio, const struct pyr_gate *gate) {
    return gate->absolute_floor > 0 && gate->level > 0 &&
           fabs(ratio->value - 1) * gate->level < gate->absolute_floor;
}

static bool varies_too_much(const struct pyr_estimate *ratio, const struct pyr_gate *gate) {
    return gate->spread > PYR_SPREAD_BORNE && gate->spread > fabs(log(ratio->value)) / 2;
}

static bool is_significant(double p) {
    return isnan(p) || p <= PYR_ALPHA_ONE_SIDED;
}

struct pyr_judgement pyr_judge(const struct pyr_estimate *ratio, const struct pyr_gate *gate,
                               double p_higher, double p_lower) {
    assert(gate->threshold >= 0);
    double floor_now = gate->noise_floor > 0 ? gate->noise_floor : 0;
    struct pyr_judgement result = {.verdict = PYR_INCOMPARABLE,
                                   .gate = fmax(gate->threshold, 1.5 * floor_now),
                                   .worse = NAN,
                                   .least_detectable = NAN,
                                   .reason = ratio->reason};
    if (!pyr_estimate_is_bounded(ratio) || !(ratio->lo > 0)) {
        if (!result.reason)
            result.reason = "no bounded ratio";
        return result;
    }
    struct pyr_estimate worse = turned(ratio, gate->higher_is_better);
    double p_worse = gate->higher_is_better ? p_lower : p_higher;
    double p_better = gate->higher_is_better ? p_higher : p_lower;
    double bar = 1 + gate->threshold, raised = 1 + result.gate;
    result.worse = worse.value - 1;
    result.least_detectable = least_detectable(&worse, result.gate, gate->beyond);
    result.reason = NULL;
    result.verdict = PYR_INCONCLUSIVE;
    bool worsened = worse.lo > 1, bettered = worse.hi < 1;
    double least_lo = gate->beyond ? raised : 1;
    if (varies_too_much(ratio, gate)) {
        result.reason = "the blocks vary by more than a quarter, which is more than pairs bear";
    } else if (is_beneath_notice(ratio, gate) || (worse.hi < bar && worse.lo > 1 / bar)) {
        result.verdict = PYR_UNCHANGED;
        if (is_beneath_notice(ratio, gate))
            result.reason = "the difference is below the metric's absolute floor";
    } else if (is_below_floor(ratio, gate)) {
        result.reason = "the difference is near the metric's absolute floor";
    } else if ((worsened && worse.value > bar && worse.value <= raised) ||
               (bettered && worse.value < 1 / bar && worse.value >= 1 / raised)) {
        result.reason = "beyond the threshold, but within 1.5 times the machine's noise floor";
    } else if ((worsened && worse.value > raised && !is_significant(p_worse)) ||
               (bettered && worse.value < 1 / raised && !is_significant(p_better))) {
        result.reason = "not significant beside the other gated metrics (Holm)";
    } else if (worse.lo > least_lo && worse.value > raised) {
        result.verdict = PYR_REGRESSED;
    } else if (worse.hi < 1 / least_lo && worse.value < 1 / raised) {
        result.verdict = PYR_IMPROVED;
    } else if ((worsened && worse.value > raised) || (bettered && worse.value < 1 / raised)) {
        result.reason = "beyond the gate, but its interval reaches below it";
    }
    return result;
}

void pyr_holm(const double *p, size_t n, double *adjusted) {
    double *step = pyr_xcalloc(n, sizeof *step), *kept = pyr_xcalloc(n, sizeof *kept);
    size_t family = 0;
    for (size_t i = 0; i < n; i++) {
        kept[i] = p[i];
        family += !isnan(p[i]);
    }
    for (size_t i = 0; i < n; i++) {
        size_t smaller = 0;
        for (size_t j = 0; j < n; j++)
            smaller += kept[j] < kept[i];
        step[i] = fmin(1, kept[i] * (double)(family - smaller));
    }
    for (size_t i = 0; i < n; i++) {
        adjusted[i] = isnan(kept[i]) ? (double)NAN : 0;
        for (size_t j = 0; j < n; j++)
            if (kept[j] <= kept[i])
                adjusted[i] = fmax(adjusted[i], step[j]);
    }
    pyr_free(kept);
    pyr_free(step);
}

enum pyr_verdict pyr_verdict_of_all(const enum pyr_verdict *verdicts, size_t n) {
    size_t counts[5] = {0};
    for (size_t i = 0; i < n; i++)
        counts[verdicts[i]]++;
    if (counts[PYR_REGRESSED] > 0)
        return PYR_REGRESSED;
    if (counts[PYR_INCOMPARABLE] == n)
        return PYR_INCOMPARABLE;
    if (counts[PYR_INCONCLUSIVE] + counts[PYR_INCOMPARABLE] > 0)
        return PYR_INCONCLUSIVE;
    return counts[PYR_IMPROVED] > 0 ? PYR_IMPROVED : PYR_UNCHANGED;
}
