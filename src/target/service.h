/* SPDX-License-Identifier: MIT
 *
 * The engine's end of a channel: takes requests from it, serves them (serving/serving.h) and gives
 * them back. Stepped by a function in virtual time; by a thread (local) or a process (worker) that
 * does nothing else in real time, and that sleeps while there is nothing to do.
 */
#ifndef PYR_TARGET_SERVICE_H
#define PYR_TARGET_SERVICE_H

#include "serving/serving.h"
#include "target/channel.h"

struct pyr_service; /* opaque */

/* Creates the serving (and with it the engine's context) for the channel's entries. The descriptors
 * are the eventfds of the two bells; -1 in virtual time, where nobody sleeps. */
bool pyr_service_create(const struct pyr_engine *engine, struct pyr_model *model,
                        const struct pyr_pieces *pieces, const struct pyr_serving_config *config,
                        struct pyr_channel *channel, int engine_fd, int load_fd,
                        struct pyr_service **service, struct pyr_err *err);
void pyr_service_destroy(struct pyr_service *service); /* NULL is allowed */
const struct pyr_serving *pyr_service_serving(const struct pyr_service *service);

/* Takes in what load sent, makes at most one step and gives back what is finished. *done_ns is
 * when the step was over. False when there was nothing to do. */
bool pyr_service_turn(struct pyr_service *service, uint64_t *done_ns);
/* True when a turn would do something. */
bool pyr_service_has_work(const struct pyr_service *service);
/* Turns until channel->stop is set and rung for; what is then in its hands is dropped. */
void pyr_service_run(struct pyr_service *service);

#endif
