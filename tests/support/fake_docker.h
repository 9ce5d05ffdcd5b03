// A Docker Engine in the test's own process and on its loop: containers to list and inspect, an
// event stream, and every way of misbehaving that has been seen or feared. Requests are answered in
// the order of their arrival; nothing waits, so a manual clock can drive everything.
#pragma once

#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <cstdio>
#include <istream>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/runtime/co.h"
#include "agent/runtime/loop.h"

namespace observeai::test {

inline std::string fake_id(std::uint64_t number) {
  char text[65];
  std::snprintf(text, sizeof text, "%064llx", static_cast<unsigned long long>(number));
  return text;
}

struct FakeContainer {
  std::string name;
  std::string image = "busybox";
  std::string state = "running";
  std::string labels = "{}";
  std::string started = "2026-11-21T08:00:10Z";
  std::string finished = "0001-01-01T00:00:00Z";
  int exit_code = 0;
  bool oom_killed = false;
  int restart_count = 0;
  std::uint64_t memory = 0;
  std::int64_t created_s = 1'795'248'000;
};

class FakeDocker {
 public:
  using Socket = boost::asio::local::stream_protocol::socket;

  FakeDocker(agent::Loop& loop, std::string path) : loop_(loop), path_(std::move(path)) { start(); }
  ~FakeDocker() { stop(); }

  // ---- the engine's life: stop() removes the socket, refuse() leaves one that nobody listens on
  // ----
  void start() {
    ::unlink(path_.c_str());
    acceptor_ = std::make_unique<boost::asio::local::stream_protocol::acceptor>(
        loop_.context(), boost::asio::local::stream_protocol::endpoint(path_));
    boost::asio::co_spawn(loop_.context(), accept(this, ++life_), boost::asio::detached);
  }
  void stop() {
    refuse();
    ::unlink(path_.c_str());
  }
  void refuse() {
    ++life_;
    acceptor_.reset();
    cut_streams();
    for (const auto& socket : hanging_) socket->close();
    hanging_.clear();
  }
  void cut_streams() {
    for (const auto& stream : streams_) stream->socket->close();
    streams_.clear();
  }

  // ---- what it answers ----
  std::map<std::string, FakeContainer> containers;  // By id
  std::string version = R"({"Version":"20.10.24","ApiVersion":"1.41","MinAPIVersion":"1.12"})";
  std::vector<std::string> events;  // Remembered for "since", newest last, with their times
  std::vector<std::int64_t> event_times;

  // ---- how it misbehaves; paths without the query, "/events" without the version ----
  std::set<std::string> hang;                 // Never answers requests for these
  std::map<std::string, std::string> raw;     // Answers with exactly these bytes, then hangs up
  std::map<std::string, std::string> bodies;  // Answers 200 with this body
  std::set<std::string> not_found;

  std::vector<std::string> requests;
  std::size_t open_streams() const { return streams_.size(); }
  std::string last_events_target;

  // Sends an event to all who listen, and remembers it.
  void emit(const std::string& action, const std::string& id, std::int64_t time_ns,
            const std::string& attributes = "") {
    std::string name;
    std::string image = "busybox";
    if (const auto found = containers.find(id); found != containers.end()) {
      name = found->second.name;
      image = found->second.image;
    }
    const std::string line = R"({"Type":"container","Action":")" + action + R"(","Actor":{"ID":")" +
                             id + R"(","Attributes":{"image":")" + image + R"(","name":")" + name +
                             "\"" + (attributes.empty() ? "" : "," + attributes) +
                             R"(}},"timeNano":)" + std::to_string(time_ns) + "}\n";
    events.push_back(line);
    event_times.push_back(time_ns);
    send_to_streams(line);
  }
  void send_to_streams(const std::string& text) {
    for (const auto& stream : streams_) {
      stream->unsent += chunk(text);
      if (!stream->writing)
        boost::asio::co_spawn(loop_.context(), drain(stream), boost::asio::detached);
    }
  }

