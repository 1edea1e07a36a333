/* SPDX-License-Identifier: MIT */
#include "suite/pattern.h"

#include "base/clock.h"
#include "base/parse.h"
#include "base/rng.h"

#include <math.h>
#include <string.h>

enum { KNOTS_MAX = 4096, PHASES_MAX = 512 };

struct maker {
    const struct pyr_pattern_options *options;
    struct pyr_arena *arena;
    struct pyr_curve_knot *knots;
    size_t knot_count;
    struct pyr_pattern_phase *phases;
    size_t phase_count;
    uint64_t at_ns;
    double last; /* value at at_ns */
};

static double shaped(const struct maker *m, double value) {
    double least = m->options->whole ? 1 : m->options->top * 0.01;
    value = fmin(fmax(value, least), m->options->top);
    return m->options->whole ? round(value) : value;
}

static void knot(struct maker *m, uint64_t at_ns, double value) {
    if (m->knot_count < KNOTS_MAX)
        m->knots[m->knot_count++] = (struct pyr_curve_knot){at_ns, value};
}

/* A straight line to `value`, `length` long; a jump first when `from` is not where the last piece
 * ended. A piece with a name is a phase of its own. */
static void piece(struct maker *m, const char *name, uint64_t length_ns, double from, double to) {
    from = shaped(m, from);
    to = shaped(m, to);
    knot(m, m->at_ns, from);
    if (name && m->phase_count < PHASES_MAX)
        m->phases[m->phase_count++] =
            (struct pyr_pattern_phase){name, m->at_ns, m->at_ns + length_ns};
    m->at_ns += length_ns;
    knot(m, m->at_ns, to);
    m->last = to;
}

/* The documents' ramps are 60 s up and 30 s down; in short runs they are a tenth each. */
static uint64_t ramp_ns(const struct maker *m, uint64_t usual_ns) {
    uint64_t tenth = m->options->duration_ns / 10;
    return tenth < usual_ns ? tenth : usual_ns;
}

static void steady(struct maker *m) {
    uint64_t up = ramp_ns(m, 60 * PYR_NS_PER_S), down = ramp_ns(m, 30 * PYR_NS_PER_S);
    piece(m, "ramp up", up, 0, m->options->top);
    piece(m, "hold", m->options->duration_ns - up - down, m->options->top, m->options->top);
    piece(m, "ramp down", down, m->options->top, 0);
}

static void ramp(struct maker *m) {
    /* In fifths, so that latency can be read against load. */
    static const char *const names[] = {"ramp 0-20 %", "ramp 20-40 %", "ramp 40-60 %",
                                        "ramp 60-80 %", "ramp 80-100 %"};
    uint64_t part = m->options->duration_ns / 6;
    for (int i = 0; i < 5; i++)
        piece(m, names[i], part, m->options->top * i / 5, m->options->top * (i + 1) / 5);
    /* The way down shows whether the target comes back to what it was on the way up. */
    piece(m, "ramp down", m->options->duration_ns - m->at_ns, m->options->top, 0);
}

static void spike(struct maker *m) {
    const struct pyr_pattern_options *o = m->options;
    double height = o->spike_height > 1 ? o->spike_height : 3;
    uint64_t period = o->spike_period_ns ? o->spike_period_ns : 30 * PYR_NS_PER_S;
    if (!o->spike_period_ns && period > o->duration_ns / 5)
        period = o->duration_ns / 5;
    uint64_t width = o->spike_width_ns ? o->spike_width_ns : period / 5;
    double base = o->top / height;
    while (m->at_ns + period <= o->duration_ns && m->phase_count + 2 <= PHASES_MAX) {
        piece(m, "base", period - width, base, base);
        piece(m, "spike", width, o->top, o->top);
    }
    if (m->at_ns < o->duration_ns)
        piece(m, "base", o->duration_ns - m->at_ns, base, base);
}

