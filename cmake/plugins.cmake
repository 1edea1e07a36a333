# Engines are plug-ins, opened when used: build/<preset>/lib/pyrometer/pyrometer-<engine>.so, with
# the engine's own libraries beside them in lib/pyrometer/engine. A plug-in is built against the
# header of the library that it is to load.
set(PYR_PLUGIN_DIR "${CMAKE_BINARY_DIR}/lib/pyrometer")

find_path(PYR_LLAMA_INCLUDE llama.h PATHS "${PYR_ENGINE_DIR}/include" NO_DEFAULT_PATH)
if(PYR_LLAMA_INCLUDE AND EXISTS "${CMAKE_SOURCE_DIR}/src/model/plugin/llama_plugin.c")
    add_library(pyrometer-llama MODULE src/model/plugin/llama_plugin.c)
    target_link_libraries(pyrometer-llama PRIVATE pyr_flags ${CMAKE_DL_LIBS})
    target_include_directories(pyrometer-llama SYSTEM PRIVATE "${PYR_LLAMA_INCLUDE}")
    set_target_properties(pyrometer-llama PROPERTIES
        PREFIX "" LIBRARY_OUTPUT_DIRECTORY "${PYR_PLUGIN_DIR}")
    add_custom_command(TARGET pyrometer-llama POST_BUILD
        COMMAND "${CMAKE_COMMAND}" -E rm -rf "${PYR_PLUGIN_DIR}/engine"
        COMMAND "${CMAKE_COMMAND}" -E create_symlink "${PYR_ENGINE_DIR}/lib" "${PYR_PLUGIN_DIR}/engine")
    install(TARGETS pyrometer-llama LIBRARY DESTINATION lib/pyrometer)
    install(DIRECTORY "${PYR_ENGINE_DIR}/lib/" DESTINATION lib/pyrometer/engine)
    install(DIRECTORY "${PYR_ENGINE_DIR}/" DESTINATION share/doc/pyrometer
            FILES_MATCHING PATTERN "LICENSE.*" PATTERN include EXCLUDE PATTERN lib EXCLUDE)
    add_dependencies(pyrometer pyrometer-llama)
else()
    message(STATUS "llama.cpp not found in ${PYR_ENGINE_DIR}: building without the llama engine "
                   "(scripts/setup fetches it)")
endif()
