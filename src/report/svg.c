/* SPDX-License-Identifier: MIT */
#include "report/svg.h"

#include "codec/escape.h"

#include <math.h>
#include <string.h>

/* The drawing and the frame of its axes. */
enum { WIDTH = 720, HEIGHT = 440, LEFT = 96, RIGHT = 700, TOP = 24, BOTTOM = 352 };

/* --- axes ------------------------------------------------------------------------------------ */

void pyr_axis_hold(struct pyr_axis *axis, double value) {
    if (!isfinite(value))
        return;
    axis->low = fmin(axis->low, value);
    axis->high = fmax(axis->high, value);
}

static void add_tick(struct pyr_axis *axis, double value) {
    if (axis->tick_count < PYR_CHART_TICKS)
        axis->ticks[axis->tick_count++] = value;
}

/* The smallest of 1, 2, 5 times a power of ten that is at least `rough`. */
static double nice_step(double rough) {
    double power = pow(10, floor(log10(rough)));
    double share = rough / power;
    return power * (share <= 1 ? 1 : share <= 2 ? 2 : share <= 5 ? 5 : 10);
}

static void set_linear(struct pyr_axis *axis) {
    if (axis->low > 0 && axis->low < 0.5 * axis->high)
        axis->low = 0;
    if (axis->high <= axis->low) {
        double room = fabs(axis->low) > 0 ? fabs(axis->low) * 0.1 : 1;
        axis->low -= axis->low == 0 ? 0 : room;
        axis->high += room;
    }
    double step = nice_step((axis->high - axis->low) / 5);
    axis->low = floor(axis->low / step + 1e-9) * step;
    axis->high = ceil(axis->high / step - 1e-9) * step;
    long count = lround((axis->high - axis->low) / step);
    for (long i = 0; i <= count; i++)
        add_tick(axis, axis->low + (double)i * step);
}

static void set_log(struct pyr_axis *axis) {
    static const double steps[] = {1, 2, 5};
    axis->low *= 0.9;
    axis->high *= 1.1;
    double decades = log10(axis->high / axis->low);
    for (int power = (int)floor(log10(axis->low)); power <= (int)ceil(log10(axis->high)); power++)
        for (int i = 0; i < (decades > 3 ? 1 : 3); i++) {
            double value = steps[i] * pow(10, power);
            if (value >= axis->low && value <= axis->high)
                add_tick(axis, value);
        }
}

static void set_quantile(struct pyr_axis *axis) {
    static const double ticks[] = {0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999};
    axis->low = 0;
    /* A little beyond the deepest, so that its mark is not cut by the frame. */
    axis->high = 1 - (1 - fmax(axis->high, 0.9)) / 1.2;
    for (size_t i = 0; i < sizeof ticks / sizeof *ticks; i++)
        if (ticks[i] <= axis->high)
            add_tick(axis, ticks[i]);
}

bool pyr_axis_set(struct pyr_axis *axis) {
    axis->tick_count = 0;
    if (!(axis->low <= axis->high))
        return false;
    if (axis->kind == PYR_AXIS_LOG && axis->low <= 0)
        axis->kind = PYR_AXIS_LINEAR;
    if (axis->kind == PYR_AXIS_QUANTILE)
        set_quantile(axis);
    else if (axis->kind == PYR_AXIS_LOG)
        set_log(axis);
    else
        set_linear(axis);
    return true;
}

void pyr_axis_ticks_at(struct pyr_axis *axis, const double *values, size_t count) {
    axis->tick_count = 0;
    for (size_t i = 0; i < count; i++)
        add_tick(axis, values[i]);
}

static double along(const struct pyr_axis *axis, double value) {
    if (axis->kind == PYR_AXIS_QUANTILE) {
        double end = -log10(1 - axis->high);
        return -log10(fmax(1 - value, 1e-300)) / end;
    }
    if (axis->kind == PYR_AXIS_LOG)
        return log(value / axis->low) / log(axis->high / axis->low);
    return (value - axis->low) / (axis->high - axis->low);
}

static int clamp(double share, int from, int to) {
    share = fmin(fmax(share, 0), 1);
    return (int)lround(from + share * (to - from));
}

static int x_of(const struct pyr_chart *chart, double value) {
    return clamp(along(&chart->x, value), LEFT, RIGHT);
}

static int y_of(const struct pyr_chart *chart, double value) {
    return clamp(along(&chart->y, value), BOTTOM, TOP);
}

/* --- the frame ------------------------------------------------------------------------------- */

