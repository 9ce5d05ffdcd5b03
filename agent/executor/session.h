// What a restored disk or a wrong clock must not bring back: the session, the trusted time, the highest
// sequence and root version. Kept in the run directory, which is a tmpfs: gone with each boot, there
// when the program is started again.
//
// Trusted time: a signer's statement answers a challenge of ours; from then on the boot clock counts. It
// is an upper bound, the time from challenge to answer included, so a carrier that holds a statement
// back makes commands expire sooner, never later. A wall clock that moved against the boot clock by
// more than kMaxClockJump voids time and session: a memory snapshot was restored, or somebody set it. So
// does a statement that answers our challenge and lies far behind what is believed: a signer's clock was
// ahead once. What was signed for the session before dies with it, so that no old command passes again.
//
// Not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "protocol/base/result.h"
#include "protocol/wire/command.h"

namespace observeai::agent::executor {

// The clocks of the host.
class HostTime {
 public:
  virtual ~HostTime() = default;
  virtual std::int64_t wall_ms() const = 0;
  virtual std::int64_t boot_ms() const = 0;  // Since boot, sleep included; never goes back
  virtual Result<std::string> boot_id() const = 0;
};
class SystemHostTime final : public HostTime {
 public:
  std::int64_t wall_ms() const override;
  std::int64_t boot_ms() const override;
  Result<std::string> boot_id() const override;
};

inline constexpr std::int64_t kMaxClockJumpMs = 60'000;
// A challenge that was not answered by then is replaced, and an answer that comes later is refused.
inline constexpr std::int64_t kChallengeLifetimeMs = 10 * 60'000;
// A new one is given out with the next status from then on: its answer is closer to the truth.
inline constexpr std::int64_t kChallengeFreshMs = 60'000;
// The boot clock of a machine without NTP loses seconds a day: it is compared again after this time.
inline constexpr std::int64_t kTimeRenewMs = 6 * 3'600'000;

class Session {
 public:
  // Takes up the session of `directory` when boot, enrollment and clocks still fit, else begins one.
  // `time` outlives it. kDenied, kUnavailable: the folder cannot be read or written.
  static Result<Session> open(const std::string& directory, const wire::Bytes16& enrollment,
                              const HostTime& time);

  // Looks at the clocks. To be called before anything below is believed.
  Result<void> refresh();
  const wire::Bytes16& nonce() const { return state_.nonce; }
  // Upper bound of the true time, or nullopt: not known.
  std::optional<std::int64_t> trusted_ms() const;
  // For a hello: zeros when no answer is wanted now. May begin a new challenge.
  Result<wire::Bytes16> challenge();
  // `statement` was verified. kDenied: for another challenge, or late; then nothing changes. Also when
  // it lies far behind what is known: then session and time begin anew, and the next answer is taken.
  Result<void> take_time(const wire::TimeStatement& statement);

  std::uint64_t sequence() const { return state_.sequence; }
  std::uint64_t root_version() const { return state_.root_version; }
  // On disk when they return; never lowered.
  Result<void> note_sequence(std::uint64_t sequence);
  Result<void> note_root(std::uint64_t version);

  struct State {
    std::string boot_id;
    wire::Bytes16 enrollment{};
    wire::Bytes16 nonce{};
    wire::Bytes16 challenge{};       // Zeros: none is open
    std::int64_t challenged_ms = 0;  // Boot clock
    std::int64_t offset_ms = 0;      // Wall clock minus boot clock
    bool time_known = false;
    std::int64_t trusted_ms = 0;  // At trusted_at_ms of the boot clock
    std::int64_t trusted_at_ms = 0;
    std::uint64_t sequence = 0;
    std::uint64_t root_version = 0;
    bool operator==(const State&) const = default;
  };

 private:
  Session(std::string path, const HostTime& time) : path_(std::move(path)), time_(&time) {}
  void begin();
  Result<void> store() const;

  std::string path_;
  const HostTime* time_;
  State state_;
};

// The file's form: "name=value" lines in one order. Pure.
std::string encode_session(const Session::State& state);
// kCorrupt for anything else.
Result<Session::State> decode_session(std::string_view bytes);

}  // namespace observeai::agent::executor
