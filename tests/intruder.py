"""A host of the lab that belongs to nobody: it sends what it is given, and records what is broadcast."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from netcrier_ctl.lab import Lab, Process

SEND = """
import socket, sys, time
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
pause = float(sys.argv[3]) if sys.argv[3:] else 0
for line in open(sys.argv[4]) if sys.argv[4:] else sys.stdin:
    out.sendto(bytes.fromhex(line), (sys.argv[1], int(sys.argv[2])))
    time.sleep(pause)
"""
CONNECT = """
import socket, sys
sock = socket.create_connection((sys.argv[1], int(sys.argv[2])), 10)
got = b""
try:
    sock.sendall(bytes.fromhex(sys.stdin.read()))
    while data := sock.recv(65536):
        got += data
except ConnectionResetError:
    pass
print(got.hex())
"""
LISTEN = """
import socket, sys, time
inn = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
inn.bind(("", 12345))
inn.settimeout(0.2)
end = time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    try:
        print(inn.recv(2048).hex(), flush=True)
    except TimeoutError:
        pass
"""


class Intruder:
    """On a host without a daemon."""

    def __init__(self, lab: Lab, host: str, place: Path) -> None:
        self.lab, self.host = lab, host
        self._heard, self._words = place / "heard", place / "words"

    def send(self, host: str, port: int, datagrams: Iterable[bytes]) -> None:
        """To a port of another host, one after the other."""
        text = "".join(data.hex() + "\n" for data in datagrams)
        words = [sys.executable, "-c", SEND, self.lab.address(host), str(port)]
        done = self.lab.run(self.host, words, text=text)
        assert done.returncode == 0, done.stderr

    def flood(self, host: str, port: int, datagrams: Iterable[bytes], pause: float) -> Process:
        """The same with `pause` seconds after each, while the test goes on."""
        self._words.write_text("".join(data.hex() + "\n" for data in datagrams))
        words = [sys.executable, "-c", SEND, self.lab.address(host), str(port), str(pause), str(self._words)]
        return self.lab.spawn(self.host, words)

    def connect(self, host: str, port: int, data: bytes) -> bytes:
        """By TCP: what comes back until the other side closes."""
        words = [sys.executable, "-c", CONNECT, self.lab.address(host), str(port)]
        done = self.lab.run(self.host, words, text=data.hex())
        assert done.returncode == 0, done.stderr
        return bytes.fromhex(done.stdout.strip())

    def listen(self, seconds: float) -> Process:
        """Record for so long; `recorded` tells what has come so far."""
        with self._heard.open("wb") as file:
            return self.lab.spawn(self.host, [sys.executable, "-c", LISTEN, str(seconds)], stdout=file)

    def recorded(self) -> list[bytes]:
        """Whole datagrams."""
        lines = self._heard.read_text().split("\n")[:-1]
        return [bytes.fromhex(line) for line in lines]
