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

/* A piece of the line; the one with the greatest `spare` goes first when the line is too long. */
struct piece {
    char text[96];
    int spare; /* 0: never dropped */
};
enum { PIECES_MAX = 12 };

struct pieces {
    struct piece list[PIECES_MAX];
    size_t count;
};

static char *piece(struct pieces *pieces, int spare) {
    struct piece *one = &pieces->list[pieces->count++];
    one->text[0] = '\0';
    one->spare = spare;
    return one->text;
}

static void add_figures(struct pieces *pieces, const struct pyr_bench_progress *figures) {
    enum { SIZE = sizeof pieces->list[0].text };
    char *text = piece(pieces, 3);
    if (figures->case_id)
        add(text, SIZE, " | %u/%u %s", figures->case_index + 1, figures->case_count,
            figures->case_id);
    add(piece(pieces, 4), SIZE, " | %llu ok", (unsigned long long)figures->ok);
    if (figures->failed)
        add(piece(pieces, 1), SIZE, ", %llu failed", (unsigned long long)figures->failed);
    add(piece(pieces, 6), SIZE, ", %llu in flight", (unsigned long long)figures->in_flight);
    if (figures->drain_s > 0)
        add(piece(pieces, 7), SIZE, ", waited for at most %.3g s (--drain)", figures->drain_s);
    if (figures->output_tokens_per_s > 0)
        add(piece(pieces, 2), SIZE, " | %.3g tok/s", figures->output_tokens_per_s);
    if (!isnan(figures->ttft_p50_ns)) {
        add(text = piece(pieces, 5), SIZE, ", TTFT p50 ");
        add_time(text, SIZE, figures->ttft_p50_ns);
    }
    if (!isnan(figures->latency_p50_ns)) {
        add(text = piece(pieces, 8), SIZE, ", latency p50 ");
        add_time(text, SIZE, figures->latency_p50_ns);
    }
    if (!isnan(figures->latency_p90_ns)) {
        add(text = piece(pieces, 9), SIZE, " p90 ");
        add_time(text, SIZE, figures->latency_p90_ns);
    }
}

/* The whole line, after what can be spared was dropped until it fits. */
static void join(struct pieces *pieces, unsigned width, char *line, size_t size) {
    for (;;) {
        size_t length = 0, most = 0;
        for (size_t i = 0; i < pieces->count; i++) {
            length += strlen(pieces->list[i].text);
            if (pieces->list[i].text[0] && pieces->list[i].spare > pieces->list[most].spare)
                most = i;
        }
        if (length <= width || pieces->list[most].spare == 0)
            break;
        pieces->list[most].text[0] = '\0';
        pieces->list[most].spare = 0;
    }
    line[0] = '\0';
    for (size_t i = 0; i < pieces->count; i++)
        add(line, size, "%s", pieces->list[i].text);
}

void pyr_progress_format(const struct pyr_bench_progress *figures, bool bar, unsigned width,
                         char *line, size_t size) {
    enum { SIZE = sizeof((struct piece *)0)->text };
    double all = figures->elapsed_s + figures->remaining_s; /* NaN while unknown */
    double share = all > 0 ? figures->elapsed_s / all : 0;
    struct pieces pieces = {.count = 0};
    if (bar) {
        char *text = piece(&pieces, 7);
        int full = (int)(share * BAR_CELLS);
        add(text, SIZE, "[");
        for (int i = 0; i < BAR_CELLS; i++)
            add(text, SIZE, "%c", i < full ? '#' : '.');
        add(text, SIZE, "] ");
    }
    char *text = piece(&pieces, 0);
    add_clock(text, SIZE, figures->elapsed_s);
    add(text, SIZE, " elapsed");
    if (figures->remaining_s >= 1) {
        add(text, SIZE, ", ");
        add_clock(text, SIZE, figures->remaining_s);
        add(text, SIZE, " left");
    } else if (figures->remaining_s >= 0) {
        add(text, SIZE, ", ending"); /* what is in flight may take as long as it does */
    }
    if (figures->stage)
        add(piece(&pieces, 0), SIZE, " | %s", figures->stage);
    else
        add_figures(&pieces, figures);
    join(&pieces, bar && width > 1 ? width - 1 : LINE_BYTES, line, size);
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
