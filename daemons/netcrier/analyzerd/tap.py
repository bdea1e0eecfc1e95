"""The interfaces that are captured, each with its rings and workers, followed as they go and come back.

Every socket is made at the start; then the daemon gives up its privileges. An interface that comes back is bound to the
ring that it had. What is named later takes one of the spare sockets; where none is left, a restart is needed.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from netcrier.analyzerd.capture.links import Choice, choose
from netcrier.analyzerd.capture.ring import Ring, RingOptions
from netcrier.analyzerd.worker import Worker
from netcrier.errors import ConfigError
from netcrier.runtime.service_log import keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from netcrier.analyzerd.capture.recent import Recent
    from netcrier.analyzerd.engine.kernel import Kernel
    from netcrier.analyzerd.worker import Counts
    from netcrier.runtime.netlink import Link

_log = logging.getLogger(__name__)


class Tap:
    """One interface."""

    def __init__(self, name: str, workers: list[Worker], missed: int) -> None:
        self.name = name
        self.workers = workers
        self.present = True
        """Whether the interface is there."""
        self.rate = 0.0
        """Packets over the last second."""
        self._before: int | None = missed
        self._missed = 0

    @property
    def index(self) -> int:
        """Of the interface that the rings are bound to."""
        return self.workers[0].ring.index

    @property
    def missed(self) -> int:
        """Packets that the card or the kernel dropped in front of the rings, since the start."""
        return self._missed

    def observe(self, link: Link | None) -> None:
        """What the kernel says of the interface now; None: it is not there."""
        self.present = link is not None and link.index == self.index
        if link is None or not self.present:
            self._before = None
        else:
            if self._before is not None and link.missed > self._before:
                self._missed += link.missed - self._before
            self._before = link.missed


class Taps:
    """All of them."""

    def __init__(
        self, options: RingOptions, workers: int, sink: Callable[[str, bytes], None], recent: Recent,
        kernel: Callable[[str], Kernel], ended: Callable[[Tap, list[Counts]], None],
    ) -> None:  # fmt: skip
        """`kernel` makes one for an interface; `workers` share each interface; `ended` is told what those of a tap
        that goes had counted."""
        self._ended = ended
        self._options, self._count, self._sink, self._recent, self._kernel = options, workers, sink, recent, kernel
        self.taps: list[Tap] = []
        self.choice = Choice((), ())
        self.without: list[str] = []
        """Interfaces that would be captured, for which there is no socket."""
        self._named: tuple[str, ...] = ()
        self._spare: list[Ring] = []

    def open(self, named: tuple[str, ...], spare: int, links: Iterable[Link]) -> None:
        """Make every socket, and bind those of the interfaces named, or chosen from `links` where none is.

        Raises CapabilityError, ConfigError, OSError.
        """
        known = {link.name: link for link in links}
        self._named = named
        self.choice = Choice(named, ()) if named else choose(known.values())
        if not self.choice.captured:
            raise ConfigError("no interface to capture: none is up; name one with --interface or capture.interfaces")
        try:
            for name in self.choice.captured:
                rings = [Ring(self._options) for _ in range(self._count)]
                self._spare += rings
                self._bind(name, rings, known.get(name))
            self._spare += [Ring(self._options) for _ in range(spare)]
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        """Begin to capture."""
        for tap in self.taps:
            for worker in tap.workers:
                worker.start()

    def stop(self) -> None:
        """Take what has come, write every conversation. Blocks."""
        for tap in self.taps:
            _stop(tap)

    def close(self) -> None:
        """Give every socket back."""
        for ring in (*self._spare, *(worker.ring for tap in self.taps for worker in tap.workers)):
            ring.close()
        self._spare = []

    def name(self, named: tuple[str, ...], links: Iterable[Link]) -> bool:
        """Capture these from now on; whether there are sockets for all of them. Blocks while others end."""
        self._named = named
        self.follow(links)
        return not self.without

    def follow(self, links: Iterable[Link]) -> None:
        """What is there now: bind again what came back, begin what is new, end what is no longer to be captured."""
        known = {link.name: link for link in links}
        self.choice = Choice(self._named, ()) if self._named else choose(known.values())
        wanted = set(self.choice.captured)
        for tap in list(self.taps):
            link = known.get(tap.name)
            if tap.name not in wanted and link is not None and (self._named or link.up):
                self._end(tap)  # one that is down is not taken from its ring: it may come up again
            elif link is not None and link.index != tap.index:
                self._return(tap, link)
            tap.observe(link)
        have = {tap.name for tap in self.taps}
        self.without = []
        for name in self.choice.captured:
            if name not in have and name in known:
                self._begin(name, known[name])
            elif name not in have:
                self.without.append(name)

    def _begin(self, name: str, link: Link) -> None:
        if len(self._spare) < self._count:
            self.without.append(name)
            return
        try:
            tap = self._bind(name, self._spare[: self._count], link)
        except (ConfigError, OSError) as error:
            _log.warning("%s", error)
            self.without.append(name)
            return
        for worker in tap.workers:
            worker.start()
        _log.info("captures %s", name, extra=keys(interface=name))

    def _return(self, tap: Tap, link: Link) -> None:
        if self._count > 1:  # a ring of a group cannot be bound again
            self._end(tap)
            return
        try:
            tap.workers[0].rebind()
        except ConfigError as error:
            _log.warning("%s", error)
            return
        tap.observe(link)
        _log.info("interface %s is back", tap.name, extra=keys(interface=tap.name))

    def _end(self, tap: Tap) -> None:
        _stop(tap)
        self._ended(tap, [worker.counts() for worker in tap.workers])
        for worker in tap.workers:
            worker.close()
        self.taps.remove(tap)
        _log.info("captures %s no longer", tap.name, extra=keys(interface=tap.name))

    def _bind(self, name: str, rings: list[Ring], link: Link | None) -> Tap:
        """A tap of rings that are spare until it stands. Raises ConfigError, OSError."""
        group = None
        for ring in rings:
            ring.bind(name)
            if self._count > 1:
                group = ring.share(group)
        workers = [Worker(ring, self._kernel(name), self._sink, self._recent) for ring in rings]
        tap = Tap(name, workers, link.missed if link else 0)
        self._spare = [ring for ring in self._spare if ring not in rings]
        self.taps.append(tap)
        return tap


def _stop(tap: Tap) -> None:
    for worker in tap.workers:
        worker.stop()
