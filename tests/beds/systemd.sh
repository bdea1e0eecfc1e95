#!/bin/bash
# Installs Netcrier on a booted Debian 12 with systemd, starts each unit, sends one broadcast, stops each, powers off.
#
#   tests/beds/systemd.sh            as root; prints a line for each promise, exit status 0 if all hold
#
# The machine is a systemd-nspawn container in a network namespace without a way out. Mounts, processes and namespaces
# are gone when this ends, however it ends; of Debian packages it installs what it lacks. Limit: 10 minutes.
# NETCRIER_BED_BASE=FILE.tar keeps the bare Debian for the next run.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/beds/checks.sh
. "$here/checks.sh"

if [ "${1:-}" != inside ]; then
    run_apart "$here/systemd.sh" mmdebstrap mmdebstrap systemd-nspawn systemd-container ip iproute2
    exit
fi

work=$2
tree=$(cd "$here/../.." && pwd)
root=$work/root
machine= # the pid of the container's process 1

inside() { nsenter -t "$machine" -a -- env -i PATH=/usr/local/sbin:/usr/local/bin:"$PATH" HOME=/root "$@"; }
as() { # USER COMMAND...
    local user=$1
    shift
    inside setpriv --reuid "$user" --regid "$user" --init-groups "$@"
}
property() { inside systemctl show --value -p "$2" "$1"; }
evidence() {
    [ -n "$machine" ] || return 0
    tail -n 20 "$work/console.log"
    inside journalctl --no-pager -o cat -n 40 -u masterd -u noded -u analyzerd -u 'netcrier-handler*'
}

step "a bare Debian 12"
base=${NETCRIER_BED_BASE:-$work/base.tar}
[ -s "$base" ] || mmdebstrap --quiet --variant=minbase \
    --include=systemd,systemd-sysv,dbus,gcc,libc6-dev,python3-dev,python3-venv,iproute2,procps,ca-certificates \
    bookworm "$base"
mkdir "$root"
tar -x -C "$root" --exclude='./dev/*' -f "$base"
: >"$root/etc/machine-id"
ok "unpacked"

step "the wheels, built there"
mkdir "$root/opt/source" "$root/opt/wheels"
(cd "$tree" && tar -c --exclude='*.so' --exclude='*.c' --exclude=__pycache__ setup.cfg setup.py pyproject.toml \
    README.md LICENSE daemons ctl systemd packaging) | tar -x -C "$root/opt/source"
for file in /etc/resolv.conf /etc/pip.conf /etc/ssl/certs/ca-certificates.crt; do # as this machine reaches its index
    [ ! -e "$file" ] || { touch "$root$file" && mount --bind "$file" "$root$file"; }
done
mount --rbind /dev "$root/dev" && mount --make-rslave "$root/dev"
chroot "$root" sh -c 'python3 -m venv /opt/build && cd /opt/source &&
    /opt/build/bin/pip wheel -q --disable-pip-version-check -w /opt/wheels . && rm -rf build *.egg-info' 2>"$work/err" ||
    { cat "$work/err"; fail "the wheel builds"; }
check "packaging/install.sh puts a package together" chroot "$root" \
    env DESTDIR=/put-together PREFIX=/opt/other /opt/source/packaging/install.sh
umount -l "$root/dev"
for file in /etc/resolv.conf /etc/pip.conf /etc/ssl/certs/ca-certificates.crt; do
    ! mountpoint -q "$root$file" || umount "$root$file"
done
ok "$(cd "$root/opt/wheels" && echo netcrier-*.whl)"
for file in opt/other/bin/netctl usr/local/lib/systemd/system/noded.service usr/local/lib/tmpfiles.d/netcrier.conf; do
    [ -s "$root/put-together/$file" ] || fail "the package has $file"
done
grep -qx 'ExecStart=/opt/other/bin/noded' "$root/put-together/usr/local/lib/systemd/system/noded.service" || fail "PREFIX holds"
check "no path of it names where it was put together" refused 1 grep -rlIF /put-together "$root/put-together"
check "packaging/uninstall.sh leaves nothing of it" chroot "$root" \
    env DESTDIR=/put-together PREFIX=/opt/other /opt/source/packaging/uninstall.sh --purge
check "no file is left" refused 1 grep -rl . "$root/put-together"
rm -rf "$root/put-together"

