// What programs and log rotation put before the log collector: the first byte chooses a parser; the
// level of every text is read too.
//   0 a CRI line   1 the time of a plain line   2 lines of traces   3 names of rotated files
//   4 the state of log patterns   5 a checkpoint   6 a compressed log   7 a Docker line
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "agent/app/error_line.h"
#include "agent/logs/checkpoint_state.h"
#include "agent/logs/log_content.h"
#include "agent/logs/log_files.h"
#include "agent/logs/log_format.h"
#include "agent/logs/log_siblings.h"
#include "agent/logs/trace_joiner.h"
#include "protocol/base/text.h"

using namespace observeai;
using namespace observeai::agent;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

// Whatever is joined, no byte is lost or added but the newlines between joined lines.
void check_traces(std::string_view text) {
  TraceJoiner joiner("host", true);
  LogRead out;
  SourceCounts counts;
  std::size_t bytes = 0;
  std::size_t lines = 0;
  for (const auto line : text::split(text, '\n')) {
    TraceJoiner::Line one;
    one.text = one.shape = line;
    one.raw_bytes = line.size() + 1;
    joiner.add(0, one, {}, out, counts);
    bytes += line.size() + 1;
    ++lines;
  }
  joiner.close_all(out, counts);
  std::size_t joined = 0;
  for (const auto& record : out.records) {
    joined += record.text.size() + 1;
    require(record.text.size() <= kMaxTraceBytes || record.text.find('\n') == std::string::npos);
  }
  require(joined == bytes && counts.bytes_read == bytes);
  require(counts.records_read == out.records.size() && out.records.size() <= lines);
}

void check_names(std::string_view text) {
  const auto space = text.find(' ');
  if (space == std::string_view::npos) return;
  const auto base = text.substr(0, space);
  const auto name = text.substr(space + 1);
  if (const auto rotated = parse_rotated(base, name)) require(name != base);
  for (const auto& live : live_names_of(name)) require(parse_rotated(live, name).has_value());
}

void check_compressed(std::string_view bytes) {
  UniqueFd fd(::memfd_create("fuzz", MFD_CLOEXEC));
  require(::write(fd.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  const LogContent content(std::move(fd), "x.gz");
  std::string whole(100'000, '\0');
  const auto size = content.read(0, whole);
  require(size >= 0 && static_cast<std::size_t>(size) <= whole.size());
  whole.resize(static_cast<std::size_t>(size));
  // The same from any place, forwards and back.
  for (const std::size_t offset : {whole.size() / 2, whole.size() / 3}) {
    std::string part(1000, '\0');
    const auto got = content.read(offset, part);
    require(got >= 0);
    part.resize(static_cast<std::size_t>(got));
    require(whole.size() == 100'000 || part == whole.substr(offset, 1000));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  require(is_error_line(text) == is_error_line(text.substr(0, kLevelFieldWithin)));
  const ReadingTime reading{1'700'000'000'000'000'000, 3600};
  switch (data[0] % 8) {
    case 0: {
      const auto entry = decode_cri_line(text);
      require(entry.malformed ? entry.text == text : entry.text.size() < text.size());
      break;
    }
    case 1:
      if (const auto time = parse_leading_time(text, reading))
        require(*time <= reading.now_ns + 86'400'000'000'000);
      break;
    case 2:
      check_traces(text);
      break;
    case 3:
      check_names(text);
      break;
    case 4: {
      LogFiles files{LogFilesOptions{}};
      (void)files.restore(text).has_value();
      break;
    }
    case 5:
      if (const auto state = parse_checkpoint(text))
        require(parse_checkpoint(encode_checkpoint(*state)) == *state);
      break;
    case 6:
      check_compressed(text);
      break;
    default: {
      std::string scratch;
      const auto entry = decode_entry(LogFormat::kDockerJson, text, reading, scratch);
      require(!entry.malformed || entry.text == text);
      break;
    }
  }
  return 0;
}
