# Starting and stopping the programs of scripts/up; sourced. A program is known by its pid and its
# start time, so that a reused pid is never taken for ours.

now_ms() { date +%s%3N; }
seconds_since() { awk -v a="$1" -v b="$(now_ms)" 'BEGIN { printf "%.1f s", (b - a) / 1000 }'; }

# Empty for a process that is gone or only waits for its parent.
start_time_of() { awk '{ sub(/^.*\) /, ""); if ($1 != "Z") print $20 }' "/proc/$1/stat" 2>/dev/null; }

service_pid() { cut -d' ' -f1 "$1/run/$2.pid" 2>/dev/null; }

service_running() { # home name
  local pid started _
  read -r pid started _ 2>/dev/null <"$1/run/$2.pid" || return 1
  [ -n "$started" ] && [ "$(start_time_of "$pid")" = "$started" ]
}

# Alive, and what would be started now: the same program, not replaced since, with the same settings.
service_current() { # home name program settings_file
  local pid started settings _
  service_running "$1" "$2" || return 1
  read -r pid started settings _ <"$1/run/$2.pid"
  [ "$settings" = "$(settings_sum "$4")" ] && [ "$(readlink "/proc/$pid/exe")" = "$(readlink -f "$3")" ]
}
settings_sum() { cksum <"$1" | tr ' ' -; }

