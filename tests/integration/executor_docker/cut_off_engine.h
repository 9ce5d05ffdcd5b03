// The engine behind a socket that lets so many changes pass and then answers nothing any more: to who asks,
// the world looks as if it had died.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <thread>

#include "tests/support/temp_dir.h"

namespace observeai::test {

class CutOffEngine {
 public:
  CutOffEngine(std::string engine, int changes) : engine_(std::move(engine)), changes_(changes) {
    listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_un address = address_of(path());
    ::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    ::listen(listener_, 16);
    thread_ = std::thread([this] { serve(); });
  }
  ~CutOffEngine() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  std::string path() const { return dir_ / "docker.sock"; }

 private:
  static sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    return address;
  }

  // One request after the other: the executor asks so.
  void serve() {
    for (int peer; (peer = ::accept(listener_, nullptr, nullptr)) >= 0;) {
      exchange(peer);
      ::close(peer);
    }
  }

  void exchange(int peer) {
    const std::string request = read_request(peer);
    if (request.rfind("GET ", 0) != 0) cut_off_ = cut_off_ || changes_-- == 0;
    if (cut_off_) return;
    const int engine = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_un address = address_of(engine_);
    ::connect(engine, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    send_all(engine, request);
    char piece[4096];
    for (ssize_t got; (got = ::read(engine, piece, sizeof piece)) > 0;) {
      send_all(peer, std::string(piece, static_cast<std::size_t>(got)));
    }
    ::close(engine);
  }

  static void send_all(int fd, const std::string& bytes) {
    for (std::size_t sent = 0; sent < bytes.size();) {
      const ssize_t now = ::send(fd, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (now <= 0) return;
      sent += static_cast<std::size_t>(now);
    }
  }

  static std::string read_request(int peer) {
    std::string request;
    char piece[4096];
    for (;;) {
      const std::size_t end = request.find("\r\n\r\n");
      if (end != std::string::npos) {
        const std::size_t at = request.find("Content-Length: ");
        const std::size_t body = at < end ? std::stoul(request.substr(at + 16)) : 0;
        if (request.size() >= end + 4 + body) return request;
      }
      const ssize_t got = ::read(peer, piece, sizeof piece);
      if (got <= 0) return request;
      request.append(piece, static_cast<std::size_t>(got));
    }
  }

  TempDir dir_;
  const std::string engine_;
  int changes_;
  bool cut_off_ = false;
  int listener_ = -1;
  std::thread thread_;
};

}  // namespace observeai::test
