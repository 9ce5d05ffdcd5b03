// Certificates for tests, made with the openssl command line in a folder of the test.
#pragma once

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "protocol/base/files.h"

namespace observeai::test {

struct CertificateFiles {
  std::string certificate;
  std::string key;
};

// Throws when it fails; its own words go nowhere.
inline void run_openssl(const std::vector<std::string>& arguments) {
  std::vector<std::string> words{"openssl"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  for (const int fd : {0, 1, 2}) {
    ::posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
  }
  pid_t pid = -1;
  const int spawned = ::posix_spawnp(&pid, "openssl", &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  int status = -1;
  if (spawned == 0) ::waitpid(pid, &status, 0);
  if (status == 0) return;
  std::string line;
  for (const auto& word : words) line.append(word).append(" ");
  throw std::runtime_error("failed: " + line);
}

// A self-signed CA in its own folder, able to revoke.
class TestCa {
 public:
  TestCa(const std::string& directory, const std::string& name)
      : directory_(directory + "/" + name) {
    std::filesystem::create_directories(directory_ + "/issued");
    put("index.txt", "");
    put("index.txt.attr", "unique_subject = no\n");
    put("serial", "1000\n");
    put("crlnumber", "01\n");
    put("ca.cnf",
        "[ca]\ndefault_ca=me\n[me]\ndir=" + directory_ +
            "\ndatabase=$dir/index.txt\nserial=$dir/serial\ncrlnumber=$dir/crlnumber\n"
            "new_certs_dir=$dir/issued\ncertificate=$dir/ca.pem\nprivate_key=$dir/ca.key\n"
            "default_md=sha256\npolicy=any\ndefault_days=30\ndefault_crl_days=30\n"
            "copy_extensions=copy\nunique_subject=no\n[any]\ncommonName=supplied\n"
            "[req]\ndistinguished_name=dn\n[dn]\n");
    run_openssl({"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                 "-days", "30", "-subj", "/CN=" + name, "-keyout", directory_ + "/ca.key", "-out",
                 directory_ + "/ca.pem", "-addext", "keyUsage=critical,keyCertSign,cRLSign"});
    update_crl();
  }

  std::string certificate_file() const { return directory_ + "/ca.pem"; }
  std::string certificate_pem() const { return files::read(certificate_file()).value(); }
  std::string crl_pem() const { return files::read(directory_ + "/crl.pem").value(); }

  CertificateFiles issue_client(const std::string& common_name) {
    return issue(common_name, "extendedKeyUsage=clientAuth");
  }
  // san: "DNS:localhost,IP:127.0.0.1"
  CertificateFiles issue_server(const std::string& san) {
    return issue("broker", "extendedKeyUsage=serverAuth\nsubjectAltName=" + san);
  }
  void revoke(const CertificateFiles& files) {
    run_openssl({"ca", "-config", config_file(), "-revoke", files.certificate});
    update_crl();
  }

 private:
  std::string config_file() const { return directory_ + "/ca.cnf"; }

  void put(const std::string& name, const std::string& text) {
    const auto written = files::write_atomic(directory_ + "/" + name, text, 0600);
    if (!written) throw std::runtime_error(written.error().message());
  }
  void update_crl() {
    run_openssl({"ca", "-config", config_file(), "-gencrl", "-out", directory_ + "/crl.pem"});
  }
  CertificateFiles issue(const std::string& common_name, const std::string& extensions) {
    const std::string name = common_name + "-" + std::to_string(++issued_);
    const std::string base = directory_ + "/" + name;
    put(name + ".ext", extensions + "\n");
    run_openssl({"req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                 "-subj", "/CN=" + common_name, "-keyout", base + ".key", "-out", base + ".csr"});
    run_openssl({"ca", "-batch", "-notext", "-config", config_file(), "-in", base + ".csr", "-out",
                 base + ".pem", "-extfile", base + ".ext"});
    return {base + ".pem", base + ".key"};
  }

  std::string directory_;
  int issued_ = 0;
};

}  // namespace observeai::test
