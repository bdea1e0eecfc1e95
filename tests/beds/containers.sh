#!/bin/bash
# Builds the three images as the README says, with podman, runs one master, four nodes and an analyzer without any
# configuration, sends one broadcast, reads it in the nodes' container logs, and stops each with SIGTERM.
#
#   tests/beds/containers.sh         as root; prints a line for each promise, exit status 0 if all hold
#
# Containers run in a network namespace without a way out; only building reaches the package indexes. Images, mounts,
# processes and namespaces are gone when this ends, however it ends; of Debian packages it installs what it lacks.
# Limit: 10 minutes. NETCRIER_BED_BASE=FILE.tar keeps the bare Debian, which stands for debian:bookworm-slim, for the
# next run.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/beds/checks.sh
. "$here/checks.sh"

if [ "${1:-}" != inside ]; then
    run_apart "$here/containers.sh" mmdebstrap mmdebstrap podman podman runc runc /usr/lib/podman/netavark netavark \
        iptables iptables ip iproute2
    exit
fi

work=$2
tree=$(cd "$here/../.." && pwd)
evidence() {
    for name in master node1 analyzer; do podman logs --tail 20 "$name"; done
}

# podman in a folder of its own, with what it needs on small machines (no journal, old control groups).
mount -t tmpfs tmpfs /run
mkdir "$work/tmp" "$work/layer"
export TMPDIR=$work/tmp CONTAINERS_CONF=$work/containers.conf CONTAINERS_STORAGE_CONF=$work/storage.conf
export CONTAINERS_REGISTRIES_CONF=$work/registries.conf
cat >"$CONTAINERS_CONF" <<END
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
[network]
network_backend = "netavark"
network_config_dir = "$work/networks"
END
printf '[storage]\ndriver = "overlay"\ngraphroot = "%s/graph"\nrunroot = "/run/storage"\n' "$work" >"$CONTAINERS_STORAGE_CONF"
printf 'short-name-mode = "disabled"\nunqualified-search-registries = []\n' >"$CONTAINERS_REGISTRIES_CONF"

step "a bare Debian 12"
base=${NETCRIER_BED_BASE:-$work/base.tar}
# With ca-certificates, as its installation during the build would replace the certificates that are copied below.
[ -s "$base" ] || mmdebstrap --quiet --variant=minbase --include=ca-certificates bookworm "$base"
for file in /etc/ssl/certs/ca-certificates.crt /etc/pip.conf; do # as this machine reaches its indexes
    [ ! -e "$file" ] || (cd / && cp --parents -L ".$file" "$work/layer/")
done
mkdir -p "$work/layer/etc/apt/apt.conf.d"
apt-config dump | grep '^Acquire::\(Check\|http\|https\)' >"$work/layer/etc/apt/apt.conf.d/99bed" || true
"${PYTHON:-python3}" -m venv "$work/compose"
"$work/compose/bin/pip" install -q --disable-pip-version-check podman-compose 2>"$work/err" ||
    { cat "$work/err"; fail "podman-compose is there"; }
mount -t tmpfs tmpfs /var/lib # podman keeps a cache there, wherever its storage is
podman import --quiet "$base" localhost/bare >/dev/null
printf 'FROM localhost/bare\nCOPY . /\n' >"$work/Dockerfile"
build=(podman build --quiet --format docker --pull=never --network=host)
check "debian:bookworm-slim" "${build[@]}" -f "$work/Dockerfile" -t debian:bookworm-slim "$work/layer"
bare=$(podman image inspect -f '{{.Size}}' debian:bookworm-slim)

step "build"
for target in master node analyzer; do
    check "podman build --target $target -t $target-image ." "${build[@]}" --target "$target" -t "$target-image" "$tree"
    ok "$((($(podman image inspect -f '{{.Size}}' "$target-image") - bare) / 1000000)) MB above the bare Debian"
done

step "run"
unshare --net -- sh -c 'ip link set lo up && exec sleep 600' &
net=$!
apart() { [ "$(readlink "/proc/$net/ns/net")" != "$(readlink /proc/self/ns/net)" ]; }
eventually 5 apart || fail "a network namespace"
docker() { nsenter --net="/proc/$net/ns/net" podman "$@"; }
eventually 5 nsenter --net="/proc/$net/ns/net" ip link show dev lo
check "a network without a way out" docker network create --internal --disable-dns lan
started=$(clock_ms)
check "run -d --name master master-image" docker run -d --network lan --name master master-image
for name in node1 node2 node3 node4; do
    check "run -d --name $name node-image" docker run -d --network lan --name "$name" node-image
done
check "the analyzer beside the master, with NET_RAW alone" \
    docker run -d --network container:master --cap-drop ALL --cap-add NET_RAW --name analyzer analyzer-image
