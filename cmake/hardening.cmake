# What makes a fault in our C code harder to use: every program and library of this build gets it.
# tests/house/hardening.sh reads the binary.
include(CheckCCompilerFlag)
include(CheckPIESupported)
check_pie_supported()

foreach(flag -fstack-protector-strong -fstack-clash-protection -fcf-protection=full)
    string(MAKE_C_IDENTIFIER "PYR_HAS${flag}" has)
    check_c_compiler_flag(${flag} ${has})
    if(${has})
        target_compile_options(pyr_flags INTERFACE ${flag})
    endif()
endforeach()

# Wants optimised code, and hides calls from the sanitizers. Level 3 (objects whose size is known at
# run time only) is gcc's from 12 on; older compilers take it for 2.
if(NOT PYR_SANITIZE AND CMAKE_BUILD_TYPE STREQUAL "Release")
    target_compile_options(pyr_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
endif()

target_link_options(pyr_flags INTERFACE -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
