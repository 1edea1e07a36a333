/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "sample/energy.h"
#include "sample/noise.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A machine with one package of a counter that wraps at 1,000,000 uJ, its cores (part of the
 * package) and its DRAM (not part of it). */
struct machine {
    char dir[256];
    struct pyr_root root;
};

static void put(const struct machine *machine, const char *path, const char *text) {
    char full[600];
    struct pyr_err err;
    snprintf(full, sizeof full, "%s/sys/class/powercap/%s", machine->dir, path);
    FILE *file = fopen(full, "w");
    if (!file) {
        *strrchr(full, '/') = '\0';
        assert_ok(err, pyr_fs_make_dirs(full, &err));
        full[strlen(full)] = '/';
        file = fopen(full, "w");
    }
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int set_up(void **state) {
    struct machine *machine = calloc(1, sizeof *machine);
    if (!pyr_test_temp_dir(machine->dir, sizeof machine->dir))
        return -1;
    machine->root.prefix = machine->dir;
    *state = machine;
    return 0;
}

static int tear_down(void **state) {
    struct machine *machine = *state;
    char command[400];
    snprintf(command, sizeof command, "rm -rf '%s'", machine->dir);
    free(machine);
    return system(command);
}

static void add_zones(const struct machine *machine) {
    static const char *const zones[][2] = {{"intel-rapl:0", "package-0\n"},
                                           {"intel-rapl:0:0", "core\n"},
                                           {"intel-rapl:0:1", "dram\n"},
                                           {"intel-rapl:1", "psys\n"}};
    for (size_t i = 0; i < sizeof zones / sizeof *zones; i++) {
        char path[100];
        snprintf(path, sizeof path, "%s/name", zones[i][0]);
        put(machine, path, zones[i][1]);
        snprintf(path, sizeof path, "%s/max_energy_range_uj", zones[i][0]);
        put(machine, path, "1000000\n");
        snprintf(path, sizeof path, "%s/energy_uj", zones[i][0]);
        put(machine, path, "900000\n");
    }
}

static void differences_add_up_over_a_wrap_and_parts_are_not_counted_twice(void **state) {
    struct machine *machine = *state;
    struct pyr_energy *energy;
    struct pyr_energy_reading reading;
    struct pyr_err err;
    add_zones(machine);
    assert_ok(err, pyr_energy_open(&machine->root, NULL, &energy, &err));
    pyr_energy_read(energy, &reading);
    assert_true(fabs(reading.joules) < 1e-9);
    put(machine, "intel-rapl:0/energy_uj", "950000\n");
    put(machine, "intel-rapl:0:0/energy_uj", "999999\n");
    pyr_energy_poll(energy);
    put(machine, "intel-rapl:0/energy_uj", "50000\n"); /* wrapped: 50,000 + 50,000 */
    put(machine, "intel-rapl:0:1/energy_uj", "910000\n");
    pyr_energy_poll(energy);
    pyr_energy_read(energy, &reading);
    assert_true(fabs(reading.cpu_joules - 0.16) < 1e-9);
    assert_true(isnan(reading.gpu_joules));
    assert_true(fabs(reading.joules - 0.16) < 1e-9);
    assert_string_equal(reading.source, "RAPL");
    pyr_energy_close(energy);
}

static void a_machine_without_counters_is_told_so_and_gets_no_estimate(void **state) {
    struct machine *machine = *state;
    struct pyr_energy *energy;
    struct pyr_err err;
    assert_false(pyr_energy_open(&machine->root, NULL, &energy, &err));
    assert_memory_equal(err.text, "not available: ", 15);
    assert_non_null(strstr(err.text, "virtual machines"));
}

static int fine(void) {
    return 0;
}
static const char *no_text(int code) {
    (void)code;
    return "none";
}
static int one(unsigned *count) {
    *count = 1;
    return 0;
}
static int no_driver(char *text, unsigned length) {
    (void)text;
    (void)length;
    return 1;
}
static int device(unsigned index, void **out) {
    (void)index;
    *out = NULL;
    return 0;
}
static unsigned long long counter;
static int count_energy(void *handle, unsigned long long *millijoules) {
    (void)handle;
    *millijoules = counter += 2500;
    return 0;
}

static void gpus_are_counted_beside_the_packages(void **state) {
    struct machine *machine = *state;
    const struct pyr_nvml_api api = {.init = fine,
                                     .shutdown = fine,
                                     .error_string = no_text,
                                     .driver_version = no_driver,
                                     .device_count = one,
                                     .device_by_index = device,
                                     .device_energy = count_energy};
    struct pyr_nvml *nvml;
    struct pyr_energy *energy;
    struct pyr_energy_reading reading;
    struct pyr_err err;
    assert_ok(err, pyr_nvml_open(&api, &nvml, &err));
    assert_ok(err, pyr_energy_open(&machine->root, nvml, &energy, &err));
    pyr_energy_poll(energy);
    pyr_energy_poll(energy);
    pyr_energy_read(energy, &reading);
    assert_true(isnan(reading.cpu_joules));
    assert_true(fabs(reading.gpu_joules - 5) < 1e-9);
    assert_string_equal(reading.source, "NVML");
    pyr_energy_close(energy);
    pyr_nvml_close(nvml);
}

static void the_machine_probe_orders_what_it_found(void **state) {
    (void)state;
    static const struct pyr_root live = {""};
    const struct pyr_clock clock = {0};
    const struct pyr_noise_config config = {
        .wakes = 20, .wake_gap_ns = 50 * PYR_NS_PER_US, .loops = 20, .loop_rounds = 2000};
    struct pyr_machine_noise noise;
    pyr_noise_measure(&config, &live, &clock, &noise);
    assert_int_equal(noise.wakes, 20);
    assert_true(noise.wake_p50_ns <= noise.wake_p99_ns);
    assert_true(noise.wake_p99_ns <= noise.wake_max_ns);
    assert_true(noise.loop_min_ns > 0);
    assert_true(noise.loop_min_ns <= noise.loop_p50_ns);
    assert_true(noise.loop_p50_ns <= noise.loop_p99_ns);
    assert_true(noise.loop_p99_ns <= noise.loop_max_ns);
    assert_true(noise.loop_spread >= 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            differences_add_up_over_a_wrap_and_parts_are_not_counted_twice, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_machine_without_counters_is_told_so_and_gets_no_estimate,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(gpus_are_counted_beside_the_packages, set_up, tear_down),
        cmocka_unit_test(the_machine_probe_orders_what_it_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
