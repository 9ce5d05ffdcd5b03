#!/usr/bin/env bash
# Runs a program of scripts/up, and again whenever it ends with 75 ("start me again"), after a pause that
# doubles from 1 s to 60 s and begins anew after a minute of running. With any other end this ends too.
#   keep.sh PID_FILE SETTINGS_SUM COMMAND...
# SIGTERM: keeps no longer; the program goes on. The pid file is that of services.sh.
set -u
. "$(dirname "$0")/services.sh"
pid_file=$1 settings=$2
shift 2
sleeper=
trap '[ -z "$sleeper" ] || kill "$sleeper" 2>/dev/null; exit 0' TERM
pause=1
while :; do
  began=$(now_ms)
  "$@" &
  pid=$!
  started=$(start_time_of "$pid") # Empty when it has ended already
  echo "$pid ${started:-0} $settings $$ $(start_time_of $$)" >"$pid_file.new"
  mv "$pid_file.new" "$pid_file"
  wait "$pid"
  code=$?
  [ "$code" = 75 ] || exit "$code"
  [ $(($(now_ms) - began)) -lt 60000 ] || pause=1
  echo "$(basename "$1") has ended with 75 and is started again in $pause s"
  sleep "$pause" &
  sleeper=$!
  wait "$sleeper"
  sleeper=
  pause=$((pause < 30 ? pause * 2 : 60))
done
