/* SPDX-License-Identifier: MIT
 *
 * What the known-schedule server (calibrate/schedule_server.h) wrote and when, in a file that it
 * shares with its reader: a header, then records in order of time. The writer stores a record and
 * then raises `count`; nothing is ever overwritten. Times are CLOCK_MONOTONIC, which is one clock
 * for all processes of a machine.
 */
#ifndef PYR_CODEC_SCHEDULE_LOG_H
#define PYR_CODEC_SCHEDULE_LOG_H

#include <stdatomic.h>
#include <stdint.h>

/* The program's first argument that makes it that server; what follows is the server's own. */
#define PYR_SCHEDULE_SERVER_WORD "__schedule-server"

#define PYR_SCHEDULE_LOG_MAGIC UINT64_C(0x31474f4c52595001) /* "\1PYRLOG1" */

struct pyr_schedule_record {
    uint64_t prompt_hash; /* FNV-1a 64 of the prompt's text: the request's, as load hashes it */
    uint64_t due_ns;      /* when it was to be sent */
    uint64_t sent_ns;     /* the clock read just before the send */
    uint32_t token;       /* number of the event's first token, from 0 */
    uint32_t stream;      /* number of the request at the server, from 0 */
};

struct pyr_schedule_log {
    uint64_t magic;
    uint64_t capacity; /* records the file has room for */
    _Atomic uint64_t count;
    uint64_t lost; /* events that found it full */
    struct pyr_schedule_record records[];
};

#endif
