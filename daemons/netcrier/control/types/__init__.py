"""What crosses the control socket, as values: one module for what all daemons share, one for each daemon.

Rules: times are epoch seconds, durations end in their unit, ids are text, bodies are bytes. A parameter struct refuses
a key that it does not know; a result struct skips it, so that an older client can talk to a newer daemon.
"""
