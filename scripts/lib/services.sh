# Starting and stopping the programs of scripts/up; sourced. A program is known by its pid and its
# start time, so that a reused pid is never taken for ours.

now_ms() { date +%s%3N; }
seconds_since() { awk -v a="$1" -v b="$(now_ms)" 'BEGIN { printf "%.1f s", (b - a) / 1000 }'; }

# Empty for a process that is gone or only waits for its parent.
start_time_of() { awk '{ sub(/^.*\) /, ""); if ($1 != "Z") print $20 }' "/proc/$1/stat" 2>/dev/null; }

service_pid() { cut -d' ' -f1 "$1/run/$2.pid" 2>/dev/null; }

service_running() { # home name
  local pid started
  read -r pid started 2>/dev/null <"$1/run/$2.pid" || return 1
  [ -n "$started" ] && [ "$(start_time_of "$pid")" = "$started" ]
}

service_start() { # home name command...
  local home=$1 name=$2
  shift 2
  service_running "$home" "$name" && return 0
  setsid "$@" >>"$home/log/$name.log" 2>&1 </dev/null &
  local pid=$!
  disown "$pid"
  echo "$pid $(start_time_of "$pid")" >"$home/run/$name.pid"
}

service_stop() { # home name: SIGTERM, then SIGKILL after 10 s
  local pid
  service_running "$1" "$2" || { rm -f "$1/run/$2.pid"; return 0; }
  pid=$(service_pid "$1" "$2")
  kill -TERM "$pid" 2>/dev/null || true
  wait_until 10 service_gone "$1" "$2" || kill -KILL "$pid" 2>/dev/null || true
  rm -f "$1/run/$2.pid"
}
service_gone() { ! service_running "$1" "$2"; }

service_failed() { # home name: what to read when it did not come up
  echo >&2
  tail -n 15 "$1/log/$2.log" >&2
  echo "the $2 did not come up; its log is $1/log/$2.log" >&2
  return 1
}

wait_until() { # seconds command...
  local end=$(($(now_ms) + $1 * 1000))
  shift
  until "$@"; do
    [ "$(now_ms)" -ge "$end" ] && return 1
    sleep 0.1
  done
}

build_quietly() { # home: the whole output only when it fails
  local log
  log=$(mktemp)
  if [ -t 2 ] && [ ! -f build/release/bin/observeai ]; then
    echo "compiling, a few minutes the first time" >&2
    printf '  %-42s' "" >&2
  fi
  if ! ./scripts/build release --target observeai-agent observeai-controlplane observeai >"$log" 2>&1; then
    grep -E 'error|FAILED' "$log" | head -20 >&2
    echo "the build failed; its output is in $log" >&2
    return 1
  fi
  rm -f "$log"
}

# ---- demo containers: one small image from Debian's static busybox, no registry ----------------

demo_docker() { docker -H "unix://$demo_socket" "$@"; }

start_demo() { # home docker_socket
  local home=$1
  demo_socket=$2
  if ! command -v docker >/dev/null; then
    echo "docker is not installed (apt-get install docker.io); everything else runs" >&2
    return 0
  fi
  if ! demo_docker version >/dev/null 2>&1; then
    echo "docker does not answer on $demo_socket (systemctl start docker); everything else runs" >&2
    return 0
  fi
  local busybox
  busybox=$(command -v busybox || true)
  if [ -z "$busybox" ] || ! file_is_static "$busybox"; then
    echo "the demo needs Debian's busybox-static (apt-get install busybox-static)" >&2
    return 0
  fi
  local root
  root=$(mktemp -d)
  mkdir -p "$root/bin" "$root/tmp" "$root/demo"
  cp "$busybox" "$root/bin/busybox"
  local applet
  for applet in sh echo sleep date cat expr dd rm httpd wget seq head tr; do ln -sf busybox "$root/bin/$applet"; done
  cp scripts/lib/demo/*.sh "$root/demo/"
  tar -C "$root" -c . | demo_docker import - observeai-demo:local >/dev/null
  rm -rf "$root"
  local name
  for name in web worker cache; do
    demo_docker container inspect "observeai-demo-$name" >/dev/null 2>&1 && demo_docker rm -f "observeai-demo-$name" >/dev/null
    demo_docker run -d --name "observeai-demo-$name" --memory 64m --restart unless-stopped \
      --label com.docker.compose.project=observeai-demo --label "com.docker.compose.service=$name" \
      --label io.observeai.demo=true observeai-demo:local /bin/sh "/demo/$name.sh" >/dev/null
  done
  touch "$home/run/demo"
}
file_is_static() { ! ldd "$1" >/dev/null 2>&1; }

remove_demo() { # home docker_socket
  demo_socket=$2
  [ -f "$1/run/demo" ] || return 0
  local name
  for name in web worker cache; do demo_docker rm -f "observeai-demo-$name" >/dev/null 2>&1 || true; done
  rm -f "$1/run/demo"
}
