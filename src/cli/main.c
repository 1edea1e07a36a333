/* SPDX-License-Identifier: MIT */
#include <stdio.h>

int main(void) {
    puts("pyrometer " PYR_VERSION);
    return 0;
}
