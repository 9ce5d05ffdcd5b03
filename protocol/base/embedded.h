// A file that was put into the program at build time (cmake/embed.cmake).
#pragma once

#include <string_view>

namespace observeai {

struct EmbeddedFile {
  std::string_view name;
  std::string_view bytes;
};

}  // namespace observeai
