// Compresses as gzip(1) does, in one member.
#pragma once

#include <zlib.h>

#include <string>

namespace observeai::test {

inline void write_gzip(const std::string& path, const std::string& content) {
  gzFile file = ::gzopen(path.c_str(), "wb1");
  ::gzwrite(file, content.data(), static_cast<unsigned>(content.size()));
  ::gzclose(file);
}

}  // namespace observeai::test
