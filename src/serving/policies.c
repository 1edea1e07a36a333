/* SPDX-License-Identifier: MIT */
#include "serving/policy.h"

#include "base/mem.h"
#include "base/parse.h"

#include <stdio.h>
#include <string.h>

extern const struct pyr_policy pyr_policy_fifo;

const struct pyr_policy *const pyr_policies[] = {
    &pyr_policy_fifo,
    NULL,
};
enum { POLICIES = sizeof pyr_policies / sizeof *pyr_policies - 1 };

const struct pyr_policy *pyr_policy_find(const char *name, struct pyr_err *err) {
    const char *names[POLICIES];
    char all[PYR_ERR_TEXT_BYTES / 2] = "";
    for (size_t i = 0, used = 0; i < POLICIES; i++) {
        if (strcmp(pyr_policies[i]->name, name) == 0)
            return pyr_policies[i];
        names[i] = pyr_policies[i]->name;
        int wrote = snprintf(all + used, sizeof all - used, "%s%s", i ? ", " : "", names[i]);
        used += (size_t)wrote < sizeof all - used ? (size_t)wrote : 0;
    }
    const char *near = pyr_nearest(name, names, POLICIES);
    pyr_fail(err, PYR_E_USAGE, "policy=%s: there is no such policy%s%s; there are: %s", name,
             near ? "; did you mean " : "", near ? near : "", all);
    return NULL;
}

bool pyr_policy_state(const struct pyr_policy *policy, const struct pyr_option *options,
                      size_t count, void **state, struct pyr_err *err) {
    *state = NULL;
    if (count > 0 && !policy->options)
        return pyr_fail(err, PYR_E_USAGE, "policy.%s: the policy %s has no options", options[0].key,
                        policy->name);
    if (policy->state_bytes == 0)
        return true;
    *state = pyr_xcalloc(1, policy->state_bytes);
    if (policy->defaults)
        memcpy(*state, policy->defaults, policy->state_bytes);
    if (count == 0 || pyr_options_apply(policy->options, options, count, *state, NULL, err))
        return true;
    pyr_free(*state);
    *state = NULL;
    return false;
}
