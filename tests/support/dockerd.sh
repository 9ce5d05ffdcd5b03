#!/usr/bin/env bash
# A private Docker daemon for tests: no bridge, no iptables, everything under DIR.
#   dockerd.sh start DIR        starts it and waits until it answers; the socket is DIR/docker.sock
#   dockerd.sh stop DIR         stops it by its pid (its containerd ends with it); fails when it lives on
#   dockerd.sh kill DIR         the same with SIGKILL: as if it had crashed
#   dockerd.sh image DIR NAME   imports a busybox image NAME (needs the package busybox-static)
# DIR must be short: a unix socket path is limited to 107 bytes. Needs root.
set -euo pipefail

# The command line of a process, nothing when it has ended.
command_line() {
  { tr '\0' ' ' <"/proc/$1/cmdline"; } 2>/dev/null || true
}

# Prints the pid and succeeds while the daemon that DIR/pid names is alive.
daemon_pid() {
  [ -s "$1/pid" ] || return 1
  local pid
  pid=$(cat "$1/pid")
  # A pid file may outlive its daemon, so the process must still be a dockerd of this DIR.
  command_line "$pid" | grep -q -- "dockerd.*--data-root $1/data" || return 1
  echo "$pid"
}

# The same for its containerd.
containerd_pid() {
  [ -s "$1/exec/containerd/containerd.pid" ] || return 1
  local pid
  pid=$(cat "$1/exec/containerd/containerd.pid")
  command_line "$pid" | grep -q -- "$1/exec/containerd" || return 1
  echo "$pid"
}

start() {
  local dir=$1 pid
  mkdir -p "$dir"
  if daemon_pid "$dir" >/dev/null; then return 0; fi
  # A killed daemon leaves these behind. With a pid that is another process's by now, dockerd would wait for
  # a containerd that never answers.
  rm -f "$dir/pid" "$dir/docker.sock"
  if [ -s "$dir/exec/containerd/containerd.pid" ] && ! containerd_pid "$dir" >/dev/null; then
    rm -f "$dir/exec/containerd/containerd.pid"
  fi
  setsid dockerd --data-root "$dir/data" --exec-root "$dir/exec" -H "unix://$dir/docker.sock" \
    --pidfile "$dir/pid" --bridge none --iptables=false \
    >>"$dir/log" 2>&1 </dev/null &
  pid=$!
  for _ in $(seq 300); do
    if docker -H "unix://$dir/docker.sock" version >/dev/null 2>&1; then return 0; fi
    if ! kill -0 "$pid" 2>/dev/null; then break; fi
    sleep 0.1
  done
  echo "dockerd did not start; the end of $dir/log:" >&2
  tail -n 20 "$dir/log" >&2
  return 1
}

# Waits up to so many tenths of a second for a process to end.
ended() { # pid tenths
  for _ in $(seq "$2"); do
    [ -n "$(command_line "$1")" ] || return 0
    sleep 0.1
  done
  return 1
}

stop() {
  local dir=$1 signal=$2 pid containerd=""
  pid=$(daemon_pid "$dir") || return 0
  # After SIGKILL the daemon cannot end its containerd, so that one is ended here, by its pid.
  containerd=$(containerd_pid "$dir") || containerd=""
  kill "-$signal" "$pid"
  if ! ended "$pid" 200; then
    echo "dockerd (pid $pid) did not end within 20 s of SIG$signal; killing it" >&2
    kill -KILL "$pid" 2>/dev/null || true
    ended "$pid" 50 || { echo "dockerd (pid $pid) of $dir still runs" >&2; return 1; }
  fi
  if [ -n "$containerd" ] && containerd_pid "$dir" >/dev/null; then
    kill "$containerd" 2>/dev/null || true
    ended "$containerd" 50 || { echo "containerd (pid $containerd) of $dir still runs" >&2; return 1; }
  fi
  # dockerd mounts its data folder upon itself, and what was killed unmounts nothing. Deepest first.
  awk -v dir="$dir/" 'index($2, dir) == 1 { print $2 }' /proc/mounts | sort -r | while read -r mount; do
    umount "$mount" 2>/dev/null || umount -l "$mount" || true
  done
}

image() {
  local dir=$1 name=$2 root
  root=$(mktemp -d)
  mkdir -p "$root/bin" "$root/tmp"
  cp "$(command -v busybox)" "$root/bin/busybox"
  for tool in sh sleep echo cat true false kill tail dd head seq nc; do
    ln -s busybox "$root/bin/$tool"
  done
  tar -C "$root" -c . | docker -H "unix://$dir/docker.sock" import - "$name" >/dev/null
  rm -r "$root"
}

command=${1:-}
case "$command" in
  start) start "${2:?DIR}" ;;
  stop) stop "${2:?DIR}" TERM ;;
  kill) stop "${2:?DIR}" KILL ;;
  image) image "${2:?DIR}" "${3:?NAME}" ;;
  *) sed -n '2,7p' "$0" >&2; exit 2 ;;
esac
