"""masterd: couples the speaker to its socket, its store and its log."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import time
from collections.abc import Coroutine, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from netcrier.control.methods import MASTERD, AnyMethod
from netcrier.control.paths import unit_name
from netcrier.control.types.broadcast import BroadcastRequest
from netcrier.control.types.shared import Reloaded
from netcrier.core.delivery import Delivery
from netcrier.core.events import (
    Address,
    Audience,
    Completed,
    Enrolling,
    KeysDue,
    NodeChanged,
    NodeRow,
    ReceiptsIn,
    Waiting,
)
from netcrier.core.master.composer import Composed
from netcrier.core.master.keyring import GroupKeys, Keyring
from netcrier.core.master.roster import Node
from netcrier.core.master.speaker import Speaker
from netcrier.core.master.voice import Identity
from netcrier.core.parity import parity
from netcrier.core.questions import Over, Reply
from netcrier.core.standing import Standing, StandingChanged
from netcrier.errors import StoreError, UsageError
from netcrier.ids import LANES, MessageId
from netcrier.masterd import handlers
from netcrier.masterd.asking import Asking
from netcrier.masterd.carriers import Carriers, Wishes, choose, listed, wished
from netcrier.masterd.catch_up import CatchUpPort
from netcrier.masterd.config import Config
from netcrier.masterd.event_log import EventLog
from netcrier.masterd.messages import BEGINNING, Stored
from netcrier.masterd.receipts import Receipts
from netcrier.masterd.recovery import STORE, open_sound
from netcrier.masterd.retention import Retention
from netcrier.masterd.store import Store
from netcrier.masterd.succession import Voice, guarded, refuse_term
from netcrier.masterd.trust import Trust
from netcrier.masterd.whereabouts import Whereabouts, lock
from netcrier.runtime.faults import point
from netcrier.runtime.interfaces import Watch, interfaces
from netcrier.runtime.logs import message_log
from netcrier.runtime.membership import Membership
from netcrier.runtime.program import Place
from netcrier.runtime.store import Writer
from netcrier.runtime.udp import Pump, UdpPort, clock_us
from netcrier.wire.envelope import KEY_SIZE, AgreementKey, Signer
from netcrier.wire.multicast import ipv4_group, ipv6_group

_log = logging.getLogger("netcrier.masterd")
_PRUNE_EVERY = 60.0
_ANSWERED_WITHIN = 0.6  # seconds in which nodes answer an inquiry: they spread over 0.4
_AGAIN_AFTER = 0.1  # seconds from a new term to the new start: the answer to who asked for it leaves meanwhile
TTL_MOST = 31_536_000
"""Seconds that a message may live: a year; one without end needs no limit."""

_LIVE = frozenset({"interfaces", "carriers", "nodes", "keep_messages", "keep_seconds", "keep_bytes"})
"""Keys that take effect at a reload."""


def _wishes(config: Config) -> Wishes:
    unicast = listed(config.nodes, config.node_port)
    return Wishes(wished(config.interfaces), config.carriers, config.node_port, config.port, unicast)


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

    def __init__(self, config: Config, place: Place) -> None:
        self.config, self.place = config, place
        self.started = time.time()
        self.store_error = ""
        self.newest: MessageId | None = None
        self.completed: dict[MessageId, float] = {}
        self._renewing = False
        self._writer = Writer("store")
        self._sending = asyncio.Lock()
        self._unpruned = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.again = asyncio.Event()
        self.unknown: list[tuple[int, int, int]] = []
        """(term, lane, number) up to which nodes had messages that this store lacks, when the term began."""
        self._voice = Voice()
        self.handlers: Mapping[str, Any] = guarded(
            handlers.Handlers(self).table, lambda: self._voice.require(self.speaker.tenure)
        )

    # The App protocol

    async def start(self) -> None:
        """Open the port, the store and the log; say nothing before the boot number is on disk."""
        config, state = self.config, self.place.state_dir
        self._wishes = _wishes(config)
        self.port = UdpPort(config.port, "masterd")
        self._lock = lock(state)
        self.store, keys = open_sound(state)
        mark = self.place.runtime_dir / f"{unit_name('masterd', self.place.instance)}.last-run"
        self._whereabouts = Whereabouts(state / STORE, mark)
        moved = self.store.terms.boots > 0 and self.store.terms.place != self._whereabouts.now()
        self.unknown = self.store.terms.unknown
        term, boot = self.store.terms.begin_boot()
        me = Identity(
            keys.group, config.group, Signer(keys.signing_secret), AgreementKey(keys.agreement_secret),
            term, boot, config.port,
        )  # fmt: skip
        store = self.store
        keyring = Keyring(store.group.keys(clock_us()))
        self.speaker = Speaker(
            me, keyring, store.messages.lanes(term), store.messages, secrets.token_bytes, parity(),
            listen=moved, recovering=store.terms.recovering,
            past={old: store.messages.lanes(old) for old in store.messages.earlier_terms(term)}, unknown=self.unknown,
        )  # fmt: skip
        self.speaker.admission.grants = self.store.group.grants()
        self._restore(term)
        log = message_log(self.place.log_dir, config.log.stdout, config.log.rotation)
        self._event_log = EventLog(log, self.speaker.roster, config.log.time)
        self.receipts = Receipts(
            self.speaker, self.store, self._writer, self._event_log, lambda: self._pump.flush(), self._spawn,
            self._store_said,
        )  # fmt: skip
        self._hearing = Membership(self.port)
        self._choose_carriers()
        self._watch = Watch(self._choose_carriers)
        self.trust = Trust(self.speaker, self.store, self._writer, self._sending, lambda: self._pump.flush())
        self.speaker.admission.tokens_only = config.enrolment == "token"
        if config.enrolment != "first-use":
            await self.trust.close_group()
        self._pump = Pump(self.speaker, self.port, self._ways, self._settle)
        loop = asyncio.get_running_loop()
        self.asking = Asking(self.speaker, loop.time, self._pump.flush)
        self.catch_up = CatchUpPort(self.speaker, self._pump.flush)
        await self.catch_up.start(config.port)
        self._spawn(self._every(_PRUNE_EVERY, self._prune))
        await self._keep_place()
        _log.info("master %s, group %s, boot %d", self.speaker.id.hex()[:8], config.group, boot)

    async def stop(self) -> None:
        """Commit the receipts that are in."""
        self._pump.close()
        await self.catch_up.close()
        self._watch.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.receipts.commit()
        await self._keep_place()
        self._writer.close()
        self.store.close()
        os.close(self._lock)
        self._event_log.close()
        self.port.close()

    def reload(self, config: Config) -> Reloaded:
        """The carriers can change while it runs."""
        fields = [name for name in config.__struct_fields__ if getattr(config, name) != getattr(self.config, name)]
        live = [name for name in fields if name in _LIVE]
        self._wishes = _wishes(config)
        self.config = msgspec.structs.replace(self.config, **{name: getattr(config, name) for name in live})
        self._choose_carriers()
        return Reloaded(changed=live, needs_restart=[name for name in fields if name not in live])

    def reopen_logs(self) -> None:
        """Write to new files, after a rotation."""
        self._event_log.reopen()

    def summary(self) -> str:
        """One line for `systemctl status`."""
        if not self.speaker.tenure.speaking:
            return f"silent: {self.speaker.tenure.why}"
        now = asyncio.get_running_loop().time()
        here = sum(self.speaker.roster.here(node, now) for node in self.speaker.roster)
        return f"{here} of {len(self.speaker.roster.members())} nodes here, last message {self.newest or 'none'}"

    # What the handlers call

    async def broadcast(self, wanted: BroadcastRequest) -> tuple[Stored, int, bool]:
        """The message, how many nodes it is expected by, and whether the request had been made before."""
        if wanted.lane not in LANES:
            raise UsageError(f"lane {wanted.lane}: there are 0 (the queue) and 1 (urgent)")
        if wanted.ttl is not None and not 0 < wanted.ttl <= TTL_MOST:
            raise UsageError(f"a message's time to live is more than 0 and at most {TTL_MOST:,} seconds")
        ttl_ms = 0 if wanted.ttl is None else max(1, int(wanted.ttl * 1000))
        async with self._sending:
            known = self.store.messages.by_request(wanted.request, clock_us())
            if known:
                outcomes = self.store.outcomes.of(known.number)
                return known, sum(not outcome.unexpected for outcome in outcomes), True
            composed = self.speaker.compose(wanted.lane, wanted.body, clock_us(), wanted.to, ttl_ms)
            try:
                point("master: before message commit")
                await self._writer.run(self.store.messages.add, composed, wanted.request)
                point("master: after message commit")
            except StoreError as error:
                self.speaker.withdraw(composed)
                self._store_said(error)
                raise
            self._publish(composed)
        size, expires_us = len(wanted.body), composed.condition.expires_us if composed.condition else None
        stored = Stored(0, composed.id, composed.sent_us, wanted.body[:BEGINNING], size, wanted.to, expires_us)
        return stored, len(composed.expected), False

    async def forget(self, node: Node) -> None:
        """Expect nothing more from the node."""
        await self._writer.run(self.store.group.forget_node, node.row)
        self.speaker.forget(node)
        self.receipts.never(node.row.index)
        self._pump.flush()

    async def take_over(self) -> int:
        """Begin a term above every other that was heard; the daemon then starts anew in it. The term."""
        tenure = self.speaker.tenure
        if tenure.standing is Standing.LISTENING:
            await self._voice.listened()
        elif not tenure.speaking:  # what was heard at the start may be old by now
            for _ in range(2):  # nodes answer each question once, and either may be lost
                self.speaker.inquire(asyncio.get_running_loop().time(), clock_us())
                self._pump.flush()
                await asyncio.sleep(_ANSWERED_WITHIN)
        return await self._begin_term()

    # How it works

    async def _begin_term(self) -> int:
        tenure, keys = self.speaker.tenure, self.speaker.keyring.keys
        term = tenure.next_term
        refuse_term(term)
        above = tenure.highest_epoch + 1
        # A higher epoch: the key here was replaced since this copy was made, perhaps because of a stolen node.
        fresh = GroupKeys(above, os.urandom(KEY_SIZE), open=False) if above > keys.epoch + 1 else None
        most = {(old, lane): number for old, lane, number in self.unknown}
        for old, lane, number in tenure.unknown:
            most[old, lane] = max(number, most.get((old, lane), 0))
        unknown = sorted((*place, number) for place, number in most.items())
        await self._writer.run(self.store.terms.begin, term, fresh, unknown)
        await self._writer.run(self._place_kept, True)
        _log.warning("begins term %d", term)
        self._renewing = True
        asyncio.get_running_loop().call_later(_AGAIN_AFTER, self.again.set)
        return term

    async def _keep_place(self) -> None:
        """Only a store whose master speaks may speak at its next start without listening."""
        if self._renewing:
            return
        try:
            await self._writer.run(self._place_kept, self.speaker.tenure.speaking)
        except StoreError as error:
            self._store_said(error)

    def _place_kept(self, speaking: bool) -> None:
        self.store.terms.keep_place(self._whereabouts.renew() if speaking else b"")

    def _settled(self, settled: StandingChanged) -> None:
        if settled.new_term:
            self._spawn(self._renew())
            return
        self._spawn(self._keep_place())
        self._voice.settled()
        if settled.standing is Standing.SPEAKING:
            _log.info("speaks: nobody else does")
        else:
            _log.error("is silent (%s): %s", settled.standing.value, settled.why)

    async def _renew(self) -> None:
        try:
            await self._begin_term()
        except StoreError as error:
            self._store_said(error)

    def _restore(self, term: int) -> None:
        for row in self.store.group.nodes():
            self.speaker.enlist(row)
        newest = self.store.messages.newest(1)
        self.newest = newest[0].id if newest else None
        now, now_us = asyncio.get_running_loop().time(), clock_us()
        for stored in self.store.messages.unfinished():
            outcomes = self.store.outcomes.of(stored.number)
            states = {outcome.index: outcome.state for outcome in outcomes if not outcome.unexpected}
            sent_at = now - max(0, now_us - stored.sent_us) / 1e6
            self.speaker.restore(Delivery(stored.id, states, sent_at, states), now)
        for one in (*self.store.messages.earlier_terms(term), term):
            for message, condition in self.store.messages.conditions(one):
                self.speaker.conditions.put(message, condition, now, now_us)
        for node in self.speaker.roster:
            if node.row.trust == "revoked":
                self.speaker.deliveries.revoke(node.row.index, now)

    def _publish(self, composed: Composed) -> None:
        self.newest = composed.id
        self._unpruned += 1
        if self._unpruned >= self.config.keep_messages // 10:
            self._prune()
        self.speaker.publish(composed, asyncio.get_running_loop().time())
        self._pump.flush()
        point("master: after publish")
        self._event_log.sent(composed)

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
        while (event := self.speaker.next_event()) is not None:
            match event:
                case Enrolling():
                    self._spawn(self._admit(event))
                case Waiting(row):
                    self._spawn(self._let_wait(row))
                case NodeChanged(row):
                    self.receipts.changed(row.id)
                case ReceiptsIn():
                    self.receipts.take(event)
                case KeysDue():
                    self._spawn(self._settle_keys())
                case Reply() | Over():
                    self.asking.settle(event)
                case StandingChanged():
                    self._settled(event)
                case Completed():
                    self._settle_message(event)

    def _settle_message(self, done: Completed) -> None:
        self._event_log.completed(done)
        if done.received == done.expected:
            self._remember(done.message, done.after)

    def _remember(self, message: MessageId, after: float) -> None:
        self.completed[message] = after
        if len(self.completed) > self.config.keep_messages:
            del self.completed[next(iter(self.completed))]

    async def _admit(self, event: Enrolling) -> None:
        before = self.speaker.roster.get(event.row.id)
        if before and before.row.trust == "revoked":  # since the hello was judged
            self.speaker.admission.settled(event.row.id)
            return
        grant = self.speaker.admission.grants.get(event.token) if event.token else None
        if grant and grant.used_by is None:
            grant = replace(grant, used_by=event.row.id)
        try:
            await self._writer.run(self.store.group.keep_nodes, [event.row], grant)
        except StoreError as error:
            self._store_said(error)
            self.speaker.admission.settled(event.row.id)
            return
        if grant:
            self.speaker.admission.grants[grant.id] = grant
        known = self.speaker.roster.get(event.row.id) is not None
        self.speaker.admit(event)
        self._pump.flush()
        if not known:
            _log.info("node %s (%s) joins by %s", event.row.name, event.row.id.hex()[:8], event.row.trust)

    async def _settle_keys(self) -> None:
        try:
            await self.trust.settle_keys()
        except StoreError as error:
            self._store_said(error)

    async def _let_wait(self, row: NodeRow) -> None:
        try:
            await self._writer.run(self.store.group.keep_nodes, [row])
            self.speaker.enlist(row)
        except StoreError as error:
            self._store_said(error)
        self.speaker.admission.settled(row.id)

    async def _every(self, seconds: float, work: Any) -> None:
        while True:
            await asyncio.sleep(seconds)
            work()

    def _prune(self) -> None:
        self._spawn(self._keep_place())
        self._spawn(self._pruned())

    async def _pruned(self) -> None:
        config, self._unpruned = self.config, 0
        keep = Retention(config.keep_messages, config.keep_seconds * 1_000_000, config.keep_bytes)
        try:
            await self.receipts.commit()
            await self._writer.run(self.store.messages.drop_old, keep, clock_us())
        except StoreError as error:
            self._store_said(error)
            return
        term = self.speaker.me.term
        for one in (*self.store.messages.earlier_terms(term), term):
            for lane, lowest in self.store.messages.lowest(one).items():
                self.speaker.dropped(one, lane, lowest, asyncio.get_running_loop().time())
        self._pump.flush()

    def _store_said(self, error: StoreError | None) -> None:
        """What the store said last; None: it takes everything."""
        if error and str(error) != self.store_error:
            _log.error("%s", error)
        self.store_error = str(error or "")

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
