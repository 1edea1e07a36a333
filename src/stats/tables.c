/* SPDX-License-Identifier: MIT */
#include "stats/tables.h"

#include <jansson.h>
#include <string.h>

static bool find_statistic(const char *name, enum pyr_metric metric, int *statistic) {
    bool scalar = pyr_metric_info(metric)->kind == PYR_KIND_SCALAR;
    if (!name)
        *statistic = scalar ? PYR_COLUMN_VALUE : PYR_Q_P50;
    else if (strcmp(name, "value") == 0)
        *statistic = PYR_COLUMN_VALUE;
    else if (strcmp(name, "mean") == 0)
        *statistic = PYR_COLUMN_MEAN;
    else
        for (*statistic = 0; *statistic < PYR_Q_COUNT; (*statistic)++)
            if (strcmp(name, pyr_quantile_names[*statistic]) == 0)
                break;
    return *statistic < PYR_Q_COUNT && scalar == (*statistic == PYR_COLUMN_VALUE);
}

size_t pyr_columns_parse(const char *text, struct pyr_arena *arena,
                         const struct pyr_suite_column **columns) {
    size_t room = 1, count = 0;
    for (const char *c = text; *c; c++)
        room += *c == ',';
    struct pyr_suite_column *list = pyr_arena_array(arena, room, sizeof *list);
    char *rest = pyr_arena_strdup(arena, text), *item;
    while ((item = strsep(&rest, ","))) {
        char *header = item, *metric = strsep(&header, "="), *statistic = metric;
        strsep(&statistic, ":");
        struct pyr_suite_column *column = &list[count];
        column->metric = pyr_metric_find(metric);
        column->header = header;
        count += column->metric != PYR_METRIC_COUNT &&
                 find_statistic(statistic, column->metric, &column->statistic);
    }
    *columns = list;
    return count;
}

void pyr_tables_read(const char *meta_json, struct pyr_arena *arena,
                     struct pyr_suite_result *suites, size_t count) {
    json_t *meta = json_loads(meta_json, 0, NULL);
    const json_t *tables = json_object_get(meta, "tables");
    for (size_t i = 0; i < count; i++) {
        const char *text = json_string_value(json_object_get(tables, suites[i].name));
        if (text)
            suites[i].column_count = pyr_columns_parse(text, arena, &suites[i].columns);
    }
    json_decref(meta);
}
