"""noded: couples the listener to its socket, its journal and its log."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import secrets
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from netcrier.control.methods import NODED, AnyMethod
from netcrier.control.types.shared import Reloaded
from netcrier.core.events import (
    Address,
    Asked,
    Audience,
    CatchUpWanted,
    Enrolled,
    KeysRenewed,
    LeftTold,
    MasterBooted,
    NodeEvent,
    Pin,
    Pinned,
    Received,
    Settled,
)
from netcrier.core.node.greeting import Self
from netcrier.core.node.listener import Listener
from netcrier.core.outcomes import Untold
from netcrier.core.parity import parity
from netcrier.errors import ConfigError, DecodeError, StoreError
from netcrier.ids import MasterId
from netcrier.noded import handlers, identity
from netcrier.noded.catch_up import fetch
from netcrier.noded.config import Config
from netcrier.noded.journal.journal import Journal
from netcrier.noded.journal.sound import open_sound
from netcrier.noded.message_log import MessageLog, last_number
from netcrier.noded.programs.handling import Handling
from netcrier.noded.recording import Recording
from netcrier.noded.trust import pin_of, token_of
from netcrier.runtime import membership
from netcrier.runtime.interfaces import Watch, interfaces
from netcrier.runtime.logs import message_log
from netcrier.runtime.program import Place
from netcrier.runtime.store import Writer
from netcrier.runtime.tasks import Tasks
from netcrier.runtime.udp import Pump, UdpPort, clock_us
from netcrier.wire.envelope import AgreementKey, master_id
from netcrier.wire.hello import tags_fit
from netcrier.wire.limits import NAME_MAX, TAGS_MAX, TAGS_SIZE_MAX
from netcrier.wire.multicast import MEETING, ipv4_group, ipv6_group

_log = logging.getLogger("netcrier.noded")
_NO_MASTER = MasterId(b"")


def _nobody(_audience: Audience) -> tuple[Address, ...]:
    """A node speaks to its master alone."""
    return ()


def _marks(listener: Listener) -> tuple[int, ...]:
    """How far each lane has come: by messages, or by skips."""
    return tuple(lane.mark for lane in listener.inbox.lanes)


class App:
    """The node's daemon."""

    methods: Mapping[str, AnyMethod] = NODED
    listener: Listener
    journal: Journal
    port: UdpPort

    def __init__(self, config: Config, place: Place) -> None:
        self.config, self.place = config, place
        self.started = time.time()
        self.writer = Writer("journal")
        self.store_error = ""
        self._identity_path: Path = place.state_dir / "identity"
        self._tasks = Tasks()
        self.handlers: Mapping[str, Any] = handlers.Handlers(self).table

    # The App protocol

    async def start(self) -> None:
        """Open the port, the journal and the log; say nothing before the boot number is on disk."""
        config = self.config
        if not tags_fit(tuple(config.tags.items())):
            raise ConfigError(
                f"tags: a node may have {TAGS_MAX}, with keys and values of {NAME_MAX} bytes each and"
                f" {TAGS_SIZE_MAX} bytes together, counting two more for each tag"
            )
        self.port = UdpPort(config.port, "noded")
        self.identity = identity.begin(self._identity_path, identity.machine_of(), config.identity == "keep")
        if self.identity.cloned:
            _log.warning("this state comes from another machine: the node has a new identity")
        self._json_log = message_log(self.place.log_dir, config.log.stdout, config.log.rotation)
        logged, first = last_number(self._json_log), self.identity.boot == 1
        self.journal, self.journal_told = open_sound(self.place.state_dir / "journal.sqlite", logged, first)
        if self.journal_told:
            _log.error("%s", self.journal_told)
        pin = self._pin_of_token() or self.identity.pin
        if pin and pin != self.identity.pin:
            identity.keep_pin(self._identity_path, self.identity, pin)
        master = master_id(pin.signing_key) if pin else _NO_MASTER
        name = (config.name or socket.gethostname()).encode()[:NAME_MAX].decode(errors="ignore")
        me = Self(
            AgreementKey(self.identity.key), self.identity.boot, self.identity.machine, name, tuple(config.tags.items())
        )
        self._message_log = MessageLog(self._json_log, self.journal, config.log.time)
        self._message_log.catch_up()
        kept = self.journal.kept(master)
        self.listener = Listener(me, pin, kept, random.random, secrets.token_bytes, parity())
        self.hearing = membership.Membership(self.port)
        self._hear()
        self._watch = Watch(self._hear)
        self.handling = Handling(
            config.handlers, self.place.runtime_dir, lambda: self.listener, self._begun,
            asyncio.get_running_loop().time, self.journal, self.writer, self._tell, self._store_said,
        )  # fmt: skip
        self.recording = Recording(
            self.listener, self.journal, self._message_log, self.writer, self.handling, lambda: self._pump.flush(),
            self._store_said,
        )  # fmt: skip
        self._pump = Pump(self.listener, self.port, _nobody, self._settle, self.listener.pause)
        self.handling.messages.wake()
        self._tasks.spawn(self.recording.keep_log())
        _log.info("node %s listens on UDP %d", self.listener.id.hex()[:8], config.port)

    async def stop(self) -> None:
        """Finish the commit that runs, and within a bound the handlers; nothing else is pending."""
        await self.handling.messages.stop()
        self._pump.close()
        self._watch.close()
        await self._tasks.close()
        await self.recording.committed()
        await self._kept(self._message_log.tell)  # the log may be put aside before the next start
        self.writer.close()
        self.journal.close()
        self._json_log.close()
        self.port.close()

    def reload(self, config: Config) -> Reloaded:
        """Nothing of noded's configuration can change while it runs."""
        fields = [name for name in config.__struct_fields__ if getattr(config, name) != getattr(self.config, name)]
        return Reloaded(changed=[], needs_restart=fields)

    def reopen_logs(self) -> None:
        """Write to new files, after a rotation."""
        self._tasks.spawn(self._kept(self._message_log.reopen))

    def summary(self) -> str:
        """One line for `systemctl status`."""
        newest = self.recording.last
        last = f", last message {newest.id}" if newest else ""
        return f"{handlers.state_of(self.listener)}{last}"

    # What the handlers call

    async def join(self, pin: Pin) -> bool:
        """Follow the token's master; True where it is another than before."""
        before = self.listener.pin
        changed = before is None or before.signing_key != pin.signing_key
        await self.writer.run(identity.keep_pin, self._identity_path, self.identity, pin)
        kept = await self.writer.run(self.journal.kept, master_id(pin.signing_key))
        await self.recording.committed()  # nothing is awaited from here on: what is in flight is of the master before
        self.listener.join(pin, asyncio.get_running_loop().time(), kept)
        self._hear()
        self._pump.flush()
        return changed

    # How it works

    def _hear(self) -> None:
        """Be in the multicast groups of the master, or where it is not known yet in that where all masters meet."""
        group = self.listener.pin.group if self.listener.pin else MEETING
        self.port.admit(self.listener.pin.group if self.listener.pin else None)
        self.hearing.follow((ipv4_group(group), ipv6_group(group)), interfaces())

    def _pin_of_token(self) -> Pin | None:
        text = token_of(self.config.token, self.config.token_file, os.environ)
        return pin_of(text) if text else None

    def _settle(self) -> None:
        listener = self.listener
        while (event := listener.next_event()) is not None:
            self._carry_out(event)
        listener.kernel_drops(self.port.drops)
        self.recording.settle()

    def _carry_out(self, event: NodeEvent) -> None:
        match event:
            case Pinned(pin):
                _log.warning("trusts the first master heard: %s", master_id(pin.signing_key).hex()[:8])
                self._hear()
                self._tasks.spawn(self._kept(identity.keep_pin, self._identity_path, self.identity, pin))
                return
            case CatchUpWanted():
                self._tasks.spawn(self._catch_up(event))
                return
            case Asked():
                self._tasks.spawn(self._answer(event))
                return
            case Settled(outcomes):
                self._tasks.spawn(self._kept(self.journal.settle, self.listener.master, outcomes))
                return
            case LeftTold(term, lane):
                self._tasks.spawn(self._kept(self.journal.left.forget, self.listener.master, term, lane))
                return
            case Enrolled(welcome):
                _log.info("joined group %s as number %d", welcome.group_name, welcome.index)
            case KeysRenewed(epoch):
                _log.info("has the group key of epoch %d", epoch)
            case MasterBooted(term, boot):
                _log.info("master speaks with term %d, boot %d", term, boot)
        # What is to be kept is taken now, not when the task runs: a token may have named another master by then.
        kept = (self.listener.master, self.listener.membership, self.listener.inbox.lanes)
        self._tasks.spawn(self._kept(self.journal.keep_membership, *kept))

    async def _catch_up(self, wanted: CatchUpWanted) -> None:
        """Feed what the master sends by TCP, no faster than it is committed."""
        loop, listener = asyncio.get_running_loop(), self.listener
        before = _marks(listener)
        try:
            async for datagrams in fetch(wanted.master, wanted.ask):
                for data in datagrams:
                    listener.receive(Received(data, wanted.master, loop.time(), clock_us()))
                self._pump.flush()
                await self.recording.committed()
                listener.catching_up(loop.time())
            if _marks(listener) == before:
                _log.info("catch-up from %s by TCP brought nothing", wanted.master[0])
        except (OSError, TimeoutError, DecodeError) as error:
            _log.info("catch-up from %s by TCP ended early: %s", wanted.master[0], error or type(error).__name__)
        listener.caught_up(loop.time(), progressed=_marks(listener) != before)
        self._pump.flush()

    async def _answer(self, asked: Asked) -> None:
        ran = await self.handling.question(asked)
        self.listener.answer(asked.question, ran.code, ran.output, ran.size, asyncio.get_running_loop().time())
        self._pump.flush()

    async def _begun(self, question: tuple[int, int, int]) -> bool:
        """Commit a question's number; False where it was begun before or cannot be kept."""
        assert self.listener.pin
        try:
            return await self.writer.run(self.journal.questions.begin, self.listener.master, question)
        except StoreError as error:
            self._store_said(error)
            return False

    def _tell(self, untold: Sequence[Untold]) -> None:
        self.listener.tell(untold, asyncio.get_running_loop().time())
        self._pump.flush()

    async def _kept(self, task: Any, *args: Any) -> None:
        try:
            await self.writer.run(task, *args)
        except StoreError as error:
            self._store_said(error)

    def _store_said(self, error: StoreError | None) -> None:
        """What the journal said last; None: it takes everything."""
        if error and str(error) != self.store_error:
            _log.error("%s", error)
        self.store_error = str(error or "")
