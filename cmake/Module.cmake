# One static library a folder, which links only what the folder may use.

add_library(lk_flags INTERFACE)
target_compile_definitions(lk_flags INTERFACE _GNU_SOURCE LK_VERSION="${PROJECT_VERSION}")
target_compile_options(lk_flags INTERFACE
  -Wall -Wextra -Werror -Wshadow -Wcast-qual -Wmissing-prototypes -Wstrict-prototypes -Wwrite-strings -Wvla
  -Wformat=2 -Wno-format-nonliteral -Wundef -fstack-protector-strong -fno-strict-aliasing)
target_link_options(lk_flags INTERFACE -Wl,-z,relro,-z,now)

# Assertions stay on in every build: a broken invariant stops the program before it can do harm.
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g -D_FORTIFY_SOURCE=2")
set(CMAKE_C_FLAGS_RELEASE "-O2 -D_FORTIFY_SOURCE=2")
set(CMAKE_C_FLAGS_MINSIZEREL "-Os -D_FORTIFY_SOURCE=2")
set(CMAKE_C_FLAGS_DEBUG "-O1 -g -fno-omit-frame-pointer")

# Optimized as a whole, which spares a Get about a twentieth: those that lk_link_whole names. gcc keeps ordinary code in
# the objects besides, so that the many test programs link as fast as ever. Off where functions are told apart, which that
# inlines into one another across files.
option(LK_LTO "Optimize service and library as a whole (gcc)" ON)
set(LK_LINK_WHOLE OFF)
if(LK_LTO AND CMAKE_C_COMPILER_ID STREQUAL GNU AND NOT LK_SANITIZE AND NOT LK_FUZZ)
  set(LK_LINK_WHOLE $<OR:$<CONFIG:Release>,$<CONFIG:RelWithDebInfo>>)
  target_compile_options(lk_flags INTERFACE $<${LK_LINK_WHOLE}:-flto=auto> $<${LK_LINK_WHOLE}:-ffat-lto-objects>)
endif()

function(lk_link_whole target)
  if(LK_LINK_WHOLE)
    target_link_options(${target} PRIVATE $<${LK_LINK_WHOLE}:-flto=auto> $<${LK_LINK_WHOLE}:-O2>)
  endif()
endfunction()

if(LK_SANITIZE)
  # -fno-sanitize-recover: an undefined operation fails the test that did it.
  target_compile_options(lk_flags INTERFACE -fsanitize=${LK_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(lk_flags INTERFACE -fsanitize=${LK_SANITIZE})
endif()
if(LK_FUZZ)
  target_compile_options(lk_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# lk_module(NAME ROOT include-root [DEPS targets...]): every .c file of the current folder as library lk_NAME.
function(lk_module name)
  cmake_parse_arguments(ARG "" "ROOT" "DEPS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.c)
  if(sources)
    add_library(lk_${name} STATIC ${sources})
    target_link_libraries(lk_${name} PUBLIC ${ARG_DEPS} PRIVATE lk_flags)
    target_include_directories(lk_${name} PUBLIC ${ARG_ROOT})
  else()
    add_library(lk_${name} INTERFACE)
    target_link_libraries(lk_${name} INTERFACE ${ARG_DEPS})
    target_include_directories(lk_${name} INTERFACE ${ARG_ROOT})
  endif()
endfunction()

# What every test runs with. Our programs are done when they end: no need to sleep for late reports.
set(LK_TEST_ENVIRONMENT
  "LATCHKEY_BIN=${CMAKE_BINARY_DIR}/bin"
  "ASAN_OPTIONS=detect_leaks=1"
  "TSAN_OPTIONS=halt_on_error=1 atexit_sleep_ms=0 suppressions=${PROJECT_SOURCE_DIR}/tests/tsan.supp")

# lk_test(NAME LABEL label SOURCES files... [LIBS targets...] [TIMEOUT s]): a cmocka program and its ctest entry.
# Tests run from the source folder and find the binaries under test by LATCHKEY_BIN.
function(lk_test name)
  cmake_parse_arguments(ARG "" "LABEL;TIMEOUT" "SOURCES;LIBS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE lk_flags ${ARG_LIBS} PkgConfig::CMOCKA)
  if(LK_LINK_WHOLE)
    target_link_options(${name} PRIVATE $<${LK_LINK_WHOLE}:-fno-lto>)
  endif()
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES
    LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT}
    ENVIRONMENT "${LK_TEST_ENVIRONMENT}")
endfunction()
