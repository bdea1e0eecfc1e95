"""The local protocol between netctl and the daemons: types, framing, client, server, paths."""
