// toml++ as this project uses it: errors are told, not thrown. Include this and never the library
// itself; it is heavy, so only from .cc files and private headers.
#pragma once

// toml++ 3.3 asserts that a table's name begins as a name may, right before it tells the opposite
// as an error: what a text says is never a reason to abort.
#define TOML_ASSERT(expression) static_assert(true)
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 1
#include <toml++/toml.h>
