# The libraries, each used by one folder only. docs/architecture.md says why each of them.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(SODIUM REQUIRED IMPORTED_TARGET libsodium>=1.0.18)
pkg_check_modules(PROTOBUF_C REQUIRED IMPORTED_TARGET libprotobuf-c>=1.4.1)
pkg_check_modules(HIREDIS REQUIRED IMPORTED_TARGET hiredis>=0.14.1)
pkg_check_modules(CYAML REQUIRED IMPORTED_TARGET libcyaml>=1.3.1)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1>=0.2.5)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd>=1.5)
pkg_check_modules(MICROHTTPD REQUIRED IMPORTED_TARGET libmicrohttpd>=0.9.75)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson>=2.14)
if(LK_TESTS)
  pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka>=1.1.5)
endif()
find_program(PROTOC_C NAMES protoc-c protoc REQUIRED)

# Debian's nng has no pkg-config file, and its CMake package differs between releases: header and library are enough.
find_path(NNG_INCLUDE_DIR nng/nng.h REQUIRED)
find_library(NNG_LIBRARY nng REQUIRED)
add_library(lk_nng INTERFACE)
target_include_directories(lk_nng SYSTEM INTERFACE ${NNG_INCLUDE_DIR})
target_link_libraries(lk_nng INTERFACE ${NNG_LIBRARY} Threads::Threads)