step "boot"
mount -t tmpfs tmpfs /run/netns 2>/dev/null || { mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns; }
ip netns add machine
ip netns add wire
ip -n machine link set lo up
ip -n machine link add lan0 type veth peer name far netns wire
ip -n machine address add 10.77.0.1/24 broadcast + dev lan0
ip -n machine link set lan0 up
ip -n wire link set far up
systemd-nspawn -q -D "$root" -M netcrier-bed --boot --register=no --keep-unit \
    --network-namespace-path=/run/netns/machine --resolv-conf=off --timezone=off --link-journal=no --console=pipe \
    </dev/null >"$work/console.log" 2>&1 &
nspawn=$!
leader() { machine=$(tr -d ' ' <"/proc/$nspawn/task/$nspawn/children") && [ -n "$machine" ]; }
booted() { leader && case $(inside systemctl is-system-running 2>/dev/null) in running | degraded) ;; *) false ;; esac; }
for _ in $(seq 300); do booted && break; sleep 0.2; done
booted || fail "it boots"
ok "$(inside systemctl --version | head -1)"

step "install"
install=(inside PIP_NO_INDEX=1 PIP_FIND_LINKS=/opt/wheels sh -c 'cd / && /opt/source/packaging/install.sh /opt/wheels/netcrier-*.whl')
check "packaging/install.sh" "${install[@]}"
check "packaging/install.sh again" "${install[@]}"
is "$(inside stat -c '%a %U %G' /run/netcrier)" "1775 root netcrier-daemons" || fail "/run/netcrier"
for unit in masterd noded analyzerd; do
    check "systemd-analyze verify $unit: no word" silent inside systemd-analyze verify --man=no "$unit.service"
    ok "exposure: $(inside systemd-analyze security "$unit.service" | tail -1 | tr -dc '[:print:]')"
done
inside useradd -G netcrier reader
inside useradd stranger

step "start"
for unit in masterd noded analyzerd; do
    check "systemctl start $unit" inside systemctl start "$unit"
    is "$(property $unit ActiveState)" active || fail "$unit is active"
    is "$(inside ps -o user:32= -p "$(property $unit MainPID)" | tr -d ' ')" "netcrier-$unit" || fail "$unit's user"
    is "$(inside stat -c '%a %U' "/run/netcrier/$unit.sock")" "666 netcrier-$unit" || fail "$unit's socket"
    is "$(inside stat -c '%a %U' "/var/lib/netcrier/$unit")" "700 netcrier-$unit" || fail "$unit's state"
    ok "$(property $unit StatusText); $(($(inside ps -o rss= -p "$(property $unit MainPID)") / 1024)) MB"
done
enrolled() { inside netctl status --daemon noded --json | grep -q '"state": *"enrolled"'; }
check "the node finds its master" eventually 20 enrolled
here() { inside netctl status --daemon masterd --json | grep -q '"here": *1'; }
check "the master hears the node" eventually 20 here
check "netctl status" inside netctl status
cat "$work/out"

step "one broadcast"
check "netctl broadcast" inside netctl broadcast "Backup starts at 22:00"
cat "$work/out"
check "the node's log has it, for a member of the group netcrier" \
    as reader grep -F '"text":"Backup starts at 22:00"' /var/log/netcrier/noded/messages.log
cat "$work/out"
check "netctl status as that member" as reader netctl status
check "that member may not send (4)" refused 4 as reader netctl broadcast no
check "others may not even read the log" refused 2 as stranger grep -s . /var/log/netcrier/noded/messages.log
check "nor does the analyzer's user" refused 2 as netcrier-analyzerd grep -s . /var/log/netcrier/noded/messages.log
check "which reads no keys of the master" refused 2 as netcrier-analyzerd grep -s . /var/lib/netcrier/masterd/identity
check "nor commands it (4)" refused 4 as netcrier-analyzerd netctl broadcast no
check "nor removes its socket" refused 1 as netcrier-analyzerd rm -f /run/netcrier/masterd.sock

step "a handler"
printf '%s\n' '#!/bin/sh' 'body=$(cat)' 'echo "$(id -un) $NETCRIER_EVENT $NETCRIER_ID $body" >>/var/lib/netcrier/handler/ran' \
    'cat /var/lib/netcrier/noded/identity /run/netcrier/handler.sock 2>/dev/null && exit 9' \
    'touch /etc/netcrier/mine 2>/dev/null && exit 9' \
    'setsid sleep 1000 >/dev/null 2>&1 &' '[ "$body" != wait ] || sleep 100' 'exit 3' |
    inside tee /etc/netcrier/handlers.d/message-10 >/dev/null
