# What the program links. One line a library, with the room that asked for it.
add_library(pyr_dependencies INTERFACE)
target_link_libraries(pyr_dependencies INTERFACE
    PkgConfig::JANSSON  # report, store: results JSON
    Threads::Threads m ${CMAKE_DL_LIBS})
