#include "controlplane/signer/program.h"

#include <pwd.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <functional>
#include <iostream>

#include "controlplane/signer/signer_client.h"
#include "controlplane/signer/signer_config.h"
#include "controlplane/signer/signer_server.h"
#include "protocol/base/files.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"
#include "protocol/config/program.h"
#include "protocol/signing/key_files.h"

namespace observeai::controlplane::signer {
namespace {

constexpr const char* kDefaultConfigFile = "/etc/observeai/signer.toml";
constexpr const char* kProgram = "observeai-signer";

int fail(const Error& error, int code = kFailed) {
  std::cerr << kProgram << ": " << error.message() << "\n";
  return code;
}

Result<unsigned> uid_of(const std::string& user) {
  if (user.empty()) return ::geteuid();
  if (const auto number = text::parse_u64(user)) return static_cast<unsigned>(*number);
  const passwd* found = ::getpwnam(user.c_str());
  if (found != nullptr) return found->pw_uid;
  return Error(Errc::kInvalid, "client: there is no user " + log::printable(user, 64));
}

// Made when it is missing, and then for its owner alone.
Result<void> check_folder(const std::string& path) {
  TRY_VOID(files::make_directories(path, 0700));
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return files::from_errno("cannot look at " + path, errno);
  if ((info.st_mode & 077U) == 0 && info.st_uid == ::geteuid()) return {};
  return Error(Errc::kDenied, path +
                                  " must belong to the signer's user and be closed to others "
                                  "(chmod 700): the keys are in it");
}

Result<signing::SigningKeyPair> ensure_key(const std::string& path) {
  if (files::exists(path)) return signing::load_signing_key(path);
  const auto pair = signing::SigningKeyPair::generate();
  TRY_VOID(signing::save_signing_key(path, pair));
  log::info("made " + path);
  return pair;
}

Result<SigningKeys> load_keys(const std::string& directory) {
  TRY(auto signer, ensure_key(directory + "/signer.key"));
  TRY(auto audit, ensure_key(directory + "/audit.key"));
  return SigningKeys{std::move(signer), std::move(audit)};
}

Result<void> serve(const SignerConfig& config, const sigset_t& signals) {
  SystemClock clock;
  TRY_VOID(check_folder(config.state_dir));
  TRY(const auto state, SignerState::open(config.state_dir + "/signer.db"));
  TRY(auto keys, load_keys(config.state_dir));
  log::info("signer key " + signing::to_text(keys.signer.public_key()) + ", audit key " +
            signing::to_text(keys.audit.public_key()));
  TRY(const auto service,
      SigningService::open(std::move(keys), *state, config.state_dir + "/roots", config.root_sha256,
                           limits_of(config), clock, boot_clock_ms));
  SignerServer::Options options;
  options.socket = config.socket;
  TRY(options.client_uid, uid_of(config.client));
  TRY(const auto server, SignerServer::start(options, *service));
  log::info("ready on " + config.socket);
  int signal = 0;
  ::sigwait(&signals, &signal);
  log::info("stopping");
  return {};
}

int run(const SignerConfig& config) {
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);  // Keys never lie in a core file
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  const auto done = serve(config, signals);
  return done ? kOk : fail(done.error());
}

int status(const SignerConfig& config) {
  SignerClient client({config.socket, std::chrono::milliseconds(2000)});
  const auto status = client.status();
  if (!status) return fail(status.error());
  std::cout << encode_status(*status) << "\n";
  return kOk;
}

int print_config(const SignerConfig& config) {
  std::cout << config::print_toml(config);
  return kOk;
}

}  // namespace

int run_signer_program(int argc, char** argv) {
  config::Program program(
      {kProgram, "Holds the keys that sign commands, and signs what it has checked itself.",
       kDefaultConfigFile});
  SignerConfig settings;
  const auto command = [&](const char* name, const char* help,
                           std::function<int(const SignerConfig&)> what) {
    program.command(name, help, [&settings, what = std::move(what)] { return what(settings); });
  };
  command("run", "The signer, until SIGTERM", run);
  command("status", "Public keys, root version, what was signed and refused, as JSON", status);
  command("print-config", "All settings with their defaults, as TOML", print_config);
  return program.run(argc, argv, [&] {
    auto loaded = load_signer_config(program.settings_file(), program.must_exist());
    if (!loaded) return fail(loaded.error(), kUsage);
    settings = *std::move(loaded);
    log::setup(kProgram, log::parse_level(settings.log_level).value_or(log::Level::kInfo));
    return static_cast<int>(kOk);
  });
}

}  // namespace observeai::controlplane::signer
