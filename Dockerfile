# Images of the three daemons: docker build --target master|node|analyzer -t NAME .
# Each runs its daemon in the foreground as process 1 and writes its JSON log to standard output.

FROM debian:bookworm-slim AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends gcc libc6-dev python3-dev python3-venv \
 && apt-get clean && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY LICENSE README.md pyproject.toml setup.cfg setup.py ./
COPY daemons daemons
COPY ctl ctl
RUN python3 -m venv /opt/netcrier \
 && /opt/netcrier/bin/pip wheel --no-cache-dir --no-deps --wheel-dir /wheels . \
 && /opt/netcrier/bin/pip install --no-cache-dir /wheels/*.whl \
 && /opt/netcrier/bin/pip uninstall --yes setuptools pip

FROM debian:bookworm-slim AS base
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 \
 && apt-get clean && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/netcrier /opt/netcrier
ENV PATH=/opt/netcrier/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    NETCRIER_LOG_STDOUT=1
STOPSIGNAL SIGTERM

# Group and keys are in the volume: without it a new master is a new group.
FROM base AS master
RUN useradd --system --user-group --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin netcrier \
 && install -d -o netcrier -g netcrier -m 0750 /var/lib/netcrier/masterd /var/log/netcrier/masterd \
 && install -d -o netcrier -g netcrier -m 0755 /run/netcrier
USER netcrier
VOLUME /var/lib/netcrier
EXPOSE 12346/udp 12346/tcp
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["netctl", "status", "--daemon", "masterd"]
ENTRYPOINT ["masterd"]

# A container has no machine of its own to be bound to: who the node is stays with the volume.
FROM base AS node
RUN useradd --system --user-group --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin netcrier \
 && install -d -o netcrier -g netcrier -m 0750 /var/lib/netcrier/noded /var/log/netcrier/noded \
 && install -d -o netcrier -g netcrier -m 0755 /run/netcrier
ENV NETCRIER_IDENTITY=keep
USER netcrier
VOLUME /var/lib/netcrier
EXPOSE 12345/udp
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["netctl", "status", "--daemon", "noded"]
ENTRYPOINT ["noded"]

# Packet sockets need CAP_NET_RAW, which only root has from the start in a container; all else may be dropped:
# docker run --cap-drop ALL --cap-add NET_RAW --network container:master analyzer-image
FROM base AS analyzer
RUN install -d -m 0750 /var/lib/netcrier/analyzerd /var/log/netcrier/analyzerd \
 && install -d -m 0755 /run/netcrier
VOLUME /var/lib/netcrier
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["netctl", "status", "--daemon", "analyzerd"]
ENTRYPOINT ["analyzerd"]
