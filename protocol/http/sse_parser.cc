#include "protocol/http/sse_parser.h"

namespace observeai::http {

Result<void> SseParser::feed(std::string_view bytes, std::vector<ServerSentEvent>& events) {
  while (!bytes.empty()) {
    if (skip_newline_ && bytes.front() == '\n') bytes.remove_prefix(1);
    skip_newline_ = false;
    const auto end = bytes.find_first_of("\r\n");
    pending_.append(bytes.substr(0, end));
    if (pending_.size() + event_.data.size() > kMaxEventBytes) {
      return Error(Errc::kLimit, "an event of the stream is longer than " +
                                     std::to_string(kMaxEventBytes) + " bytes");
    }
    if (end == std::string_view::npos) break;
    skip_newline_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    const std::string text = std::exchange(pending_, {});
    line(text, events);
  }
  return {};
}

void SseParser::line(std::string_view text, std::vector<ServerSentEvent>& events) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (std::exchange(first_line_, false) && text.starts_with(kByteOrderMark)) {
    text.remove_prefix(kByteOrderMark.size());
  }
  if (text.empty()) {
    if (has_data_) {
      if (event_.event.empty()) event_.event = "message";
      events.push_back(event_);
    }
    event_.event.clear();
    event_.data.clear();  // The id stays: it is the stream's last id.
    has_data_ = false;
    return;
  }
  const auto colon = text.find(':');
  if (colon == 0) return;  // A comment
  const std::string_view field = text.substr(0, colon);
  std::string_view value = colon == std::string_view::npos ? "" : text.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (field == "data") {
    if (has_data_) event_.data += '\n';
    event_.data.append(value);
    has_data_ = true;
  } else if (field == "event") {
    event_.event = value;
  } else if (field == "id" && value.find('\0') == std::string_view::npos) {
    event_.id = value;
  }
}

}  // namespace observeai::http
