#include "agent/discovery/secret_arguments.h"

#include <doctest/doctest.h>

#include "agent/logs/redactor.h"
#include "protocol/base/text.h"

using namespace observeai;
using namespace observeai::agent;

namespace {

// With the redactor that the agent uses, so that the two cannot drift apart.
const RedactText kRedact = [](std::string_view text) { return redact(text); };

std::string command(std::string_view words) {
  return redacted_command(text::split(words, ' '), kRedact, 512);
}
std::string label(std::string_view name, std::string_view value) {
  return redacted_label(name, value, kRedact, 512);
}

}  // namespace

TEST_CASE("passwords given to known tools by short options are hidden") {
  const std::string x = "[REDACTED:password]";
  CHECK(command("mysql -u root -pS3cret shop") == "mysql -u root -p" + x + " shop");
  CHECK(command("/usr/bin/mysqldump -pS3cret") == "/usr/bin/mysqldump -p" + x);
  CHECK(command("sshpass -p S3cret ssh web") == "sshpass -p " + x + " ssh web");
  CHECK(command("sshpass -pS3cret ssh web") == "sshpass -p" + x + " ssh web");
  CHECK(command("sudo -u app redis-cli -a S3cret ping") ==
        "sudo -u app redis-cli -a " + x + " ping");
  CHECK(command("mongosh -p S3cret") == "mongosh -p " + x);
  CHECK(command("docker login -u bob -p S3cret") == "docker login -u bob -p " + x);
  CHECK(command("openssl rsa -passin pass:S3cret") == "openssl rsa -passin " + x);
  CHECK(command("curl -uadmin:pw https://x") == "curl -uadmin:" + x + " https://x");
  CHECK(command("curl -u admin:pw https://x") == "curl -u admin:" + x + " https://x");
  CHECK(command("smbclient -U bob%S3cret //h/s") == "smbclient -U bob%" + x + " //h/s");
  CHECK(command("tool --db-pass x -h db") == "tool --db-pass " + x + " -h db");
  CHECK(command("redis-server --requirepass x") == "redis-server --requirepass " + x);
  CHECK(command("app --password=S3cret") == "app --password=" + x);
}

TEST_CASE("a command line inside an argument is looked at as well") {
  const std::vector<std::string_view> arguments = {"sh", "-c", "sleep 1; mysql -pS3cret shop"};
  CHECK(redacted_command(arguments, kRedact, 512) ==
        "sh -c sleep 1; mysql -p[REDACTED:password] shop");
}

TEST_CASE("ordinary command lines stay as they are") {
  for (const std::string_view words :
       {"nginx -g daemon off;", "docker run -p 80:80 nginx", "ssh -p 2222 web", "mkdir -p /a/b",
        "mysql -p", "mysql -u root -p shop", "mysqld --port=3306", "curl -u bob https://x",
        "psql --no-password db", "tar -xpf a.tar", "app --password-file /run/secrets/db",
        "sshpass -f /etc/pw ssh web", "cp -a x y", "postgres: app shop 10.0.0.1(4711) idle"}) {
    CAPTURE(words);
    CHECK(command(words) == words);
  }
}

TEST_CASE("a label is hidden when its name says it is a secret") {
  CHECK(label("db.password", "hunter2xyz") == "[REDACTED:password]");
  CHECK(label("MYSQL_ROOT_PASSWORD", "correct horse, 2 staples") == "[REDACTED:password]");
  CHECK(label("api_token", "abcdefgh") == "[REDACTED:token]");
  CHECK(label("traefik.http.middlewares.a.basicauth.users",
              "admin:$apr1$H6uskkkW$5QUs0wKf3NMEIUZG1j9ax1")
            .find("5QUs0w") == std::string::npos);
  CHECK(label("url", "postgres://u:pw@db/x") == "postgres://u:[REDACTED:url_password]@db/x");
  CHECK(label("env", "DB_PASSWORD=hunter2 MODE=prod") ==
        "DB_PASSWORD=[REDACTED:password] MODE=prod");
}

TEST_CASE("ordinary labels stay as they are") {
  const std::vector<std::pair<std::string_view, std::string_view>> labels = {
      {"com.docker.compose.project", "shop"},
      {"com.docker.compose.config-hash", "1f7a7a472abf3dd9643fd615f6da379c4acb3e3a"},
      {"maintainer", "bob@example.com"},
      {"auth", "none"},
      {"password", ""},
      {"token.required", "true"},
      {"traefik.http.routers.web.rule", "Host(`a.example.com`)"},
      {"note", "a line of ordinary prose, with a colon: here"}};
  for (const auto& one : labels) {
    CAPTURE(one.first);
    CHECK(label(one.first, one.second) == one.second);
  }
}

TEST_CASE("bounds: what is cut was looked at before; without a redactor nothing is told") {
  const std::string words = "mysql " + std::string(500, 'a') + " -pS3cret";
  CHECK(command(words).size() == 512);
  CHECK(command(words).find("S3") == std::string::npos);
  CHECK(command("mysql " + std::string(1 << 20, 'a')) == "mysql");
  CHECK(redacted_command({"a"}, {}, 512).empty());
  CHECK(redacted_label("a", "b", {}, 512).empty());
  CHECK(label("note", std::string(2000, 'x')).size() == 512);
}
