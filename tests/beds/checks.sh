# What the test beds share: one line a promise, patience, and leaving nothing behind. Sourced by bash.
#
# A bed runs itself again, as `BED inside FOLDER`, in mount and pid namespaces of its own: they end with it, and with
# them all mounts and processes, however it ends; only KILL leaves its folder in /var/tmp. `fail` calls `evidence`.
# shellcheck shell=bash

export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8
LIMIT=600 # seconds

run_apart() { # BED [PROGRAM PACKAGE]...: install what is lacking, then `BED inside FOLDER`
    local bed=$1 lacking=()
    shift
    [ "$(id -u)" = 0 ] || { echo "$bed: needs root" >&2; exit 77; }
    while [ $# -gt 0 ]; do
        command -v "$1" >/dev/null || lacking+=("$2")
        shift 2
    done
    if [ ${#lacking[@]} -gt 0 ]; then
        export DEBIAN_FRONTEND=noninteractive
        apt-get -qq -o DPkg::Lock::Timeout=300 update
        apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "${lacking[@]}" >/dev/null
    fi
    work=$(mktemp -d /var/tmp/netcrier-bed.XXXXXX)
    bed_pid=
    trap _leave EXIT
    trap 'exit 1' HUP INT TERM
    _enter_group
    setpriv --pdeathsig TERM timeout --kill-after=2 "$LIMIT" \
        unshare --mount --pid --fork --kill-child --mount-proc "$bed" inside "$work" &
    bed_pid=$!
    wait "$bed_pid"
}

step() { printf '\n== %s\n' "$*"; }
ok() { printf 'ok    %s\n' "$*"; }
fail() {
    printf 'FAIL  %s\n' "$*"
    evidence 2>&1 || true
    exit 1
}
check() { # WHAT COMMAND...
    local what=$1
    shift
    if "$@" >"$work/out" 2>&1; then ok "$what"; else cat "$work/out"; fail "$what"; fi
}
is() { # GOT WANTED
    [ "$1" = "$2" ] || { echo "is $1, not $2"; return 1; }
}
refused() { # STATUS COMMAND...
    local want=$1 status=0
    shift
    "$@" || status=$?
    is "$status" "$want"
}
silent() { # COMMAND...: status 0 and nothing on standard error
    "$@" >/dev/null 2>"$work/err" && is "$(cat "$work/err")" ""
}
eventually() { # SECONDS COMMAND...
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.2
    done
}
clock_ms() { echo $((${EPOCHREALTIME/./} / 1000)); }

# systemd-nspawn and runc leave control groups behind, so a bed has its own.
_hierarchies() { # FOLDER and the caller's path in it, a line each
    if [ -d /sys/fs/cgroup/systemd ]; then
        sed -n 's|^[0-9]*:name=systemd:|/sys/fs/cgroup/systemd |p' /proc/self/cgroup
        [ ! -d /sys/fs/cgroup/unified ] || sed -n 's|^0::|/sys/fs/cgroup/unified |p' /proc/self/cgroup
    else
        sed -n 's|^0::|/sys/fs/cgroup |p' /proc/self/cgroup
    fi
}
_enter_group() {
    homes=$(_hierarchies)
    while read -r folder _; do
        mkdir "$folder/netcrier-bed.$$" && echo $$ >"$folder/netcrier-bed.$$/cgroup.procs"
    done <<<"$homes"
}
# shellcheck disable=SC2317  # called by trap
_leave() {
    if [ -n "$bed_pid" ] && kill -TERM "$bed_pid" 2>/dev/null; then wait "$bed_pid" || true; fi
    while read -r folder path; do
        echo $$ >"$folder$path/cgroup.procs"
        find "$folder/netcrier-bed.$$" -depth -type d -exec rmdir {} + || true
    done <<<"$homes"
    # podman's are in every hierarchy; one that is in use is not removed
    find /sys/fs/cgroup -depth -type d -path '*/libpod_parent*' -exec rmdir {} + 2>/dev/null || true
    rm -rf --one-file-system "$work"
}