static void put_tick_label(struct pyr_buf *out, const struct pyr_axis *axis, double value) {
    if (axis->kind == PYR_AXIS_QUANTILE) {
        pyr_buf_printf(out, "p%.10g", 100 * value);
        return;
    }
    if (fabs(value) < 1e-9 * (axis->high - axis->low))
        value = 0;
    if (fabs(value) >= 10000)
        pyr_buf_printf(out, "%gk", value / 1000);
    else
        pyr_buf_printf(out, "%.4g", value);
}

/* What the page's script reads values by: the kind and the ends of an axis. */
static void put_axis(struct pyr_buf *out, char name, const struct pyr_axis *axis) {
    static const char *const kinds[] = {
        [PYR_AXIS_LINEAR] = "n", [PYR_AXIS_LOG] = "l", [PYR_AXIS_QUANTILE] = "q"};
    pyr_buf_printf(out, " data-%c=\"%s %.9g %.9g\"", name, kinds[axis->kind], axis->low,
                   axis->high);
}

static void put_label(struct pyr_buf *out, const char *name, const char *label) {
    if (!label || !*label)
        return;
    pyr_buf_printf(out, " data-%s=\"", name);
    pyr_escape_html(out, label, strlen(label));
    pyr_buf_putc(out, '"');
}

void pyr_chart_begin(const struct pyr_chart *chart, const char *description) {
    struct pyr_buf *out = chart->out;
    pyr_buf_printf(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"", WIDTH, HEIGHT);
    pyr_escape_html(out, description, strlen(description));
    pyr_buf_putc(out, '"');
    put_axis(out, 'x', &chart->x);
    put_axis(out, 'y', &chart->y);
    put_label(out, "n", chart->x.label);
    put_label(out, "u", chart->y.label);
    pyr_buf_puts(out, chart->zoom ? " data-z=\"1\"" : "");
    pyr_buf_puts(out, "><path class=\"grid\" d=\"");
    for (size_t i = 0; i < chart->y.tick_count; i++)
        pyr_buf_printf(out, "M%d %dH%d", LEFT, y_of(chart, chart->y.ticks[i]), RIGHT);
    pyr_buf_puts(out, "\"/><path class=\"grid xg\" d=\"");
    for (size_t i = 0; i < chart->x.tick_count; i++)
        pyr_buf_printf(out, "M%d %dv8", x_of(chart, chart->x.ticks[i]), BOTTOM);
    pyr_buf_puts(out, "\"/><g class=\"yt\">");
    for (size_t i = 0; i < chart->y.tick_count; i++) {
        pyr_buf_printf(out, "<text x=\"%d\" y=\"%d\">", LEFT - 10,
                       y_of(chart, chart->y.ticks[i]) + 8);
        put_tick_label(out, &chart->y, chart->y.ticks[i]);
        pyr_buf_puts(out, "</text>");
    }
    pyr_buf_puts(out, "</g><g class=\"xt\">");
    int last = -1000;
    for (size_t i = 0; i < chart->x.tick_count; i++) {
        int x = x_of(chart, chart->x.ticks[i]);
        if (x - last < 52) /* would run into the one before */
            continue;
        last = x;
        pyr_buf_printf(out, "<text x=\"%d\" y=\"%d\">", x, BOTTOM + 32);
        put_tick_label(out, &chart->x, chart->x.ticks[i]);
        pyr_buf_puts(out, "</text>");
    }
    pyr_buf_printf(out, "<text x=\"%d\" y=\"%d\">", (LEFT + RIGHT) / 2, BOTTOM + 70);
    pyr_escape_html(out, chart->x.label, strlen(chart->x.label));
    pyr_buf_puts(out, "</text></g>");
}

void pyr_chart_end(const struct pyr_chart *chart) {
    pyr_buf_puts(chart->out, "</svg>");
}

/* --- marks ----------------------------------------------------------------------------------- */

/* Absolute at first, then steps from the point before. */
struct pen {
    struct pyr_buf *out;
    int x, y;
    bool down;
};

static bool after_command(const struct pyr_buf *out) {
    return out->data[out->length - 1] == 'l';
}

static void pen_to(struct pen *pen, int x, int y) {
    if (!pen->down)
        pyr_buf_printf(pen->out, "M%d %dl", x, y);
    else
        pyr_buf_printf(pen->out, "%s%d%s%d", x < pen->x || after_command(pen->out) ? "" : " ",
                       x - pen->x, y < pen->y ? "" : " ", y - pen->y);
    pen->x = x;
    pen->y = y;
    pen->down = true;
}

/* A path that ended right behind its "l" drew a single point: a line of no length shows it. */
static void pen_up(struct pen *pen) {
    if (pen->down && after_command(pen->out))
        pyr_buf_puts(pen->out, "0 0");
    pen->down = false;
}

