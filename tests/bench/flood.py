"""Sends garbage datagrams at a steady rate: `python -m tests.bench.flood ADDRESS PORT RATE FRONT_HEX`.

Each datagram is FRONT_HEX, random bytes, 300 in all. It sends until it is killed, a burst every millisecond.
"""

from __future__ import annotations

import os
import socket
import sys
import time

SIZE = 300


def main() -> None:
    """Send."""
    address, port, rate, front = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), bytes.fromhex(sys.argv[4])
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    out.connect((address, port))
    garbage = [front + os.urandom(SIZE - len(front)) for _ in range(64)]
    began, sent = time.monotonic(), 0
    while True:
        due = int((time.monotonic() - began) * rate)
        for number in range(sent, due):
            out.send(garbage[number % len(garbage)])
        sent = max(sent, due)
        time.sleep(0.001)


if __name__ == "__main__":
    main()
