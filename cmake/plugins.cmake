# Engines are plug-ins, opened when used: build/<preset>/lib/pyrometer/pyrometer-<engine>.so, with
# the engine's own libraries beside them in lib/pyrometer/engine. A plug-in is built against the
# header of the library that it is to load.
set(PYR_PLUGIN_DIR "${CMAKE_BINARY_DIR}/lib/pyrometer")

# A llama.cpp of the system (pkg-config) is taken before the one that scripts/setup fetched, unless
# PYR_ENGINE_DIR names another.
set(PYR_LLAMA_LIB_DIR "${PYR_ENGINE_DIR}/lib")
set(PYR_LLAMA_HINTS "${PYR_ENGINE_DIR}/include")
set(PYR_LLAMA_OF_SYSTEM OFF)
pkg_check_modules(PYR_SYSTEM_LLAMA QUIET llama)
if(PYR_SYSTEM_LLAMA_FOUND AND PYR_ENGINE_DIR STREQUAL "${CMAKE_SOURCE_DIR}/build/engine")
    set(PYR_LLAMA_OF_SYSTEM ON)
    pkg_get_variable(PYR_SYSTEM_LLAMA_LIB llama libdir)
    pkg_get_variable(PYR_SYSTEM_LLAMA_INCLUDE llama includedir)
    set(PYR_LLAMA_LIB_DIR "${PYR_SYSTEM_LLAMA_LIB}")
    set(PYR_LLAMA_HINTS "${PYR_SYSTEM_LLAMA_INCLUDE}")
endif()

unset(PYR_LLAMA_INCLUDE CACHE)
find_path(PYR_LLAMA_INCLUDE llama.h PATHS ${PYR_LLAMA_HINTS} NO_DEFAULT_PATH)
file(GLOB PYR_LLAMA_LIBRARIES "${PYR_LLAMA_LIB_DIR}/libllama.*so*")
if(PYR_LLAMA_INCLUDE AND PYR_LLAMA_LIBRARIES)
    list(GET PYR_LLAMA_LIBRARIES 0 PYR_LLAMA_LIBRARY)
    # Asked once for each library: which release are this header and library of?
    if(NOT PYR_LLAMA_VERSION_OF STREQUAL PYR_LLAMA_LIBRARY)
        try_run(PYR_LLAMA_RAN PYR_LLAMA_COMPILED "${CMAKE_BINARY_DIR}/engine_version"
            "${CMAKE_SOURCE_DIR}/cmake/engine_version.c" LINK_LIBRARIES ${CMAKE_DL_LIBS}
            RUN_OUTPUT_VARIABLE PYR_LLAMA_SAID ARGS "${PYR_LLAMA_LIBRARY}")
        set(PYR_LLAMA_VERSION "${PYR_LLAMA_SAID}" CACHE INTERNAL "")
        set(PYR_LLAMA_VERSION_OF "${PYR_LLAMA_LIBRARY}" CACHE INTERNAL "")
    endif()
    file(STRINGS "${PYR_LLAMA_INCLUDE}/llama.h" PYR_LLAMA_USE_MMAP REGEX "bool use_mmap;")

    add_library(pyrometer-llama MODULE
        src/model/plugin/llama_plugin.c src/base/err.c src/base/mem.c)
    target_link_libraries(pyrometer-llama PRIVATE pyr_flags ${CMAKE_DL_LIBS})
    target_include_directories(pyrometer-llama SYSTEM PRIVATE "${PYR_LLAMA_INCLUDE}")
    target_compile_definitions(pyrometer-llama PRIVATE
        PYR_LLAMA_HEADER_VERSION="${PYR_LLAMA_VERSION}"
        $<$<BOOL:${PYR_LLAMA_USE_MMAP}>:PYR_LLAMA_HAS_USE_MMAP>)
    set_target_properties(pyrometer-llama PROPERTIES
        PREFIX "" C_VISIBILITY_PRESET hidden LIBRARY_OUTPUT_DIRECTORY "${PYR_PLUGIN_DIR}")
    add_custom_command(TARGET pyrometer-llama POST_BUILD
        COMMAND "${CMAKE_COMMAND}" -E rm -rf "${PYR_PLUGIN_DIR}/engine"
        COMMAND "${CMAKE_COMMAND}" -E create_symlink "${PYR_LLAMA_LIB_DIR}" "${PYR_PLUGIN_DIR}/engine")
    install(TARGETS pyrometer-llama LIBRARY DESTINATION lib/pyrometer)
    if(PYR_LLAMA_OF_SYSTEM)
        install(CODE "file(MAKE_DIRECTORY \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/lib/pyrometer\")
            file(CREATE_LINK \"${PYR_LLAMA_LIB_DIR}\"
                \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/lib/pyrometer/engine\" SYMBOLIC)")
    else()
        # By their real paths: a folder that is a link would be installed as a link.
        file(REAL_PATH "${PYR_LLAMA_LIB_DIR}" PYR_LLAMA_REAL_LIB_DIR)
        file(GLOB PYR_LLAMA_LICENCES "${PYR_ENGINE_DIR}/LICENSE.*")
        install(DIRECTORY "${PYR_LLAMA_REAL_LIB_DIR}/" DESTINATION lib/pyrometer/engine)
        install(FILES ${PYR_LLAMA_LICENCES} DESTINATION share/doc/pyrometer)
    endif()
    add_dependencies(pyrometer pyrometer-llama)
    message(STATUS "llama.cpp ${PYR_LLAMA_VERSION} in ${PYR_LLAMA_LIB_DIR}")
else()
    message(STATUS "llama.cpp not found in ${PYR_ENGINE_DIR}: building without the llama engine "
                   "(scripts/setup fetches it)")
endif()
