/* SPDX-License-Identifier: MIT */
#include "report/comparison.h"

#include "report/figures.h"

#include <math.h>
#include <string.h>

void pyr_comparison_put_side(struct pyr_buf *buf, const struct pyr_compared_metric *metric,
                             const struct pyr_estimate *side) {
    if (isnan(side->value)) {
        pyr_buf_putc(buf, '-');
        return;
    }
    double largest = fmax(metric->baseline.value, metric->current.value);
    struct pyr_scale scale = pyr_scale_for(pyr_metric_info(metric->metric)->unit, largest);
    pyr_put_number(buf, side->value * scale.factor);
    if (*scale.unit)
        pyr_buf_printf(buf, " %s", scale.unit);
}

int pyr_comparison_digits(const struct pyr_estimate *ratio) {
    return ratio->hi > 2 || ratio->value > 2 ? 0 : 1;
}

void pyr_comparison_put_change(struct pyr_buf *buf, const struct pyr_compared_metric *metric) {
    const struct pyr_estimate *ratio = &metric->ratio;
    if (metric->metric == PYR_M_ERROR_RATE) {
        pyr_buf_printf(buf, "%+.2f points", 100 * (metric->current.value - metric->baseline.value));
        return;
    }
    if (isnan(ratio->value)) {
        if (metric->baseline.value > 0 && metric->current.value > 0)
            pyr_buf_printf(buf, "%+.1f %% [?, ?]",
                           100 * (metric->current.value / metric->baseline.value - 1));
        else
            pyr_buf_putc(buf, '-');
        return;
    }
    pyr_buf_printf(buf, "%+.*f %%", pyr_comparison_digits(ratio), 100 * (ratio->value - 1));
    if (pyr_estimate_is_bounded(ratio) && ratio->lo < ratio->hi)
        pyr_buf_printf(buf, " [%+.*f, %+.*f]", pyr_comparison_digits(ratio), 100 * (ratio->lo - 1),
                       pyr_comparison_digits(ratio), 100 * (ratio->hi - 1));
}

void pyr_comparison_put_name(struct pyr_buf *buf, const struct pyr_compared_metric *metric) {
    pyr_buf_puts(buf, pyr_metric_info(metric->metric)->label);
    if (strcmp(metric->statistic, "value") != 0)
        pyr_buf_printf(buf, " %s", metric->statistic);
}

void pyr_comparison_put_all(struct pyr_buf *text, const struct pyr_compared_metric *metric) {
    pyr_comparison_put_side(text, metric, &metric->baseline);
    pyr_buf_puts(text, " before, ");
    pyr_comparison_put_side(text, metric, &metric->current);
    pyr_buf_puts(text, " now, ");
    pyr_comparison_put_change(text, metric);
    pyr_buf_printf(text, ", gate %.1f %%", 100 * metric->judgement.gate);
    if (metric->judgement.reason)
        pyr_buf_printf(text, " (%s)", metric->judgement.reason);
}
