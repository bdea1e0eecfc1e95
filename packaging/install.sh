#!/bin/sh
# Installs Netcrier from this tree, or from a wheel: programs, units, users and directories.
#
#   packaging/install.sh [WHEEL]
#
# DESTDIR  where a package is being put together; nothing is then done to the running system (default: none)
# PREFIX   the programs' own environment                                                  (default: /opt/netcrier)
# BINDIR   links to masterd, noded, analyzerd and netctl                                  (default: /usr/local/bin)
# LIBDIR   has systemd/system, sysusers.d and tmpfiles.d                                  (default: /usr/local/lib)
# PYTHON   3.11 or later, with venv                                                       (default: python3)
#
# Run again it replaces the programs at once, or not at all where it fails; configuration, state and logs stay.
# Daemons that run go on with the old programs until `systemctl restart`.
set -eu
umask 022

DESTDIR=${DESTDIR:-} PREFIX=${PREFIX:-/opt/netcrier} BINDIR=${BINDIR:-/usr/local/bin} LIBDIR=${LIBDIR:-/usr/local/lib}
PYTHON=${PYTHON:-python3}
PROGRAMS='masterd noded analyzerd netctl'
tree=$(cd "$(dirname "$0")/.." && pwd)

say() { printf '%s\n' "$*" >&2; }
fail() { say "install.sh: $1"; exit "${2:-1}"; }

case ${1:-} in
    -h | --help) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    -*) fail "$1: no such option; see --help" 2 ;;
esac
[ $# -le 1 ] || fail "one wheel at most; see --help" 2
[ -n "$DESTDIR" ] || [ "$(id -u)" = 0 ] || fail "only root installs into the running system; sudo $0, or set DESTDIR"
"$PYTHON" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    fail "needs Python 3.11 with venv: apt-get install python3-venv, or set PYTHON"

new=$DESTDIR$PREFIX.new
work=$(mktemp -d)
trap 'rm -rf "$work" "$new"' EXIT
trap 'exit 1' HUP INT TERM

# The programs: an environment beside the old one, then in its place.
source=${1:-$work/source}
if [ $# = 0 ]; then
    mkdir "$source"
    (cd "$tree" && tar -c --exclude='*.so' --exclude='*.c' --exclude=__pycache__ \
        setup.cfg setup.py pyproject.toml README.md LICENSE daemons ctl) | tar -x -C "$source"
    command -v gcc >/dev/null || say "install.sh: no gcc: analyzerd will lack its engine"
fi
rm -rf "$new"
"$PYTHON" -m venv "$new"
"$new/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile "$source"
"$new/bin/python" -m pip uninstall --quiet --yes --disable-pip-version-check setuptools pip
"$new/bin/python" -m compileall -q -s "$new" -p "$PREFIX" "$new/lib" || say "install.sh: some modules are not compiled"
grep -rlIFZ "$new" "$new" | xargs -0r sed -i "s|$new|$PREFIX|g"
rm -rf "$DESTDIR$PREFIX.old"
[ ! -e "$DESTDIR$PREFIX" ] || mv "$DESTDIR$PREFIX" "$DESTDIR$PREFIX.old"
mv "$new" "$DESTDIR$PREFIX"
rm -rf "$DESTDIR$PREFIX.old"

mkdir -p "$DESTDIR$BINDIR"
for program in $PROGRAMS; do
    ln -sfn "$PREFIX/bin/$program" "$DESTDIR$BINDIR/$program"
done

# Units, users, directories.
for unit in "$tree"/systemd/*.service "$tree"/systemd/*.socket; do
    sed "s|^ExecStart=/opt/netcrier/|ExecStart=$PREFIX/|" "$unit" >"$work/unit"
    install -D -m 0644 "$work/unit" "$DESTDIR$LIBDIR/systemd/system/$(basename "$unit")"
done
install -D -m 0644 "$tree/packaging/sysusers.d/netcrier.conf" "$DESTDIR$LIBDIR/sysusers.d/netcrier.conf"
install -D -m 0644 "$tree/packaging/tmpfiles.d/netcrier.conf" "$DESTDIR$LIBDIR/tmpfiles.d/netcrier.conf"

[ -z "$DESTDIR" ] || exit 0
if ! command -v systemd-sysusers >/dev/null; then
    say "installed without systemd: no users are made; start the programs with --daemonize"
    exit 0
fi
systemd-sysusers "$LIBDIR/sysusers.d/netcrier.conf"
systemd-tmpfiles --create "$LIBDIR/tmpfiles.d/netcrier.conf"
[ ! -d /run/systemd/system ] || systemctl daemon-reload
say "installed: systemctl start noded, then netctl status"
