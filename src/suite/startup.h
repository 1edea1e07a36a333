/* SPDX-License-Identifier: MIT */
#ifndef PYR_SUITE_STARTUP_H
#define PYR_SUITE_STARTUP_H

#include "suite/suite.h"

extern const struct pyr_suite pyr_suite_startup;

#endif