  static std::string list_entry(const std::string& id, const FakeContainer& container) {
    const std::string status =
        container.state == "exited"
            ? "Exited (" + std::to_string(container.exit_code) + ") 3 seconds ago"
            : "Up 3 seconds";
    return R"({"Id":")" + id + R"(","Names":["/)" + container.name + R"("],"Image":")" +
           container.image + R"(","ImageID":"sha256:1","Command":"sleep 100","Created":)" +
           std::to_string(container.created_s) + R"(,"Ports":[],"Labels":)" + container.labels +
           R"(,"State":")" + container.state + R"(","Status":")" + status + R"("})";
  }
  static std::string inspection(const std::string& id, const FakeContainer& container) {
    return R"({"Id":")" + id +
           R"(","Created":"2026-11-21T08:00:00Z","Path":"sleep","Args":["100"],)"
           R"("State":{"Status":")" +
           container.state + R"(","OOMKilled":)" + (container.oom_killed ? "true" : "false") +
           R"(,"Pid":)" + (container.state == "running" ? "4711" : "0") + R"(,"ExitCode":)" +
           std::to_string(container.exit_code) + R"(,"StartedAt":")" + container.started +
           R"(","FinishedAt":")" + container.finished +
           R"("},"Image":"sha256:1","LogPath":"/logs/containers/)" + id + "/" + id +
           R"(-json.log","Name":"/)" + container.name + R"(","RestartCount":)" +
           std::to_string(container.restart_count) +
           R"(,"HostConfig":{"LogConfig":{"Type":"json-file"},"Memory":)" +
           std::to_string(container.memory) + R"(},"Config":{"Image":")" + container.image +
           R"(","Labels":)" + container.labels + R"(},"NetworkSettings":{"Ports":{}}})";
  }

 private:
  struct Stream {
    std::shared_ptr<Socket> socket;
    std::string unsent;
    bool writing = false;
  };

  static boost::asio::awaitable<void> drain(std::shared_ptr<Stream> stream) {
    stream->writing = true;
    while (!stream->unsent.empty()) {
      const std::string piece = std::exchange(stream->unsent, std::string());
      auto [error, sent] = co_await boost::asio::async_write(
          *stream->socket, boost::asio::buffer(piece), agent::nothrow);
      if (error) co_return;
    }
    stream->writing = false;
  }

  static std::string chunk(const std::string& text) {
    char size[24];
    std::snprintf(size, sizeof size, "%zx\r\n", text.size());
    return size + text + "\r\n";
  }

  static boost::asio::awaitable<void> accept(FakeDocker* self, int life) {
    while (self->life_ == life) {
      auto socket = std::make_shared<Socket>(self->loop_.context());
      auto [error] = co_await self->acceptor_->async_accept(*socket, agent::nothrow);
      if (error) co_return;
      boost::asio::co_spawn(self->loop_.context(), serve(self, socket), boost::asio::detached);
    }
  }

  static boost::asio::awaitable<void> serve(FakeDocker* self, std::shared_ptr<Socket> socket) {
    boost::asio::streambuf buffer;
    auto [error, size] =
        co_await boost::asio::async_read_until(*socket, buffer, "\r\n\r\n", agent::nothrow);
    if (error) co_return;
    std::istream input(&buffer);
    std::string method;
    std::string target;
    input >> method >> target;
    self->requests.push_back(target);
    const std::string answer = self->answer(target, socket);
    if (answer.empty()) co_return;
    co_await boost::asio::async_write(*socket, boost::asio::buffer(answer), agent::nothrow);
  }

  static std::string plain(unsigned status, const std::string& body) {
    return "HTTP/1.1 " + std::to_string(status) +
           " X\r\nContent-Type: application/json\r\nContent-Length: " +
           std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  static std::string chunked(const std::string& body) {
    // In odd pieces, so that elements are cut anywhere.
    std::string out = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (std::size_t at = 0; at < body.size(); at += 1777) out += chunk(body.substr(at, 1777));
    return out + "0\r\n\r\n";
  }

  std::string answer(const std::string& target, const std::shared_ptr<Socket>& socket) {
    std::string path = target.substr(0, target.find('?'));
    if (path.substr(0, 2) == "/v" && path.find('/', 1) != std::string::npos)
      path = path.substr(path.find('/', 1));
    if (hang.contains(path) || hang.contains("*")) {
      hanging_.push_back(socket);
      return "";
    }
    if (const auto found = raw.find(path); found != raw.end()) return found->second;
    if (const auto found = bodies.find(path); found != bodies.end())
      return plain(200, found->second);
    if (path == "/version") return plain(200, version);
    if (path == "/_ping") return plain(200, "OK");
    if (path == "/events") return open_stream(target, socket);
    if (path == "/containers/json") {
      std::string body = "[";
      for (const auto& [id, container] : containers) {
        if (body.size() > 1) body += ",";
        body += list_entry(id, container);
      }
      return chunked(body + "]");
    }
    const std::string id = path.substr(std::min<std::size_t>(path.size(), 12), 64);
    const auto found = containers.find(id);
    if (found == containers.end() || not_found.contains(id)) {
      return plain(404, R"({"message":"No such container: )" + id + "\"}");
    }
    return plain(200, inspection(id, found->second));
  }

  std::string open_stream(const std::string& target, const std::shared_ptr<Socket>& socket) {
    last_events_target = target;
    auto stream = std::make_shared<Stream>();
    stream->socket = socket;
    streams_.push_back(stream);
    std::string& out = stream->unsent;
    out = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    boost::asio::co_spawn(loop_.context(), drain(stream), boost::asio::detached);
    const std::size_t since = target.find("since=");
    if (since == std::string::npos) return "";
    std::string digits = target.substr(since + 6);
    digits.erase(std::remove(digits.begin(), digits.end(), '.'), digits.end());
    const std::int64_t from = std::stoll(digits);
    for (std::size_t i = 0; i < events.size(); ++i) {
      if (event_times[i] >= from) out += chunk(events[i]);
    }
    return "";
  }

  agent::Loop& loop_;
  const std::string path_;
  int life_ = 0;
  std::unique_ptr<boost::asio::local::stream_protocol::acceptor> acceptor_;
  std::vector<std::shared_ptr<Stream>> streams_;
  std::vector<std::shared_ptr<Socket>> hanging_;
};

}  // namespace observeai::test
