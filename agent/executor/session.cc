#include "agent/executor/session.h"

#include <time.h>

#include <algorithm>
#include <cstdlib>

#include "protocol/base/files.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"
#include "protocol/signing/sealing.h"

namespace observeai::agent::executor {
namespace {

constexpr unsigned kFolderMode = 0700;
constexpr unsigned kFileMode = 0600;
constexpr std::size_t kMaxFileBytes = 4096;
// A later statement may lie before what is believed by as much as its upper bound was too high.
constexpr std::int64_t kMaxStepBackMs = kChallengeLifetimeMs + kMaxClockJumpMs;
constexpr std::int64_t kMaxUnixMs = 253'402'300'799'000;  // The year 9999
constexpr const char* kBootId = "/proc/sys/kernel/random/boot_id";

std::int64_t clock_ms(clockid_t clock) {
  struct timespec now {};
  ::clock_gettime(clock, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
}

wire::Bytes16 random16() {
  wire::Bytes16 out{};
  signing::random_bytes(out);
  return out;
}

bool is_zero(const wire::Bytes16& bytes) {
  return bytes == wire::Bytes16{};
}

// Takes "name=value\n" off the front.
class Lines {
 public:
  explicit Lines(std::string_view rest) : rest_(rest) {}

  Result<std::string> text(std::string_view name) {
    const auto end = rest_.find('\n');
    const auto line = rest_.substr(0, end);
    if (end == std::string_view::npos || line.size() <= name.size() || !line.starts_with(name) ||
        line[name.size()] != '=')
      return Error(Errc::kCorrupt, "session: " + std::string(name) + " is wanted");
    rest_.remove_prefix(end + 1);
    return std::string(line.substr(name.size() + 1));
  }
  Result<wire::Bytes16> bytes(std::string_view name) {
    TRY(const auto value, text(name));
    TRY(const auto raw, text::from_hex(value));
    wire::Bytes16 out{};
    if (raw.size() != out.size()) return Error(Errc::kCorrupt, "session: 16 bytes are wanted");
    std::copy(raw.begin(), raw.end(), out.begin());
    return out;
  }
  Result<std::int64_t> integer(std::string_view name) {
    TRY(const auto value, text(name));
    const auto number = text::parse_i64(value);
    if (!number) return Error(Errc::kCorrupt, "session: a number is wanted");
    return *number;
  }
  Result<std::uint64_t> number(std::string_view name) {
    TRY(const auto value, text(name));
    const auto number = text::parse_u64(value);
    if (!number) return Error(Errc::kCorrupt, "session: a number is wanted");
    return *number;
  }
  bool done() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

}  // namespace

std::int64_t SystemHostTime::wall_ms() const {
  return clock_ms(CLOCK_REALTIME);
}

std::int64_t SystemHostTime::boot_ms() const {
  return clock_ms(CLOCK_BOOTTIME);
}

Result<std::string> SystemHostTime::boot_id() const {
  TRY(const auto text, files::read(kBootId, kMaxFileBytes));
  return std::string(text::trim(text));
}

std::string encode_session(const Session::State& state) {
  std::string out;
  const auto line = [&out](const char* name, const std::string& value) {
    out.append(name).append("=").append(value).append("\n");
  };
  line("boot_id", state.boot_id);
  line("enrollment", text::to_hex(state.enrollment));
  line("nonce", text::to_hex(state.nonce));
  line("challenge", text::to_hex(state.challenge));
  line("challenged_ms", std::to_string(state.challenged_ms));
  line("offset_ms", std::to_string(state.offset_ms));
  line("time_known", state.time_known ? "1" : "0");
  line("trusted_ms", std::to_string(state.trusted_ms));
  line("trusted_at_ms", std::to_string(state.trusted_at_ms));
  line("sequence", std::to_string(state.sequence));
  line("root_version", std::to_string(state.root_version));
  return out;
}

Result<Session::State> decode_session(std::string_view bytes) {
  Lines lines(bytes);
  Session::State state;
  TRY(state.boot_id, lines.text("boot_id"));
  TRY(state.enrollment, lines.bytes("enrollment"));
  TRY(state.nonce, lines.bytes("nonce"));
  TRY(state.challenge, lines.bytes("challenge"));
  TRY(state.challenged_ms, lines.integer("challenged_ms"));
  TRY(state.offset_ms, lines.integer("offset_ms"));
  TRY(const auto known, lines.text("time_known"));
  TRY(state.trusted_ms, lines.integer("trusted_ms"));
  TRY(state.trusted_at_ms, lines.integer("trusted_at_ms"));
  TRY(state.sequence, lines.number("sequence"));
  TRY(state.root_version, lines.number("root_version"));
  state.time_known = known == "1";
  if (!lines.done() || (known != "0" && known != "1") || is_zero(state.nonce))
    return Error(Errc::kCorrupt, "session: not in its form");
  return state;
}

Result<Session> Session::open(const std::string& directory, const wire::Bytes16& enrollment,
                              const HostTime& time) {
  TRY_VOID(files::make_directories(directory, kFolderMode));
  Session session(directory + "/session", time);
  TRY(auto boot_id, time.boot_id());
  auto bytes = files::read(session.path_, kMaxFileBytes);
  if (!bytes && bytes.error().code() != Errc::kNotFound) return std::move(bytes).error();
  auto stored = bytes ? decode_session(*bytes) : Error(Errc::kNotFound, "no session yet");
  if (bytes && !stored) log::warning("session: " + stored.error().message() + "; a new one begins");
  if (stored && stored->boot_id == boot_id && stored->enrollment == enrollment) {
    session.state_ = std::move(*stored);
    TRY_VOID(session.refresh());
    return session;
  }
  session.state_.boot_id = std::move(boot_id);
  session.state_.enrollment = enrollment;
  session.begin();
  TRY_VOID(session.store());
  return session;
}

void Session::begin() {
  state_.nonce = random16();
  state_.challenge = random16();
  state_.challenged_ms = time_->boot_ms();
  state_.offset_ms = time_->wall_ms() - time_->boot_ms();
  state_.time_known = false;
  state_.trusted_ms = 0;
  state_.trusted_at_ms = 0;
}

Result<void> Session::refresh() {
  const std::int64_t boot_ms = time_->boot_ms();
  const std::int64_t moved = time_->wall_ms() - boot_ms - state_.offset_ms;
  const bool back = boot_ms < std::max(state_.challenged_ms, state_.trusted_at_ms);
  if (std::abs(moved) <= kMaxClockJumpMs && !back) return {};
  log::warning("the clock jumped by " + std::to_string(moved / 1000) +
               " s: the session and the trusted time begin anew");
  begin();
  return store();
}

std::optional<std::int64_t> Session::trusted_ms() const {
  if (!state_.time_known) return std::nullopt;
  return state_.trusted_ms + (time_->boot_ms() - state_.trusted_at_ms);
}

Result<wire::Bytes16> Session::challenge() {
  const std::int64_t now = time_->boot_ms();
  if (state_.time_known && now - state_.trusted_at_ms < kTimeRenewMs) return wire::Bytes16{};
  if (is_zero(state_.challenge) || now - state_.challenged_ms > kChallengeFreshMs) {
    state_.challenge = random16();
    state_.challenged_ms = now;
    TRY_VOID(store());
  }
  return state_.challenge;
}

Result<void> Session::take_time(const wire::TimeStatement& statement) {
  const std::int64_t now = time_->boot_ms();
  if (is_zero(state_.challenge) || statement.challenge != state_.challenge)
    return Error(Errc::kDenied, "the time answers another challenge");
  if (statement.unix_ms <= 0 || statement.unix_ms > kMaxUnixMs)
    return Error(Errc::kDenied, "the time is none");
  const std::int64_t waited = now - state_.challenged_ms;
  if (waited > kChallengeLifetimeMs)
    return Error(Errc::kDenied,
                 "the time came " + std::to_string(waited / 1000) + " s after it was asked for");
  const auto known = trusted_ms();
  if (known && statement.unix_ms + waited < *known - kMaxStepBackMs) {
    log::warning("the signer states a time " +
                 std::to_string((*known - statement.unix_ms - waited) / 1000) +
                 " s behind what was believed: the session and the trusted time begin anew");
    begin();
    TRY_VOID(store());
    return Error(Errc::kDenied,
                 "the time lies far behind what was stated before: it is asked for anew");
  }
  state_.challenge = {};
  state_.offset_ms = time_->wall_ms() - now;
  state_.time_known = true;
  state_.trusted_ms = statement.unix_ms + waited;
  state_.trusted_at_ms = now;
  return store();
}

Result<void> Session::note_sequence(std::uint64_t sequence) {
  if (sequence <= state_.sequence) return {};
  state_.sequence = sequence;
  return store();
}

Result<void> Session::note_root(std::uint64_t version) {
  if (version <= state_.root_version) return {};
  state_.root_version = version;
  return store();
}

Result<void> Session::store() const {
  return files::write_atomic(path_, encode_session(state_), kFileMode);
}

}  // namespace observeai::agent::executor
