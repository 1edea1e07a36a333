/* SPDX-License-Identifier: MIT
 *
 * Prints what llama_version() of the library named on the command line says; nothing when it has no
 * such function. Run at configure time, so that a plug-in knows which release its header is of.
 */
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv) {
    void *library = argc > 1 ? dlopen(argv[1], RTLD_LAZY | RTLD_LOCAL) : NULL;
    const char *(*version)(void) = NULL;
    if (library)
        *(void **)&version = dlsym(library, "llama_version");
    if (version)
        fputs(version(), stdout);
    return 0;
}
