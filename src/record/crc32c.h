/* SPDX-License-Identifier: MIT
 *
 * CRC-32C (Castagnoli polynomial, reflected 0x82f63b78, initial and final inversion), as in iSCSI.
 * By the processor's instruction where there is one, else by a table; the value is the same.
 * Source: RFC 3720, appendix B.4 (test vectors).
 */
#ifndef PYR_RECORD_CRC32C_H
#define PYR_RECORD_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The CRC of what `crc` covers (0: nothing yet) followed by these bytes. */
uint32_t pyr_crc32c(uint32_t crc, const void *bytes, size_t count);
/* The same without the processor's instruction. */
uint32_t pyr_crc32c_portable(uint32_t crc, const void *bytes, size_t count);

#endif
