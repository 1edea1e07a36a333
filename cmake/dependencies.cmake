# What the program links. One line a library, with the room that asked for it.
pkg_check_modules(OPENSSL REQUIRED IMPORTED_TARGET openssl)
pkg_check_modules(NGHTTP2 REQUIRED IMPORTED_TARGET libnghttp2)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)

# llhttp comes as C sources (Debian node-llhttp); they are not ours to warn about.
set(PYR_LLHTTP_DIR "/usr/share/llhttp" CACHE PATH "llhttp's api.c, http.c and llhttp.c")
set(PYR_LLHTTP_INCLUDE "/usr/share/include/llhttp" CACHE PATH "the folder of llhttp.h")
add_library(pyr_llhttp STATIC
    ${PYR_LLHTTP_DIR}/api.c ${PYR_LLHTTP_DIR}/http.c ${PYR_LLHTTP_DIR}/llhttp.c)
target_include_directories(pyr_llhttp SYSTEM PUBLIC ${PYR_LLHTTP_INCLUDE})
# A state machine of generated code: without optimisation it would be the test's bottleneck.
target_compile_options(pyr_llhttp PRIVATE -w -O2)

add_library(pyr_dependencies INTERFACE)
target_link_libraries(pyr_dependencies INTERFACE
    PkgConfig::JANSSON  # report, store: results JSON
    PkgConfig::OPENSSL  # net: TLS
    PkgConfig::NGHTTP2  # net: HTTP/2 frames
    PkgConfig::YAML     # suite: configuration files
    pyr_llhttp          # net: HTTP/1.1 heads and chunks
    Threads::Threads m ${CMAKE_DL_LIBS})