service_start() { # home name program command... --config FILE
  local home=$1 name=$2
  shift 2
  rm -f "$home/run/$name.pid"
  # Descriptor 9 is the lock of scripts/up, which ends with the script.
  setsid scripts/lib/keep.sh "$home/run/$name.pid" "$(settings_sum "${!#}")" "$@" \
    >>"$home/log/$name.log" 2>&1 </dev/null 9>&- &
  disown $!
  wait_until 5 [ -s "$home/run/$name.pid" ] || { explain "the $name was not started"; return 1; }
}

# Nobody starts it again from now on.
service_let_go() { # home name
  local pid started settings keeper keeper_started
  read -r pid started settings keeper keeper_started 2>/dev/null <"$1/run/$2.pid" || return 0
  [ -n "$keeper_started" ] && [ "$(start_time_of "$keeper")" = "$keeper_started" ] || return 0
  kill -TERM "$keeper" 2>/dev/null || true
}

service_stop() { # home name: SIGTERM, then SIGKILL after 10 s
  local pid
  service_let_go "$1" "$2"
  service_running "$1" "$2" || { rm -f "$1/run/$2.pid"; return 0; }
  pid=$(service_pid "$1" "$2")
  kill -TERM "$pid" 2>/dev/null || true
  if ! wait_until 10 service_gone "$1" "$2"; then
    kill -KILL "$pid" 2>/dev/null || true
    wait_until 5 service_gone "$1" "$2" || { explain "the $2 (pid $pid) does not end"; return 1; }
  fi
  rm -f "$1/run/$2.pid"
}
service_gone() { ! service_running "$1" "$2"; }

# For waiting: also false when it ended, and then the waiting is over.
service_alive() { service_running "$1" "$2" || { wait_is_over=true; return 1; }; }

service_failed() { # home name: what to read when it did not come up
  explain "the $2 did not come up; the end of its log, $1/log/$2.log:"
  tail -n 15 "$1/log/$2.log" | sed 's/^/    /' >&2
  return 1
}

# Lines below the name of the step that failed.
explain() {
  echo >&2
  printf '    %s\n' "$@" >&2
}

port_is_free() { # port variable
  local reason
  reason=$(python3 -c '
import socket, sys
with socket.socket() as s:
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        s.bind(("0.0.0.0", int(sys.argv[1])))
    except OSError as problem:
        sys.exit(f"port {sys.argv[1]}: {problem.strerror}")' "$1" 2>&1) && return 0
  explain "$reason" "choose another one:  $2=$(($1 < 60000 ? $1 + 1000 : $1 - 1000)) scripts/up"
  return 1
}

wait_until() { # seconds command...
  local end=$(($(now_ms) + $1 * 1000)) wait_is_over=false
  shift
  until "$@"; do
    if $wait_is_over || [ "$(now_ms)" -ge "$end" ]; then return 1; fi
    sleep 0.1
  done
}

build_quietly() { # home: the output only when it fails
  local log=$1/log/build.log
  if [ -t 2 ] && [ ! -f build/release/bin/observeai ]; then
    printf 'compiling, a few minutes the first time\n  %-42s' "" >&2
  fi
  if ! ./scripts/build release --target observeai-agent observeai-executor observeai-controlplane observeai-signer observeai >"$log" 2>&1; then
    explain "the build failed; its whole output is in $log:"
    build_errors "$log" | cut -c1-300 | sed 's/^/    /' >&2
    return 1
  fi
}

# ---- sample containers: one small image from Debian's static busybox, no registry --------------

demo_names=(web worker cache)
demo_docker() { docker -H "unix://$demo_socket" "$@"; }
try_docker() { # The same; what went wrong is said below the step.
  local output
  output=$(demo_docker "$@" 2>&1) && return 0
  explain "$output" "everything but the sample containers runs; when that is mended: scripts/up --demo"
  return 1
}

# Without Docker there are no sample containers; everything else runs, so that is not a failure.
start_demo() { # home docker_socket
  local home=$1
  demo_socket=$2
  if ! command -v docker >/dev/null; then
    note "none: docker is not installed (apt-get install docker.io)"
    return 0
  fi
  if ! timeout 20 docker -H "unix://$demo_socket" version >/dev/null 2>&1; then
    note "none: docker does not answer on $demo_socket (systemctl start docker)"
    return 0
  fi
  local busybox
  busybox=$(command -v busybox || true)
  if [ -z "$busybox" ] || ! file_is_static "$busybox"; then
    note "none: they need busybox-static (apt-get install busybox-static)"
    return 0
  fi
  echo "$demo_socket" >"$home/run/demo" || return 1
  local name image running
  make_demo_image "$busybox" || return 1
  image=$(demo_docker image inspect -f '{{.Id}}' observeai-demo:local) || return 1
  for name in "${demo_names[@]}"; do
    name=observeai-demo-$name
    running=$(demo_docker container inspect -f '{{.State.Running}} {{.Image}}' "$name" 2>/dev/null)
    [ "$running" = "true $image" ] && continue
    [ -z "$running" ] || try_docker rm -f "$name" || return 1
    try_docker run -d --name "$name" --memory 64m --restart unless-stopped \
      --label com.docker.compose.project=observeai-demo --label "com.docker.compose.service=${name##*-}" \
      --label io.observeai.demo=true observeai-demo:local /bin/sh "/demo/${name##*-}.sh" || return 1
  done
}
file_is_static() { ! ldd "$1" >/dev/null 2>&1; }
note() { printf '\n    %s\n  %-42s' "$*" "" >&2; }

# Made anew only when what goes into it has changed.
make_demo_image() { # busybox
  local sum root
  sum=$(cat "$1" scripts/lib/demo/*.sh | sha256sum | cut -c1-32) || return 1
  [ "$(demo_docker image inspect -f '{{index .Config.Labels "io.observeai.demo.sum"}}' observeai-demo:local 2>/dev/null)" = "$sum" ] && return 0
  root=$(mktemp -d) || return 1
  local made=false applet
  if mkdir -p "$root/bin" "$root/tmp" "$root/demo" && cp "$1" "$root/bin/busybox" && cp scripts/lib/demo/*.sh "$root/demo/"; then
    made=true
    for applet in sh echo sleep date cat expr dd rm httpd wget seq head tr mkdir; do
      ln -sf busybox "$root/bin/$applet" || made=false
    done
  fi
  if $made; then
    tar -C "$root" -c . | try_docker import --change "LABEL io.observeai.demo.sum=$sum" - observeai-demo:local || made=false
  fi
  rm -rf "$root"
  $made
}

remove_demo() { # home
  [ -f "$1/run/demo" ] || return 0
  demo_socket=$(cat "$1/run/demo")
  local names=("${demo_names[@]/#/observeai-demo-}")
  if ! demo_docker rm -f "${names[@]}" >/dev/null 2>&1 && ! demo_gone; then
    echo "the sample containers could not be removed, docker does not answer; later: docker rm -f ${names[*]}" >&2
    return 1
  fi
  rm -f "$1/run/demo"
}
demo_gone() {
  local left
  left=$(demo_docker ps -aq --filter label=io.observeai.demo=true 2>/dev/null) && [ -z "$left" ]
}
