/* SPDX-License-Identifier: MIT
 *
 * FNV-1a, 64 bits: the hash of prompts and output texts in a run file. Not for tables that an
 * attacker fills. Source: Fowler, Noll, Vo, "The FNV Non-Cryptographic Hash Algorithm" (IETF
 * draft-eastlake-fnv).
 *
 *     uint64_t hash = PYR_FNV1A64_INIT;
 *     hash = pyr_fnv1a64(hash, bytes, count);   // may be called piece by piece
 */
#ifndef PYR_BASE_HASH_H
#define PYR_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define PYR_FNV1A64_INIT UINT64_C(0xcbf29ce484222325)

static inline uint64_t pyr_fnv1a64(uint64_t hash, const void *bytes, size_t count) {
    const unsigned char *byte = bytes;
    for (size_t i = 0; i < count; i++)
        hash = (hash ^ byte[i]) * UINT64_C(0x100000001b3);
    return hash;
}

#endif
