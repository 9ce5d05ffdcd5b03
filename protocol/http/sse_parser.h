// text/event-stream as a pure parser: bytes in, events out (WHATWG HTML, section 9.2.6).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/result.h"
#include "protocol/http/http_client.h"

namespace observeai::http {

// One event, all its lines together. More is an attack or a mistake of the server.
inline constexpr std::size_t kMaxEventBytes = 8U << 20;

// Not thread-safe. After an error the parser is of no further use.
class SseParser {
 public:
  // Appends the events that `bytes` complete. Lines may end in LF, CR LF or CR. kLimit when an
  // event grows past kMaxEventBytes.
  Result<void> feed(std::string_view bytes, std::vector<ServerSentEvent>& events);

 private:
  void line(std::string_view text, std::vector<ServerSentEvent>& events);

  std::string pending_;  // The line that has not ended
  bool skip_newline_ = false;
  bool first_line_ = true;
  ServerSentEvent event_;
  bool has_data_ = false;
};

}  // namespace observeai::http
