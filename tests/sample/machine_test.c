/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "sample/machine.h"
#include "sample/nvml.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct pyr_root live = {""};
static const struct pyr_root container = {PYR_TEST_DATA "/sample/container"};
static const struct pyr_root old_cgroups = {PYR_TEST_DATA "/sample/old-cgroups"};
static const struct pyr_root empty = {PYR_TEST_DATA "/sample/nowhere"};

static void a_containers_limits_cut_what_the_machine_has(void **state) {
    (void)state;
    struct pyr_machine_limits limits;
    pyr_machine_limits(&container, &limits);
    assert_int_equal(limits.cpus_online, 4);
    assert_int_equal(limits.cpus_allowed, 3);
    assert_int_equal(limits.cores_allowed, 2); /* 0 and 2 are one core */
    assert_true(fabs(limits.cpu_quota - 1.5) < 1e-9);
    assert_int_equal(limits.compute_threads, 1);
    assert_int_equal(limits.l3_bytes, 8192 * 1024); /* shared by all four */
    assert_int_equal(limits.memory_limit_bytes, 2147483648u);
    assert_int_equal(limits.memory_usable_bytes, 1000000000u);
    assert_int_equal(limits.memory_available_bytes, 8000000ull * 1024);
}

static void version_one_limits_are_found_where_the_own_path_is_hidden(void **state) {
    (void)state;
    struct pyr_machine_limits limits;
    pyr_machine_limits(&old_cgroups, &limits);
    assert_int_equal(limits.cpus_online, 2);
    assert_int_equal(limits.memory_limit_bytes, 104857600);
    assert_int_equal(limits.memory_usable_bytes, 100000000);
    assert_true(fabs(limits.cpu_quota - 0.5) < 1e-9);
    assert_int_equal(limits.compute_threads, 1);
}

static void a_machine_that_tells_nothing_still_gets_one_thread(void **state) {
    (void)state;
    struct pyr_machine_limits limits;
    pyr_machine_limits(&empty, &limits);
    assert_int_equal(limits.cpus_online, 0);
    assert_int_equal(limits.compute_threads, 1);
    assert_int_equal(limits.memory_total_bytes, 0);
}

static void lists_of_cpus_are_read_up_to_their_first_fault(void **state) {
    (void)state;
    uint32_t cpus[8];
    assert_int_equal(pyr_machine_parse_cpus("0-2,7", cpus, 8), 4);
    assert_int_equal(cpus[3], 7);
    assert_int_equal(pyr_machine_parse_cpus("", cpus, 8), 0);
    assert_int_equal(pyr_machine_parse_cpus("3-1,5", cpus, 8), 0);
    assert_int_equal(pyr_machine_parse_cpus("1,x", cpus, 8), 1);
    assert_int_equal(pyr_machine_parse_cpus("0-4294967295", cpus, 8), 8);
}