here() { docker exec master netctl status --daemon masterd --json | grep -q '"here": *4'; }
check "four nodes are here" eventually 30 here
ok "in $(($(clock_ms) - started)) ms from the first run"
check "process 1 is the daemon itself" docker exec node1 sh -c 'tr "\0" " " </proc/1/cmdline | grep -w noded'
check "and not root's" is "$(docker exec node1 id -un)" netcrier

step "one broadcast"
check "docker exec master netctl broadcast" docker exec master netctl broadcast "Backup starts at 22:00"
cat "$work/out"
once() { [ "$(podman logs "$1" 2>/dev/null | grep -c '"text":"Backup starts at 22:00"')" = 1 ]; }
for name in node1 node2 node3 node4; do
    check "docker logs $name has it once" eventually 5 once "$name"
done
podman logs node1 2>/dev/null | tail -1
for name in master node1 analyzer; do
    check "healthy: $name" docker healthcheck run "$name"
done

step "SIGTERM"
for name in analyzer node1 node2 node3 node4 master; do
    started=$(clock_ms)
    check "docker stop $name" docker stop -t 10 "$name"
    took=$(($(clock_ms) - started))
    status=$(podman inspect -f '{{.State.ExitCode}}' "$name")
    if [ "$status" != 0 ] || [ "$took" -ge 10000 ]; then fail "$name ends by itself: status $status after $took ms"; fi
    ok "status 0 after $took ms"
done
for name in master node1 analyzer; do
    podman logs "$name" >"$work/$name.stdout" 2>"$work/$name.stderr"
    if grep -F Traceback "$work/$name.stderr"; then fail "$name has a traceback"; fi
    is "$(head -c 8 "$work/$name.stdout")" '{"log":"' || fail "$name writes JSON to standard output"
done
ok "JSON on standard output, no traceback on standard error"
check "the analyzer's log has the exchange" grep -m 1 -F '"id.resp_p":12345' "$work/analyzer.stdout"
cut -c -300 "$work/out"

step "start again"
check "master and node1 come back" docker start master node1
again() { docker exec node1 netctl messages --daemon noded --json | grep -q 'Backup starts'; }
check "the node still has its message" eventually 10 again
back() { docker exec master netctl nodes --json | grep -q '"here"'; }
check "as the node that it was" eventually 20 back
known() { docker exec master netctl status --daemon masterd --json | grep -q '"known": *4'; }
check "and there are still four" known

step "a handler"
mkdir "$work/handlers.d"
printf '#!/bin/sh\nread -r word\n[ "$word" = note ] && exit 3\nexit 0\n' >"$work/handlers.d/message-note"
chmod 755 "$work/handlers.d" "$work/handlers.d/message-note"
token=$(docker exec master netctl token)
check "run -v handlers.d:/etc/netcrier/handlers.d:ro, with a token" docker run -d --network lan --name keeper \
    -e NETCRIER_TOKEN="$token" -v "$work/handlers.d:/etc/netcrier/handlers.d:ro" node-image
keeper=$(docker exec keeper hostname)
let_in() { docker exec master netctl nodes --to "name=$keeper" --json | grep -q '"state": *"here"'; }
check "the node is let in" eventually 20 let_in
id=$(docker exec master netctl broadcast note --to "name=$keeper" --wait none --json | sed -n 's/.*"id": *"\([^"]*\)".*/\1/p')
handled() { docker exec master netctl explain "$id" | grep -F 'handler exit 3'; }
check "what it returns is in the receipt" eventually 20 handled
docker exec master netctl explain "$id"

step "take down"
docker rm -f -t 5 analyzer >"$work/out" 2>&1 || true # podman 4.3 complains of timers that it had no systemd to set
docker rm -fa -t 5 >>"$work/out" 2>&1 || true
is "$(docker ps -aq)" "" || fail "all containers are removed"
ok "all containers are removed"

step "compose.yaml"
compose() { # no build: the images are there
    nsenter --net="/proc/$net/ns/net" "$work/compose/bin/podman-compose" -f "$tree/compose.yaml" -p bed --no-ansi "$@"
}
check "podman-compose up -d --no-build" compose up -d --no-build
in_compose() { docker exec "$(docker ps -q --filter "name=^bed[-_]$1[-_]1\$")" "${@:2}"; }
four() { in_compose master netctl status --daemon masterd --json | grep -q '"here": *4'; }
check "four nodes are here" eventually 30 four
check "netctl broadcast" in_compose master netctl broadcast "from compose"
cat "$work/out"
check "netctl nodes has their names" in_compose master netctl nodes
cat "$work/out"
check "the analyzer sees the master's network" in_compose analyzer netctl status --daemon analyzerd
cat "$work/out"
check "podman-compose down" compose down
docker rm -fa -t 5 >"$work/out" 2>&1 || true
printf '\ncontainers.sh: all of it holds (%s s)\n' "$SECONDS"
