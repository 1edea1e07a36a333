/* SPDX-License-Identifier: MIT */
#ifndef PYR_SUITE_INFERENCE_H
#define PYR_SUITE_INFERENCE_H

#include "suite/suite.h"

extern const struct pyr_suite pyr_suite_inference;

#endif
