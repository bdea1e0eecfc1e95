"""How a node comes by the group's keys: HELLO and WELCOME where it is not in, RENEW and REKEY where it lacks a key.

The exchanges themselves are in greeting.py and renewal.py.
"""

from __future__ import annotations

from collections.abc import Callable

from netcrier.core.events import Datagram, Received
from netcrier.core.node.batch import Lane
from netcrier.core.node.greeting import Greeting, Self
from netcrier.core.node.hearing import Hearing
from netcrier.core.node.renewal import Renewal
from netcrier.core.node.upward import Upward
from netcrier.core.pacing import earliest
from netcrier.wire.hello import Welcome
from netcrier.wire.kinds import Kind


class Joining:
    """See the module. `chance` gives a float in [0, 1), `entropy(n)` n random bytes."""

    def __init__(
        self,
        me: Self,
        hearing: Hearing,
        upward: Upward,
        chance: Callable[[], float],
        entropy: Callable[[int], bytes],
    ) -> None:
        self._hearing, self._upward = hearing, upward
        self._greeting = Greeting(me, chance, entropy)
        self._renewal = Renewal(me, chance, entropy)

    @property
    def unanswered(self) -> bool:
        """Whether several requests for a key were for nothing."""
        return self._renewal.unanswered

    def soon(self, now: float) -> None:
        """Say hello shortly."""
        self._greeting.soon(now)

    def later(self, at: float) -> None:
        """Say hello by then."""
        self._greeting.later(at)

    def anew(self, now: float) -> None:
        """Another master, or another token."""
        self._renewal.done()
        self._greeting.again(now)

    def ask_for_key(self, spread: float, now: float) -> None:
        """One is announced, or in force, and not here: ask within `spread` seconds."""
        self._renewal.soon(now, spread)

    def welcome(self, got: Received) -> Welcome:
        """The verified answer to a hello; DecodeError."""
        answer = self._greeting.addressed(got.data, self._hearing.pin)
        self._hearing.stranger(got.now)
        welcome = self._greeting.read(answer, self._hearing.verifier)
        self._hearing.current(welcome.term, welcome.boot)
        self._greeting.done()
        self._renewal.done()
        return welcome

    def rekey(self, got: Received) -> None:
        """The keys of a verified answer to a RENEW replace all others; DecodeError."""
        answer = self._renewal.addressed(got.data, self._hearing.pin)
        self._hearing.stranger(got.now)
        rekey = self._renewal.read(answer, self._hearing.verifier)
        self._hearing.current(rekey.term, rekey.boot)
        self._renewal.done()
        self._hearing.take_keys(rekey.keys)

    @property
    def timer(self) -> float | None:
        """When `due` has something to say."""
        return earliest(self._greeting.timer, self._renewal.timer)

    def due(self, lanes: tuple[Lane, ...], now: float) -> None:
        """Say what is due."""
        if self._greeting.timer is not None and self._greeting.timer <= now:
            self._say_hello(lanes, now)
        if self._renewal.timer is not None and self._renewal.timer <= now:
            self._say_renew(lanes, now)

    def _say_hello(self, lanes: tuple[Lane, ...], now: float) -> None:
        pin, to = self._hearing.pin, self._upward.to
        if pin is None or to is None:
            self._greeting.timer = None  # the next beacon says where to
        else:
            self._upward.send(Datagram(self._greeting.say(pin, lanes, now), to))

    def _say_renew(self, lanes: tuple[Lane, ...], now: float) -> None:
        pin = self._hearing.pin
        if pin is None or self._upward.to is None or not lanes:
            self._renewal.done()
            return
        newest = self._hearing.epochs.newest
        self._upward.say(Kind.RENEW, self._renewal.ask(pin, self._upward.next_counter(), newest, now))
        if self._renewal.unanswered:
            self._greeting.soon(now)