void pyr_chart_line(const struct pyr_chart *chart, unsigned series, bool dashed, const double *x,
                    const double *y, size_t count) {
    pyr_buf_printf(chart->out, "<path class=\"l s%u%s\" d=\"", series % PYR_CHART_SERIES,
                   dashed ? " d" : "");
    struct pen pen = {.out = chart->out};
    for (size_t i = 0; i < count; i++) {
        if (isfinite(x[i]) && isfinite(y[i]))
            pen_to(&pen, x_of(chart, x[i]), y_of(chart, y[i]));
        else
            pen_up(&pen);
    }
    pen_up(&pen);
    pyr_buf_puts(chart->out, "\"/>");
}

void pyr_chart_band(const struct pyr_chart *chart, unsigned series, const double *x,
                    const double *lo, const double *hi, size_t count) {
    pyr_buf_printf(chart->out, "<path class=\"b s%u\" d=\"", series % PYR_CHART_SERIES);
    for (size_t first = 0; first < count;) {
        size_t last = first;
        while (last < count && isfinite(x[last]) && isfinite(lo[last]) && isfinite(hi[last]))
            last++;
        struct pen pen = {.out = chart->out};
        for (size_t i = first; i < last; i++)
            pen_to(&pen, x_of(chart, x[i]), y_of(chart, hi[i]));
        for (size_t i = last; i-- > first;)
            pen_to(&pen, x_of(chart, x[i]), y_of(chart, lo[i]));
        if (last > first)
            pyr_buf_putc(chart->out, 'z');
        first = last > first ? last : first + 1;
    }
    pyr_buf_puts(chart->out, "\"/>");
}

void pyr_chart_point(const struct pyr_chart *chart, unsigned series, double x, double y,
                     const char *title) {
    /* Circle, square, triangle, diamond, cross, plus: told apart without colour. */
    static const char *const shapes[PYR_CHART_SERIES] = {"m-7 0a7 7 0 1 0 14 0a7 7 0 1 0-14 0",
                                                         "m-6-6h12v12h-12z",
                                                         "m-8 6h16l-8-14z",
                                                         "m-8 0l8-8 8 8-8 8z",
                                                         "m-6-6l12 12m-12 0l12-12",
                                                         "m-8 0h16m-8-8v16"};
    if (!isfinite(x) || !isfinite(y))
        return;
    pyr_buf_printf(chart->out, "<path class=\"p s%u\" d=\"M%d %d%s\"><title>",
                   series % PYR_CHART_SERIES, x_of(chart, x), y_of(chart, y),
                   shapes[series % PYR_CHART_SERIES]);
    pyr_escape_html(chart->out, title, strlen(title));
    pyr_buf_puts(chart->out, "</title></path>");
}

void pyr_chart_steps(const struct pyr_chart *chart, unsigned series, const double *x,
                     const double *y, size_t count) {
    if (count < 2)
        return;
    int at = x_of(chart, x[0]), level = BOTTOM;
    pyr_buf_printf(chart->out, "<path class=\"f s%u\" d=\"M%d %d", series % PYR_CHART_SERIES, at,
                   BOTTOM);
    for (size_t i = 0; i < count; i++) {
        int next = x_of(chart, i + 1 < count ? x[i + 1] : 2 * x[i] - x[i - 1]);
        int top = isfinite(y[i]) ? y_of(chart, y[i]) : BOTTOM;
        if (top != level)
            pyr_buf_printf(chart->out, "V%d", top);
        pyr_buf_printf(chart->out, "h%d", next - at);
        level = top;
        at = next;
    }
    pyr_buf_printf(chart->out, "V%dz\"/>", BOTTOM);
}

void pyr_chart_shade(const struct pyr_chart *chart, double x_low, double x_high,
                     const char *title) {
    int left = x_of(chart, x_low), right = x_of(chart, x_high);
    pyr_buf_printf(chart->out, "<path class=\"h\" d=\"M%d %dH%dV%dH%dz\"><title>", left, TOP, right,
                   BOTTOM, left);
    pyr_escape_html(chart->out, title, strlen(title));
    pyr_buf_puts(chart->out, "</title></path>");
}

void pyr_chart_text(const struct pyr_chart *chart, double x, double y, const char *text) {
    if (!isfinite(x) || !isfinite(y))
        return;
    int at = x_of(chart, x), above = y_of(chart, y) - 14;
    pyr_buf_printf(chart->out, "<text class=\"a\" x=\"%d\" y=\"%d\">", at, above < 20 ? 20 : above);
    pyr_escape_html(chart->out, text, strlen(text));
    pyr_buf_puts(chart->out, "</text>");
}