/* A walk on a logarithmic scale between a tenth of the top and the top, turned back at its ends. */
static void random_walk(struct maker *m) {
    struct pyr_rng rng;
    pyr_rng_init_stream(&rng, m->options->seed, 0x77616c6b);
    uint64_t step = m->options->duration_ns / 60;
    if (step < PYR_NS_PER_S)
        step = PYR_NS_PER_S;
    double height = log(0.3), least = log(0.1), now;
    while (m->at_ns < m->options->duration_ns && m->phase_count < PHASES_MAX) {
        now = m->options->top * exp(height);
        height += 0.5 * pyr_rng_normal(&rng);
        if (height > 0)
            height = -height;
        if (height < least)
            height = 2 * least - height;
        if (height > 0 || height < least)
            height = least / 2;
        uint64_t left = m->options->duration_ns - m->at_ns;
        piece(m, NULL, step < left ? step : left, now, now);
    }
    m->phases[m->phase_count++] = (struct pyr_pattern_phase){"walk", 0, m->options->duration_ns};
}

/* Quarters, so that a slow drift (a leak, a full cache) shows between them. */
static void soak(struct maker *m) {
    static const char *const names[] = {"soak 1/4", "soak 2/4", "soak 3/4", "soak 4/4"};
    for (int i = 0; i < 4; i++)
        piece(m, names[i], m->options->duration_ns / 4, m->options->top, m->options->top);
}

/* A working day in short: quiet, morning rise, busy with bursts, lunch dip, afternoon, evening. */
static void production(struct maker *m) {
    uint64_t part = m->options->duration_ns / 12;
    double top = m->options->top;
    piece(m, "night", part, 0.1 * top, 0.1 * top);
    piece(m, "morning rise", 2 * part, 0.1 * top, 0.6 * top);
    piece(m, "busy", 2 * part, 0.6 * top, 0.6 * top);
    piece(m, "burst", part / 2, top, top);
    piece(m, "busy again", part + part / 2, 0.6 * top, 0.6 * top);
    piece(m, "lunch", part, 0.35 * top, 0.35 * top);
    piece(m, "afternoon", 2 * part, 0.7 * top, 0.7 * top);
    piece(m, "burst", part / 2, top, top);
    piece(m, "evening fall", m->options->duration_ns - m->at_ns, 0.7 * top, 0.1 * top);
}

static const struct {
    const char *name;
    void (*make)(struct maker *m);
} makers[] = {{"steady", steady},      {"ramp", ramp}, {"spike", spike},
              {"random", random_walk}, {"soak", soak}, {"production", production}};
enum { MAKERS = sizeof makers / sizeof *makers };

const struct pyr_pattern_row pyr_pattern_rows[] = {
    {"steady", "ramp up, hold, ramp down"},
    {"ramp", "a straight line from nothing to the most, and down again"},
    {"spike", "a base with bursts of a period, height and width"},
    {"random", "a seeded random walk"},
    {"soak", "the most, for the whole time"},
    {"production", "a working day in short"},
    {NULL, NULL}};

bool pyr_pattern_make(const struct pyr_pattern_options *options, struct pyr_arena *arena,
                      struct pyr_pattern *pattern, struct pyr_err *err) {
    const char *name = options->name ? options->name : "steady";
    if (options->spike_width_ns && options->spike_period_ns &&
        options->spike_width_ns >= options->spike_period_ns)
        return pyr_fail(err, PYR_E_USAGE, "--spike-width must be shorter than --spike-period");
    for (size_t i = 0; i < MAKERS; i++) {
        if (strcmp(makers[i].name, name) != 0)
            continue;
        struct maker m = {.options = options, .arena = arena};
        m.knots = pyr_arena_array(arena, KNOTS_MAX, sizeof *m.knots);
        m.phases = pyr_arena_array(arena, PHASES_MAX + 1, sizeof *m.phases);
        makers[i].make(&m);
        pattern->curve = (struct pyr_curve){m.knots, m.knot_count};
        pattern->phases = m.phases;
        pattern->phase_count = m.phase_count;
        return true;
    }
    const char *names[MAKERS];
    for (size_t i = 0; i < MAKERS; i++)
        names[i] = makers[i].name;
    const char *near = pyr_nearest(name, names, MAKERS);
    return pyr_fail(err, PYR_E_USAGE, "--pattern %s: use steady, ramp, spike, random or soak%s%s",
                    name, near ? "; did you mean " : "", near ? near : "");
}
