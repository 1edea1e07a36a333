/* SPDX-License-Identifier: MIT */
#include "target/kinds.h"

#include <string.h>
#include <strings.h>

const struct pyr_target_ops *const pyr_targets[] = {
    &pyr_target_http, &pyr_target_local, &pyr_target_worker, &pyr_target_null, NULL,
};

static const struct pyr_target_ops *find(const char *name) {
    for (size_t i = 0; pyr_targets[i]; i++) {
        if (strcmp(pyr_targets[i]->name, name) == 0)
            return pyr_targets[i];
    }
    return NULL;
}

/* Schemes are the same in capitals. */
static bool begins(const char *text, const char *with) {
    return strncasecmp(text, with, strlen(with)) == 0;
}

bool pyr_target_open(const struct pyr_target_config *config, bool isolate,
                     struct pyr_target **target, struct pyr_err *err) {
    const char *spec = config->spec, *kind = isolate ? "worker" : "local";
    if (begins(spec, "http://") || begins(spec, "https://") || begins(spec, "unix:"))
        kind = "http";
    else if (strcmp(spec, "null:direct") == 0)
        kind = "null";
    else if (config->attempt && !isolate && !pyr_target_attempt(config, err))
        return false;
    const struct pyr_target_ops *ops = find(kind);
    if (!ops)
        return pyr_fail(err, PYR_E_UNSUPPORTED, "%s: this build has no target of the kind %s", spec,
                        kind);
    return ops->open(config, target, err);
}
