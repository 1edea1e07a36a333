/* SPDX-License-Identifier: MIT
 *
 * Any bytes are refused, or read as a histogram that writes the same bytes again.
 */
#include "estimate/hist.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct pyr_hist *hist = pyr_hist_create();
    struct pyr_err err;
    if (pyr_hist_read(hist, data, size, &err)) {
        struct pyr_buf buf = {0};
        pyr_hist_write(hist, &buf);
        assert(buf.length == size && memcmp(buf.data, data, size) == 0);
        if (hist->count > 0) {
            pyr_hist_at_rank(hist, 1);
            pyr_hist_at_rank(hist, hist->count);
        }
        pyr_buf_deinit(&buf);
    }
    pyr_hist_destroy(hist);
    return 0;
}
