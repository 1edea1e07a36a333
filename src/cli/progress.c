/* SPDX-License-Identifier: MIT */
#include "cli/progress.h"

#include "cli/terminal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define REDRAW_NS (PYR_NS_PER_S / 4)
#define LINE_NS (10 * PYR_NS_PER_S)
enum { LINE_BYTES = 512, BAR_CELLS = 16 };

void pyr_progress_init(struct pyr_progress *progress, enum pyr_progress_style style, int fd,
                       unsigned width, const struct pyr_clock *clock) {
    *progress = (struct pyr_progress){.style = style, .fd = fd, .width = width, .clock = clock};
    if (style == PYR_PROGRESS_LINES) /* the first seconds need no line */
        progress->due_ns = pyr_now_ns(clock) + LINE_NS;
}

/* Appends to line, never beyond its end. */
static void add(char *line, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void add(char *line, size_t size, const char *format, ...) {
    size_t used = strlen(line);
    va_list args;
    va_start(args, format);
    vsnprintf(line + used, size - used, format, args);
    va_end(args);
}

static void add_clock(char *line, size_t size, double seconds) {
    unsigned long whole = seconds > 0 ? (unsigned long)(seconds + 0.5) : 0;
    if (whole >= 3600)
        add(line, size, "%lu:%02lu:%02lu", whole / 3600, whole / 60 % 60, whole % 60);
    else
        add(line, size, "%lu:%02lu", whole / 60, whole % 60);
}

static void add_time(char *line, size_t size, double ns) {
    if (ns < 1e6)
        add(line, size, "%.0f us", ns / 1e3);
    else if (ns < 1e9)
        add(line, size, "%.3g ms", ns / 1e6);
    else
        add(line, size, "%.3g s", ns / 1e9);
}

void pyr_progress_format(const struct pyr_bench_progress *figures, bool bar, unsigned width,
                         char *line, size_t size) {
    double all = figures->elapsed_s + figures->remaining_s; /* NaN while unknown */
    double share = all > 0 ? figures->elapsed_s / all : 0;
    line[0] = '\0';
    if (bar) {
        int full = (int)(share * BAR_CELLS);
        add(line, size, "[");
        for (int i = 0; i < BAR_CELLS; i++)
            add(line, size, "%c", i < full ? '#' : '.');
        add(line, size, "] ");
    }
    add_clock(line, size, figures->elapsed_s);
    add(line, size, " elapsed");
    if (!isnan(figures->remaining_s)) {
        add(line, size, ", ");
        add_clock(line, size, figures->remaining_s);
        add(line, size, " left");
    }
    if (figures->stage) {
        add(line, size, " | %s", figures->stage);
        if (bar && width > 1 && strlen(line) > width - 1)
            line[width - 1] = '\0';
        return;
    }
    if (figures->case_id)
        add(line, size, " | %u/%u %s", figures->case_index + 1, figures->case_count,
            figures->case_id);
    add(line, size, " | %llu ok", (unsigned long long)figures->ok);
    if (figures->failed)
        add(line, size, ", %llu failed", (unsigned long long)figures->failed);
    add(line, size, ", %llu in flight", (unsigned long long)figures->in_flight);
    if (figures->output_tokens_per_s > 0)
        add(line, size, " | %.3g tok/s", figures->output_tokens_per_s);
    if (!isnan(figures->ttft_p50_ns)) {
        add(line, size, ", TTFT p50 ");
        add_time(line, size, figures->ttft_p50_ns);
    }
    if (!isnan(figures->latency_p50_ns)) {
        add(line, size, ", latency p50 ");
        add_time(line, size, figures->latency_p50_ns);
    }
    if (!isnan(figures->latency_p90_ns)) {
        add(line, size, " p90 ");
        add_time(line, size, figures->latency_p90_ns);
    }
    if (bar && width > 1 && strlen(line) > width - 1)
        line[width - 1] = '\0'; /* a line that wraps could not be taken back */
}

void pyr_progress_update(void *context, const struct pyr_bench_progress *figures) {
    struct pyr_progress *progress = context;
    char line[LINE_BYTES], out[LINE_BYTES + 16];
    uint64_t now = pyr_now_ns(progress->clock);
    bool new_stage = figures->stage && figures->stage != progress->stage;
    progress->stage = figures->stage;
    if (progress->style == PYR_PROGRESS_NONE || (now < progress->due_ns && !new_stage))
        return;
    bool bar = progress->style == PYR_PROGRESS_BAR;
    progress->due_ns = now + (bar ? REDRAW_NS : LINE_NS);
    if (bar)
        progress->width = pyr_terminal_width(progress->fd, progress->width);
    pyr_progress_format(figures, bar, progress->width, line, sizeof line);
    /* ESC [K clears what a longer line before it left. */
    int length = snprintf(out, sizeof out, bar ? "\r%s\033[K" : "%s\n", line);
    (void)!write(progress->fd, out, (size_t)length);
    progress->drawn = bar;
}

void pyr_progress_clear(struct pyr_progress *progress) {
    if (progress->drawn)
        (void)!write(progress->fd, "\r\033[K", 4);
    progress->drawn = false;
}
