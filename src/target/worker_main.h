/* SPDX-License-Identifier: MIT
 *
 * The child process of the target worker: the same program, started as `pyrometer __worker` with
 * the control socket as its descriptor 3. A program that opens worker targets calls this first in
 * main, when argv[1] is that word.
 */
#ifndef PYR_TARGET_WORKER_MAIN_H
#define PYR_TARGET_WORKER_MAIN_H

#define PYR_WORKER_WORD "__worker"

/* Returns the exit status; a person who calls it by hand gets a sentence and 2. */
int pyr_worker_main(int argc);

#endif
