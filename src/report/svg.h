/* SPDX-License-Identifier: MIT
 *
 * A chart as inline SVG: axes, lines, bands, points. Small on purpose and in bytes: coordinates are
 * whole half-pixels, paths relative. Colours and text sizes come from the page's style sheet by
 * class (report/html_style.c): "s0" to "s5" are the series.
 *
 * The drawing is 720 x 440 units, shown at half of that or more; text is 22 units high.
 */
#ifndef PYR_REPORT_SVG_H
#define PYR_REPORT_SVG_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

enum { PYR_CHART_SERIES = 6, PYR_CHART_TICKS = 12 };

enum pyr_axis_kind {
    PYR_AXIS_LINEAR,
    PYR_AXIS_LOG,     /* ticks at 1, 2, 5 of each decade */
    PYR_AXIS_QUANTILE /* values are quantiles 0..1, placed at -log10(1 - q) */
};

struct pyr_axis {
    enum pyr_axis_kind kind;
    double low, high;  /* in values; low < high once the axis is set */
    const char *label; /* drawn below the x axis; the y axis is named by the figure's caption */
    double ticks[PYR_CHART_TICKS];
    size_t tick_count;
};

struct pyr_chart {
    struct pyr_buf *out;
    struct pyr_axis x, y;
    bool zoom; /* a reader may look at a part of a linear x axis */
};

/* Widens [low, high] to hold the value; NaN and infinity leave it. Start from low = INFINITY, high
 * = -INFINITY. */
void pyr_axis_hold(struct pyr_axis *axis, double value);
/* Rounds the held range outwards and chooses the ticks. A linear axis starts at 0 unless its values
 * all lie in the upper half; a log axis must hold positive values only. False when it holds none.
 */
bool pyr_axis_set(struct pyr_axis *axis);
/* Ticks at these values alone (loads that were tried). At most PYR_CHART_TICKS are taken. */
void pyr_axis_ticks_at(struct pyr_axis *axis, const double *values, size_t count);

/* Between begin and end come the calls below, drawn in their order. Both axes must be set.
 * `description` is what a reader who cannot see it is told. */
void pyr_chart_begin(const struct pyr_chart *chart, const char *description);
void pyr_chart_end(const struct pyr_chart *chart);

/* Gaps where a value is NaN. `dashed` tells a second line of the series from its first. */
void pyr_chart_line(const struct pyr_chart *chart, unsigned series, bool dashed, const double *x,
                    const double *y, size_t count);
/* The area between lo and hi, where both are known. */
void pyr_chart_band(const struct pyr_chart *chart, unsigned series, const double *x,
                    const double *lo, const double *hi, size_t count);
/* One mark in the series' own shape, which names itself when pointed at. */
void pyr_chart_point(const struct pyr_chart *chart, unsigned series, double x, double y,
                     const char *title);
/* The area under a step line: y[i] from x[i] to x[i + 1], the last one as wide as the one before.
 */
void pyr_chart_steps(const struct pyr_chart *chart, unsigned series, const double *x,
                     const double *y, size_t count);
/* Shades x_low..x_high over the whole height. */
void pyr_chart_shade(const struct pyr_chart *chart, double x_low, double x_high, const char *title);
/* A text at a point. */
void pyr_chart_text(const struct pyr_chart *chart, double x, double y, const char *text);

#endif
