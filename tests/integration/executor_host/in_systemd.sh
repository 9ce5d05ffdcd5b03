#!/usr/bin/env bash
# in_systemd.sh PROGRAM [FILE=PLACE]...: runs PROGRAM as a unit of a real systemd, in a container that
# systemd-nspawn boots from this machine's own files under an overlay that is thrown away, with a network of its own
# and each FILE copied to PLACE. Exit code: the program's; 77 where this machine cannot do it (not root, no
# systemd-nspawn, no overlay in a tmpfs, no boot).
set -euo pipefail
program=$(realpath "$1")
shift
skip() { echo "SKIPPED, $(basename "$program") tests NOTHING here: $1" >&2; exit 77; }
[ "$(id -u)" -eq 0 ] || skip "needs root"
command -v systemd-nspawn >/dev/null || skip "needs the package systemd-container"

box=$(mktemp -d /tmp/observeai-nspawn-XXXXXX)
clean() {
  umount "$box/root" 2>/dev/null || true
  umount "$box" 2>/dev/null || true
  rmdir "$box" 2>/dev/null || true
}
trap clean EXIT
mount -t tmpfs -o size=512m observeai-nspawn "$box" || skip "cannot mount a tmpfs"
mkdir "$box/upper" "$box/work" "$box/root" "$box/out"
mount -t overlay -o "lowerdir=/,upperdir=$box/upper,workdir=$box/work" overlay "$box/root" ||
  skip "cannot mount an overlay"
mkdir -p "$box/root/observeai-test" "$box/root/etc/systemd/journald.conf.d" "$box/root/var/log/journal"
printf '[Journal]\nStorage=persistent\nRateLimitIntervalSec=0\nForwardToConsole=no\n' \
  >"$box/root/etc/systemd/journald.conf.d/observeai-test.conf"
cp "$program" "$box/root/observeai-test/program"
for one in "$@"; do cp --no-preserve=ownership "${one%%=*}" "$box/root/${one#*=}"; done
cat >"$box/root/observeai-test/run" <<'RUN'
#!/bin/sh
OBSERVEAI_IN_SYSTEMD=1 /observeai-test/program >/out/output 2>&1
echo $? >/out/code
RUN
chmod +x "$box/root/observeai-test/run"
cat >"$box/observeai-test.service" <<'UNIT'
[Unit]
DefaultDependencies=no
Wants=sysinit.target
After=sysinit.target
SuccessAction=poweroff-force
FailureAction=poweroff-force
[Service]
Type=oneshot
TimeoutStartSec=120
ExecStart=/observeai-test/run
UNIT
# A pid namespace is nspawn's own: whatever the test ends, it ends in there. The unified hierarchy and bpf are what
# systemd needs to keep IPAddressDeny= and DevicePolicy=.
SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 \
  timeout --kill-after=10 150 systemd-nspawn --quiet --register=no --keep-unit --directory="$box/root" \
  --private-network --capability=CAP_BPF,CAP_SYSLOG --system-call-filter=bpf \
  --bind="$box/out:/out" --bind-ro="$box/observeai-test.service:/etc/systemd/system/observeai-test.service" \
  --boot systemd.unit=observeai-test.service </dev/null >"$box/boot.log" 2>&1 || true
if [ ! -s "$box/out/code" ]; then
  tail -n 15 "$box/boot.log" >&2
  [ -s "$box/out/output" ] && { cat "$box/out/output"; echo "the test did not come to its end" >&2; exit 1; }
  skip "systemd did not boot in the container"
fi
cat "$box/out/output"
exit "$(cat "$box/out/code")"
