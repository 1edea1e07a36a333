/* SPDX-License-Identifier: MIT
 *
 * The known-schedule server: an OpenAI-compatible server whose tokens leave at times fixed in
 * advance, so that a client's stamps can be held against the truth; and the fault server of the
 * tests, as every kind of misbehaviour can be planned (calibrate/schedule_plan.h). It runs in a
 * process of its own:
 *
 *     [--port N] [--unix PATH] [--plan KEY=VALUE,...] [--log FILE] [--log-records N]
 *     [--freeze-at S --freeze-for S] [--model NAME] [--spin] [--owns-folder DIR]
 *
 * The plan is that of every request whose prompt does not begin with "plan:KEYS;". "port N" is
 * printed on stdout once it listens (127.0.0.1; "unix PATH" for a socket). Each event carries the
 * clock read just before its send as the digits of its text; the same goes to the log
 * (codec/schedule_log.h). --freeze-at stops the whole process so many seconds after its first
 * request, for --freeze-for seconds. It ends on SIGTERM or SIGINT, and with its parent, and then
 * removes the folder that it was given, with the files in it: a parent that was killed could not.
 */
#ifndef PYR_CALIBRATE_SCHEDULE_SERVER_H
#define PYR_CALIBRATE_SCHEDULE_SERVER_H

/* Returns the process's exit code. argv[0] is the command's name. */
int pyr_schedule_server_main(int argc, char **argv);

#endif