static const char *text_at(json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static void the_description_names_what_there_is(void **state) {
    (void)state;
    json_t *info = pyr_machine_describe(&container);
    json_t *cpu = json_object_get(info, "cpu");
    assert_int_equal(json_integer_value(json_object_get(info, "cpu_count")), 4);
    assert_true(fabs(json_real_value(json_object_get(info, "memory_total_gb")) - 16.384) < 1e-9);
    assert_string_equal(text_at(cpu, "model"), "Fictive CPU @ 3.00GHz");
    assert_string_equal(text_at(cpu, "governor"), "powersave");
    assert_string_equal(text_at(cpu, "turbo"), "on");
    assert_string_equal(text_at(cpu, "smt"), "on");
    assert_string_equal(text_at(info, "virtualised"), "yes");
    json_t *sets = json_object_get(cpu, "instruction_sets");
    assert_int_equal(json_array_size(sets), 4); /* avx512f_not is another word */
    json_t *pressure = json_object_get(json_object_get(info, "pressure"), "cpu");
    assert_true(fabs(json_real_value(json_object_get(pressure, "some_avg10")) - 12.5) < 1e-9);
    assert_int_equal(json_array_size(json_object_get(info, "load_average")), 3);
    json_decref(info);
}

/* Every leaf of a machine that tells nothing says so in words, and no number is invented. */
static void assert_nothing_invented(json_t *value) {
    const char *key;
    json_t *member;
    if (json_is_object(value)) {
        json_object_foreach(value, key, member) {
            if (strcmp(key, "libc") && strcmp(key, "compiler") && strcmp(key, "quota") &&
                strcmp(key, "limit_bytes") && strcmp(key, "pyrometer_version"))
                assert_nothing_invented(member);
        }
    } else if (json_is_string(value)) {
        assert_memory_equal(json_string_value(value), "not available: ", 15);
    } else if (json_is_integer(value)) {
        assert_true(json_integer_value(value) <= 1); /* counts of nothing; one compute thread */
    } else {
        assert_true(json_is_null(value) || json_array_size(value) == 0);
    }
}

static void what_is_unknown_says_so(void **state) {
    (void)state;
    json_t *info = pyr_machine_describe(&empty);
    assert_nothing_invented(info);
    assert_true(json_is_null(json_object_get(info, "gpu_name")));
    assert_true(json_is_null(json_object_get(info, "gpu_memory_gb")));
    assert_non_null(strstr(text_at(info, "gpu_reason"), "not available: "));
    json_decref(info);
}

static void this_machine_is_described_and_can_be_written(void **state) {
    (void)state;
    json_t *info = pyr_machine_describe(&live);
    assert_true(json_integer_value(json_object_get(info, "cpu_count")) >= 1);
    char *text = json_dumps(info, 0);
    assert_non_null(text);
    free(text);
    json_decref(info);
}

static void warnings_name_what_disturbs(void **state) {
    (void)state;
    json_t *list = pyr_machine_warnings(&container);
    static const char *const parts[] = {"virtual machine", "powersave", "1.50 CPUs", "3.5 of 4"};
    assert_int_equal(json_array_size(list), 4);
    for (size_t i = 0; i < 4; i++)
        assert_non_null(strstr(json_string_value(json_array_get(list, i)), parts[i]));
    json_decref(list);
    list = pyr_machine_warnings(&old_cgroups);
    assert_int_equal(json_array_size(list), 1);
    json_decref(list);
}

/* A lent NVIDIA library: two GPUs, of which the second has no energy counter. */
static int fake_ok(void) {
    return 0;
}
static int fake_broken(void) {
    return 9;
}
static const char *fake_error(int code) {
    return code == 9 ? "Driver Not Loaded" : "Not Supported";
}
static int fake_driver(char *text, unsigned length) {
    snprintf(text, length, "550.1");
    return 0;
}
static int fake_count(unsigned *count) {
    *count = 2;
    return 0;
}
static int fake_none(unsigned *count) {
    *count = 0;
    return 0;
}
static int fake_device(unsigned index, void **device) {
    static char devices[2];
    *device = &devices[index];
    return index < 2 ? 0 : 2;
}
static int fake_name(void *device, char *name, unsigned length) {
    (void)device;
    snprintf(name, length, "Fictive GPU");
    return 0;
}
static int fake_memory(void *device, struct pyr_nvml_memory *memory) {
    (void)device;
    *memory = (struct pyr_nvml_memory){.total = 24000000000u, .used = 1000};
    return 0;
}
static int fake_energy(void *device, unsigned long long *millijoules) {
    void *first;
    fake_device(0, &first);
    *millijoules = 12500;
    return device == first ? 0 : 3;
}

static const struct pyr_nvml_api fake = {fake_ok,     fake_ok,     fake_error,
                                         fake_driver, fake_count,  fake_device,
                                         fake_name,   fake_memory, fake_energy};

static void gpus_are_named_by_their_library(void **state) {
    (void)state;
    struct pyr_nvml *nvml;
    struct pyr_nvml_device device;
    struct pyr_err err;
    double joules;
    assert_ok(err, pyr_nvml_open(&fake, &nvml, &err));
    assert_int_equal(pyr_nvml_count(nvml), 2);
    assert_string_equal(pyr_nvml_driver(nvml), "550.1");
    assert_ok(err, pyr_nvml_describe(nvml, 0, &device, &err));
    assert_string_equal(device.name, "Fictive GPU");
    assert_int_equal(device.memory_bytes, 24000000000u);
    assert_ok(err, pyr_nvml_energy(nvml, 0, &joules, &err));
    assert_true(fabs(joules - 12.5) < 1e-9);
    assert_false(pyr_nvml_energy(nvml, 1, &joules, &err));
    assert_non_null(strstr(err.text, "not available: "));
    pyr_nvml_close(nvml);
}

static void a_driver_that_does_not_work_gives_its_reason(void **state) {
    (void)state;
    struct pyr_nvml *nvml;
    struct pyr_err err;
    struct pyr_nvml_api api = fake;
    api.init = fake_broken;
    assert_false(pyr_nvml_open(&api, &nvml, &err));
    assert_non_null(strstr(err.text, "Driver Not Loaded"));
    api = fake;
    api.device_count = fake_none;
    assert_false(pyr_nvml_open(&api, &nvml, &err));
    assert_non_null(strstr(err.text, "no GPU"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_containers_limits_cut_what_the_machine_has),
        cmocka_unit_test(version_one_limits_are_found_where_the_own_path_is_hidden),
        cmocka_unit_test(a_machine_that_tells_nothing_still_gets_one_thread),
        cmocka_unit_test(lists_of_cpus_are_read_up_to_their_first_fault),
        cmocka_unit_test(the_description_names_what_there_is),
        cmocka_unit_test(what_is_unknown_says_so),
        cmocka_unit_test(this_machine_is_described_and_can_be_written),
        cmocka_unit_test(warnings_name_what_disturbs),
        cmocka_unit_test(gpus_are_named_by_their_library),
        cmocka_unit_test(a_driver_that_does_not_work_gives_its_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