inside chmod 755 /etc/netcrier/handlers.d/message-10
inside sh -c 'cp /etc/netcrier/handlers.d/message-10 /etc/netcrier/handlers.d/whoami'
printf '%s\n' '#!/bin/sh' 'id -un' | inside tee /etc/netcrier/handlers.d/whoami >/dev/null
is "$(inside stat -c '%a %U' /run/netcrier/handler.sock)" "600 netcrier-noded" || fail "the handlers' socket"
check "for a master of first use nothing runs" inside netctl broadcast before
check "and netctl status says why" inside sh -c 'netctl status | grep -F "netctl join"'
check "netctl token | netctl join" inside sh -c 'netctl token | netctl join'
trusted() { inside netctl status --daemon noded --json | grep -q '"trust": *"token"' && enrolled; }
check "the node has another trust" eventually 20 trusted
check "netctl query" eventually 20 inside sh -c 'netctl query whoami | grep -w netcrier-handler'
check "netctl broadcast" inside netctl broadcast hello
told() { inside grep -F "$1" /var/log/netcrier/masterd/messages.log | grep -q '"state":"handled"'; }
check "the master learns what it returned" eventually 20 told '"code":3'
is "$(inside cat /var/lib/netcrier/handler/ran)" "netcrier-handler message 3 hello" || fail "what it ran as, and with"
ok "$(inside cat /var/lib/netcrier/handler/ran)"
none_left() { ! inside pgrep -u netcrier-handler; }
check "nothing that it started is left" eventually 10 none_left
check "others may not use its socket" refused 1 as reader python3 -c \
    'import socket; socket.socket(socket.AF_UNIX).connect("/run/netcrier/handler.sock")'
check "netctl broadcast" inside netctl broadcast wait
waiting() { inside grep -q 'message 4 wait' /var/lib/netcrier/handler/ran; }
check "a long one begins" eventually 20 waiting
inside kill -KILL "$(property noded MainPID)"
check "it ends with noded" eventually 10 none_left
check "and is uncertain, not begun again" eventually 20 told '"code":518'
is "$(inside grep -c wait /var/lib/netcrier/handler/ran)" 1 || fail "it ran once"
inside rm /etc/netcrier/handlers.d/message-10
inside systemctl reset-failed noded
check "systemctl restart noded" inside systemctl restart noded
check "the node is there again" eventually 20 enrolled

step "reload, crash, stop"
before=$(property noded MainPID)
check "systemctl reload noded" inside systemctl reload noded
is "$(property noded MainPID) $(property noded ActiveState)" "$before active" || fail "the same process goes on"
inside kill -KILL "$before"
again() { is "$(property noded NRestarts) $(property noded ActiveState)" "1 active"; }
check "after kill -9 it runs again" eventually 10 again
check "and takes the path of its dead socket" inside netctl status --daemon noded
for unit in noded analyzerd masterd; do
    started=$(clock_ms)
    check "systemctl stop $unit" inside systemctl stop "$unit"
    ok "in $(($(clock_ms) - started)) ms"
    is "$(property $unit Result) $(property $unit ExecMainStatus)" "success 0" || fail "$unit stops with status 0"
    [ "$unit" = masterd ] || check "masterd's socket stays" inside netctl status --daemon masterd
done
is "$(inside find /run/netcrier -type s | wc -l)" 0 || fail "no socket is left"
check "the analyzer's log has the exchange" inside grep -F '"id.resp_p":12345' /var/log/netcrier/analyzerd/conn.log
head -c 300 "$work/out"; echo
refused 1 inside sh -c 'journalctl -o cat -u masterd -u noded -u analyzerd | grep -F Traceback' || fail "no traceback"
ok "no traceback in the journal"

step "a bad configuration"
printf 'no_such_key = 1\n' | inside tee /etc/netcrier/noded.toml >/dev/null
check "systemctl start noded fails" refused 1 inside systemctl start noded
sleep 3 # longer than RestartSec
is "$(property noded ExecMainStatus) $(property noded NRestarts)" "78 0" || fail "status 78, and no second start"
ok "status 78, and no second start"

step "power off"
kill -TERM "$nspawn"
check "the machine powers off" timeout 30 tail --pid="$nspawn" -f /dev/null
printf '\nsystemd.sh: all of it holds (%s s)\n' "$SECONDS"
