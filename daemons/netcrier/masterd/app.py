"""masterd: couples the speaker to its socket, its store and its log."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from netcrier.control.methods import MASTERD, AnyMethod
from netcrier.control.paths import unit_name
from netcrier.control.types.shared import Reloaded
from netcrier.core.delivery import Delivery
from netcrier.core.events import (
    Address,
    Audience,
    Completed,
    Enrolling,
    KeysDue,
    NodeChanged,
    ReceiptsIn,
    Waiting,
)
from netcrier.core.master.keyring import Keyring
from netcrier.core.master.roster import Node
from netcrier.core.master.speaker import Speaker
from netcrier.core.master.voice import Identity
from netcrier.core.parity import parity
from netcrier.core.questions import Over, Reply
from netcrier.core.standing import StandingChanged
from netcrier.errors import StoreError
from netcrier.masterd.asking import Asking
from netcrier.masterd.broadcasts import Broadcasts
from netcrier.masterd.carriers import Carriers, Wishes, choose, listed, wished
from netcrier.masterd.catch_up import CatchUpPort
from netcrier.masterd.config import Config
from netcrier.masterd.enrolment import Enrolment
from netcrier.masterd.event_log import EventLog
from netcrier.masterd.handlers.guard import guarded
from netcrier.masterd.handlers.table import Handlers
from netcrier.masterd.receipts import Receipts
from netcrier.masterd.retention import Retention
from netcrier.masterd.store.recovery import STORE, open_sound
from netcrier.masterd.store.shelf import Shelf
from netcrier.masterd.store.store import Store
from netcrier.masterd.store.whereabouts import Whereabouts, lock
from netcrier.masterd.succession import Succession
from netcrier.masterd.trust import Trust
from netcrier.runtime.interfaces import Watch, interfaces
from netcrier.runtime.logs import message_log
from netcrier.runtime.membership import Membership
from netcrier.runtime.program import Place
from netcrier.runtime.store import Writer
from netcrier.runtime.tasks import Tasks
from netcrier.runtime.udp import Pump, UdpPort, clock_us
from netcrier.wire.envelope import AgreementKey, Signer
from netcrier.wire.multicast import ipv4_group, ipv6_group

_log = logging.getLogger("netcrier.masterd")
_PRUNE_EVERY = 60.0
_LIVE = frozenset({"interfaces", "carriers", "nodes", "keep_messages", "keep_seconds", "keep_bytes"})
"""Keys that take effect at a reload."""


def _wishes(config: Config) -> Wishes:
    unicast = listed(config.nodes, config.node_port)
    return Wishes(wished(config.interfaces), config.carriers, config.node_port, config.port, unicast)


def _retention(config: Config) -> Retention:
    return Retention(config.keep_messages, config.keep_seconds * 1_000_000, config.keep_bytes)


class App:
    """The master's daemon."""

    methods: Mapping[str, AnyMethod] = MASTERD
    speaker: Speaker
    store: Store
    port: UdpPort
    carriers: Carriers
    catch_up: CatchUpPort
    trust: Trust
    asking: Asking
    receipts: Receipts
    broadcasts: Broadcasts
    succession: Succession

    def __init__(self, config: Config, place: Place) -> None:
        self.config, self.place = config, place
        self.started = time.time()
        self.store_error = ""
        self._writer = Writer("store")
        self._sending = asyncio.Lock()
        self._tasks = Tasks()
        self.again = asyncio.Event()
        self.handlers: Mapping[str, Any] = guarded(Handlers(self).table, lambda: self.succession.require())

    # The App protocol

    async def start(self) -> None:
        """Open the port, the store and the log; say nothing before the boot number is on disk."""
        config, state = self.config, self.place.state_dir
        self._wishes = _wishes(config)
        self.port = UdpPort(config.port, "masterd")
        self._lock = lock(state)
        self.store, keys = open_sound(state)
        store = self.store
        self.port.admit(keys.group)
        mark = self.place.runtime_dir / f"{unit_name('masterd', self.place.instance)}.last-run"
        whereabouts = Whereabouts(state / STORE, mark)
        moved = store.terms.boots > 0 and store.terms.place != whereabouts.now()
        term, boot = store.terms.begin_boot()
        me = Identity(
            keys.group, config.group, Signer(keys.signing_secret), AgreementKey(keys.agreement_secret),
            term, boot, config.port,
        )  # fmt: skip
        keyring = Keyring(store.group.keys(clock_us()))
        self.speaker = Speaker(
            me, keyring, store.messages.lanes(term), Shelf(store.messages, self._store_said), secrets.token_bytes,
            parity(),
            listen=moved, recovering=store.terms.recovering,
            past={old: store.messages.lanes(old) for old in store.messages.terms(term)[:-1]},
            unknown=store.terms.unknown,
        )  # fmt: skip
        self.succession = Succession(
            self.speaker, store.terms, self._writer, whereabouts, self.again, lambda: self._pump.flush(),
            self._tasks.spawn, self._store_said,
        )  # fmt: skip
        self.speaker.admission.grants = store.group.grants()
        self._restore(term)
        log = message_log(self.place.log_dir, config.log.stdout, config.log.rotation)
        self._event_log = EventLog(log, self.speaker.roster, config.log.time)
        self.receipts = Receipts(
            self.speaker, store, self._writer, self._event_log, lambda: self._pump.flush(), self._tasks.spawn,
            self._store_said,
        )  # fmt: skip
        self.broadcasts = Broadcasts(
            self.speaker, store, self._writer, self._event_log, self.receipts, _retention(config), self._sending,
            lambda: self._pump.flush(), self._tasks.spawn, self._store_said,
        )  # fmt: skip
        self._enrolment = Enrolment(
            self.speaker, store.group, self._writer, lambda: self._pump.flush(), self._store_said
        )
        self._hearing = Membership(self.port)
        self._choose_carriers()
        self._watch = Watch(self._choose_carriers)
        self.trust = Trust(self.speaker, store, self._writer, self._sending, lambda: self._pump.flush())
        self.speaker.admission.tokens_only = config.enrolment == "token"
        if config.enrolment != "first-use":
            await self.trust.close_group()
        self._pump = Pump(self.speaker, self.port, self._ways, self._settle)
        loop = asyncio.get_running_loop()
        self.asking = Asking(self.speaker, loop.time, self._pump.flush)
        self.catch_up = CatchUpPort(self.speaker, self._pump.flush)
        await self.catch_up.start(config.port)
        self._tasks.spawn(self._prune())
        await self.succession.keep_place()
        _log.info("master %s, group %s, boot %d", self.speaker.id.hex()[:8], config.group, boot)

    async def stop(self) -> None:
        """Commit the receipts that are in."""
        self._pump.close()
        await self.catch_up.close()
        self._watch.close()
        await self._tasks.close()
        await self.receipts.commit()
        await self.succession.keep_place()
        self._writer.close()
        self.store.close()
        os.close(self._lock)
        self._event_log.close()
        self.port.close()

    def reload(self, config: Config) -> Reloaded:
        """The carriers and the retention can change while it runs."""
        fields = [name for name in config.__struct_fields__ if getattr(config, name) != getattr(self.config, name)]
        live = [name for name in fields if name in _LIVE]
        self._wishes = _wishes(config)
        self.config = msgspec.structs.replace(self.config, **{name: getattr(config, name) for name in live})
        self.broadcasts.keep = _retention(self.config)
        self._choose_carriers()
        return Reloaded(changed=live, needs_restart=[name for name in fields if name not in live])

    def reopen_logs(self) -> None:
        """Write to new files, after a rotation."""
        self._event_log.reopen()

    def summary(self) -> str:
        """One line for `systemctl status`."""
        if not self.speaker.tenure.speaking:
            return f"silent: {self.speaker.tenure.why}"
        now, roster = asyncio.get_running_loop().time(), self.speaker.roster
        here = sum(roster.here(node, now) for node in roster)
        return f"{here} of {len(roster.members())} nodes here, last message {self.broadcasts.newest or 'none'}"

    # What the handlers call

    async def forget(self, node: Node) -> None:
        """Expect nothing more from the node."""
        await self._writer.run(self.store.group.forget_node, node.row)
        self.speaker.forget(node)
        self.receipts.never(node.row.index)
        self._pump.flush()

    # How it works

    def _restore(self, term: int) -> None:
        for row in self.store.group.nodes():
            self.speaker.enlist(row)
        now, now_us = asyncio.get_running_loop().time(), clock_us()
        for stored in self.store.messages.unfinished():
            outcomes = self.store.outcomes.of(stored.number)
            states = {outcome.index: outcome.state for outcome in outcomes if not outcome.unexpected}
            sent_at = now - max(0, now_us - stored.sent_us) / 1e6
            self.speaker.restore(Delivery(stored.id, states, sent_at, states), now)
        for one in self.store.messages.terms(term):
            for message, condition in self.store.messages.conditions(one):
                self.speaker.conditions.put(message, condition, now, now_us)
        for node in self.speaker.roster:
            if node.row.trust == "revoked":
                self.speaker.deliveries.revoke(node.row.index, now)

    def _ways(self, audience: Audience) -> tuple[Address, ...]:
        chosen = self.carriers.addresses(audience)
        if audience not in (Audience.ALL, Audience.SINGLE):
            return chosen
        return (*chosen, *(to for to in self.speaker.herald.reach.targets if to not in chosen))

    def _choose_carriers(self) -> None:
        found, group = interfaces(), self.speaker.me.group
        self.carriers = choose(found, self._wishes, group)
        self._hearing.follow((ipv4_group(group), ipv6_group(group)), found)
        self.speaker.herald.addresses = self.carriers.answers
        self.speaker.herald.serves_single = bool(self.carriers.addresses(Audience.SINGLE))

    def _settle(self) -> None:
        self.speaker.herald.intake.look(self.port.drops, asyncio.get_running_loop().time())
        while (event := self.speaker.next_event()) is not None:
            match event:
                case Enrolling():
                    self._tasks.spawn(self._enrolment.admit(event))
                case Waiting(row):
                    self._tasks.spawn(self._enrolment.let_wait(row))
                case NodeChanged(row):
                    self.receipts.changed(row.id)
                case ReceiptsIn():
                    self.receipts.take(event)
                case KeysDue():
                    self._tasks.spawn(self._settle_keys())
                case Reply() | Over():
                    self.asking.settle(event)
                case StandingChanged():
                    self.succession.settled(event)
                case Completed():
                    self.broadcasts.complete(event)
        self._event_log.flush()

    async def _settle_keys(self) -> None:
        try:
            await self.trust.settle_keys()
        except StoreError as error:
            self._store_said(error)

    async def _prune(self) -> None:
        """Renew the store's place and drop what is old, now and then; for ever."""
        while True:
            await asyncio.sleep(_PRUNE_EVERY)
            self._tasks.spawn(self.succession.keep_place())
            self._tasks.spawn(self.broadcasts.drop_old())

    def _store_said(self, error: StoreError | None) -> None:
        """What the store said last; None: it takes everything."""
        if error and str(error) != self.store_error:
            _log.error("%s", error)
        self.store_error = str(error or "")
