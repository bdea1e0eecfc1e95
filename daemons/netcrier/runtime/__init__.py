"""The shell that the daemons share: sockets, service loop, sd_notify, daemonize, configuration, logs, stores."""
