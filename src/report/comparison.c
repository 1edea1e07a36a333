/* SPDX-License-Identifier: MIT */
#include "report/comparison.h"

#include <string.h>

const struct pyr_comparison_format pyr_comparison_formats[] = {
    {"terminal", ".txt", pyr_comparison_terminal},
    {"json", ".json", pyr_comparison_json},
    {"md", ".md", pyr_comparison_markdown},
    {"junit", ".xml", pyr_comparison_junit},
    {"github", ".txt", pyr_comparison_github},
    {"html", ".html", pyr_comparison_html},
    {NULL, NULL, NULL},
};

const struct pyr_comparison_format *pyr_comparison_format_find(const char *name) {
    if (strcmp(name, "markdown") == 0)
        name = "md";
    for (const struct pyr_comparison_format *format = pyr_comparison_formats; format->name;
         format++)
        if (strcmp(format->name, name) == 0)
            return format;
    return NULL;
}
