#!/bin/sh
# Takes away what packaging/install.sh installed: units, programs and the links to them.
#
#   packaging/uninstall.sh [--purge]
#
# --purge  also configuration, keys, state and logs of all daemons; without it they stay for the next installation.
#          A master's keys and numbers cannot be had again: its nodes then follow no other without a new token.
#
# DESTDIR, PREFIX, BINDIR, LIBDIR  as they were given to install.sh
#
# The users and groups stay: files may still belong to them, and another user must not get their numbers.
set -eu

DESTDIR=${DESTDIR:-} PREFIX=${PREFIX:-/opt/netcrier} BINDIR=${BINDIR:-/usr/local/bin} LIBDIR=${LIBDIR:-/usr/local/lib}
PROGRAMS='masterd noded analyzerd netctl'
tree=$(cd "$(dirname "$0")/.." && pwd)

say() { printf '%s\n' "$*" >&2; }
fail() { say "uninstall.sh: $1"; exit "${2:-1}"; }

purge=
case ${1:-} in
    '') ;;
    --purge) purge=yes ;;
    -h | --help) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    *) fail "$1: no such option; see --help" 2 ;;
esac
[ $# -le 1 ] || fail "one option at most; see --help" 2
[ -n "$DESTDIR" ] || [ "$(id -u)" = 0 ] || fail "only root uninstalls from the running system; sudo $0, or set DESTDIR"
[ ! -e "$DESTDIR$PREFIX" ] || [ -x "$DESTDIR$PREFIX/bin/netctl" ] || fail "$DESTDIR$PREFIX holds no netctl: is PREFIX right?"

running=
[ -n "$DESTDIR" ] || [ ! -d /run/systemd/system ] || running=yes

# Daemons first: nothing may run from a folder that goes.
for unit in "$tree"/systemd/*.socket "$tree"/systemd/*.service; do
    name=$(basename "$unit")
    case $running$name in
        yes*@.service) systemctl stop --quiet "${name%.service}*.service" 2>/dev/null || true ;;
        yes*) systemctl disable --quiet --now "$name" 2>/dev/null || say "uninstall.sh: $name did not run" ;;
    esac
    rm -f "$DESTDIR$LIBDIR/systemd/system/$name"
done
rm -f "$DESTDIR$LIBDIR/sysusers.d/netcrier.conf" "$DESTDIR$LIBDIR/tmpfiles.d/netcrier.conf"
[ -z "$running" ] || systemctl daemon-reload

# A link that leads elsewhere is another's.
for program in $PROGRAMS; do
    link=$DESTDIR$BINDIR/$program
    [ "$(readlink "$link" || true)" != "$PREFIX/bin/$program" ] || rm -f "$link"
done
rm -rf "$DESTDIR$PREFIX" "$DESTDIR$PREFIX.old" "$DESTDIR$PREFIX.new"

rm -rf "$DESTDIR/run/netcrier"
if [ -n "$purge" ]; then
    rm -rf "$DESTDIR/etc/netcrier" "$DESTDIR/var/lib/netcrier" "$DESTDIR/var/log/netcrier"
    say "uninstalled, with configuration, keys, state and logs"
else
    say "uninstalled; /etc/netcrier, /var/lib/netcrier and /var/log/netcrier stay (--purge takes them too)"
fi
