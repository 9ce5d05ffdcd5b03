# Shared build rules: one warning level, one hardening level, one way to declare a module.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
# Everything goes into position-independent programs; one flag for libraries and programs keeps the
# precompiled header shared.
add_compile_options(-fPIE)
add_link_options(-pie)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

set(OBSERVEAI_SANITIZE "" CACHE STRING "Sanitizers, e.g. address,undefined or thread")
option(OBSERVEAI_FUZZ "Build the libFuzzer targets (clang only)" OFF)
set(OBSERVEAI_ONLY "" CACHE STRING "Build only these modules")

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  # Precompiled headers carry defines and times that ccache must not compare.
  set(launcher ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
               ${CCACHE_PROGRAM})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
endif()

add_compile_options(-Wall -Wextra -Werror -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
                    -fstack-protector-strong)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_compile_options(-Wthread-safety -Wno-unknown-warning-option)
else()
  add_compile_options(-fpch-preprocess)
endif()
if(OBSERVEAI_SANITIZE)
  add_compile_options(-fsanitize=${OBSERVEAI_SANITIZE} -fno-omit-frame-pointer -g1)
  add_link_options(-fsanitize=${OBSERVEAI_SANITIZE})
  if(OBSERVEAI_SANITIZE STREQUAL "thread")
    # GCC 12 sees bounds broken in its own instrumentation, and warns that it cannot follow Asio's fences.
    add_compile_options(-Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread -Wno-tsan)
  endif()
elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
  add_compile_options(-D_FORTIFY_SOURCE=2 -ffunction-sections -fdata-sections)
  set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
  add_link_options(-Wl,--gc-sections -Wl,--as-needed -Wl,-z,relro,-z,now)
endif()

if(OBSERVEAI_FUZZ)
  # The libraries under test too, or the fuzzer is blind in them.
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

include_directories(${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR}/generated)
add_compile_definitions(OBSERVEAI_VERSION="${PROJECT_VERSION}")

add_custom_target(unit_tests COMMENT "every unit test and corpus replay")

# observeai_library(agent_logs SOURCES a.cc DEPENDS protocol_base SYSTEM zstd)
# The target's name is the folder's path with '/' replaced by '_'.
function(observeai_library name)
  cmake_parse_arguments(arg "NO_PCH" "" "SOURCES;DEPENDS;SYSTEM" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC ${arg_DEPENDS} ${arg_SYSTEM})
  if(NOT arg_NO_PCH AND NOT name STREQUAL "protocol_base")
    target_precompile_headers(${name} REUSE_FROM protocol_base)
  endif()
endfunction()

# observeai_program(observeai-agent SOURCES main.cc DEPENDS agent_app)
function(observeai_program name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPENDS;SYSTEM" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE ${arg_DEPENDS} ${arg_SYSTEM})
endfunction()

# observeai_unit_test(unit_agent_logs SOURCES x_test.cc DEPENDS agent_logs): one program per module.
function(observeai_unit_test name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPENDS;SYSTEM" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE tests_support ${arg_DEPENDS} ${arg_SYSTEM})
  target_precompile_headers(${name} REUSE_FROM protocol_base)
  target_compile_definitions(${name} PRIVATE
                             OBSERVEAI_TEST_DATA="${CMAKE_SOURCE_DIR}/tests/data"
                             OBSERVEAI_GOLDEN="${CMAKE_SOURCE_DIR}/tests/golden")
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS unit TIMEOUT 120)
  add_dependencies(unit_tests ${name})
endfunction()

# observeai_attack_suite(attacks_audit unit_controlplane_audit): the cases of its suite "attacks", once more with
# the attacks and one line for each.
function(observeai_attack_suite name program)
  target_sources(${program} PRIVATE ${CMAKE_SOURCE_DIR}/tests/support/one_line_each.cc)
  add_test(NAME ${name} COMMAND ${program} --test-suite=attacks)
  set_tests_properties(${name} PROPERTIES LABELS attacks TIMEOUT 120)
endfunction()

# observeai_fuzz_target(fuzz_batch SOURCES fuzz_batch.cc DEPENDS protocol_wire): with clang a libFuzzer
# program; otherwise the corpus is replayed as an ordinary test.
function(observeai_fuzz_target name)
  cmake_parse_arguments(arg "" "CORPUS" "SOURCES;DEPENDS;SYSTEM" ${ARGN})
  if(OBSERVEAI_FUZZ)
    add_executable(${name} ${arg_SOURCES})
    target_compile_options(${name} PRIVATE -fsanitize=fuzzer)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    target_link_libraries(${name} PRIVATE ${arg_DEPENDS} ${arg_SYSTEM})
  else()
    add_executable(${name} ${arg_SOURCES} ${CMAKE_SOURCE_DIR}/tests/support/replay_corpus_main.cc)
    target_link_libraries(${name} PRIVATE ${arg_DEPENDS} ${arg_SYSTEM})
    add_dependencies(unit_tests ${name})
    add_test(NAME ${name}_corpus COMMAND ${name} ${arg_CORPUS})
    set_tests_properties(${name}_corpus PROPERTIES LABELS unit TIMEOUT 120)
  endif()
endfunction()

# observeai_embed(protocol_target kTable dir pattern): files of a folder as a generated table.
function(observeai_embed target table dir pattern)
  file(GLOB files CONFIGURE_DEPENDS ${dir}/${pattern})
  set(out ${CMAKE_CURRENT_BINARY_DIR}/${table}.cc)
  add_custom_command(
    OUTPUT ${out}
    COMMAND ${CMAKE_COMMAND} -DOUT=${out} -DNAME=${table} -DDIR=${dir} "-DGLOB=${pattern}"
            -P ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
    DEPENDS ${files} ${CMAKE_SOURCE_DIR}/cmake/embed.cmake VERBATIM)
  target_sources(${target} PRIVATE ${out})
  set_source_files_properties(${out} PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
endfunction()
