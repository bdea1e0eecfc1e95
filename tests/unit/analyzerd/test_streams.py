"""Streams: both ends in order, gaps marked, a parser's answers obeyed, budgets kept."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest
from netcrier.analyzerd import engine
from netcrier.analyzerd.streams import HEAD, Answer, Parser, Skip, Streams, Talk, Verdict

from . import frames
from .frames import ACK, CLIENT, FIN, SECOND, SERVER, SYN
from .test_tcp import HANDSHAKE, Segment, play

Said = tuple[bool, bytes | int]


@dataclass
class Reader:
    """A parser that writes down what it is shown, and answers as it was told."""

    talk: Talk
    said: list[Said] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    ended: int = 0
    answers: list[Answer] = field(default_factory=list)

    def data(self, from_orig: bool, time: int, data: bytes) -> Answer:
        self.times.append(time)
        self.said.append((from_orig, data))
        return self.answers.pop(0) if self.answers else Verdict.MORE

    def gap(self, from_orig: bool, time: int, size: int) -> Answer:
        self.times.append(time)
        self.said.append((from_orig, size))
        return Verdict.MORE

    def end(self, time: int) -> None:
        self.times.append(time)
        self.ended += 1

    def of(self, from_orig: bool) -> list[bytes | int]:
        """What one end said, pieces in a row put together."""
        joined: list[bytes | int] = []
        for who, what in self.said:
            if who is from_orig:
                if joined and isinstance(what, bytes) and isinstance(last := joined[-1], bytes):
                    joined[-1] = last + what
                else:
                    joined.append(what)
        return joined


class Bench:
    """A kernel, its streams, and a reader for each conversation that begins with one of `wanted`."""

    def __init__(self, *, wanted: bytes = b"", budget: int = 1 << 20, answers: tuple[Answer, ...] = ()) -> None:
        self.kernel = engine.new_kernel(streams=budget, seed=bytes(range(24)), most=1000)
        self.readers: list[Reader] = []
        self._wanted, self._answers = wanted, answers
        self.shown: list[int] = []
        self.streams = Streams(self.kernel, self._detect)

    def _detect(self, talk: Talk, from_orig: bool, head: bytes) -> Parser | None:
        assert from_orig in (True, False)
        self.shown.append(len(head))
        if not head.startswith(self._wanted):
            return None
        self.readers.append(Reader(talk, answers=list(self._answers)))
        return self.readers[-1]

    def feed(self, packets: list[tuple[int, bytes]], *, pump_each: bool = True) -> None:
        for time, frame in packets:
            self.kernel.packet(frame, time)
            if pump_each:
                self.streams.pump()
        self.streams.pump()

    def finish(self) -> None:
        self.kernel.flush()
        self.streams.pump()


def data(offset: int, text: bytes, who: str = "o") -> Segment:
    return (who, ACK, (101 if who == "o" else 501) + offset, 501 if who == "o" else 101, text)


def acked(upto: int) -> Segment:
    return ("r", ACK, 501, 101 + upto, b"")


@pytest.mark.parametrize("pump_each", [True, False])
def test_both_ends_come_in_order_whatever_order_they_were_sent_in(pump_each: bool) -> None:
    bench = Bench()
    script = [
        *HANDSHAKE,
        data(0, b"one "),
        data(8, b"thr "),
        data(4, b"two "),
        data(0, b"answer", "r"),
        data(8, b"thr "),
    ]
    bench.feed(play(script), pump_each=pump_each)
    (reader,) = bench.readers
    assert (reader.of(True), reader.of(False)) == ([b"one two thr "], [b"answer"])
    assert (reader.talk.orig_h, reader.talk.orig_p, reader.talk.resp_p, reader.talk.protocol) == (CLIENT, 4000, 8080, 6)
    bench.finish()
    assert (reader.ended, len(bench.streams)) == (1, 0)
    assert reader.times == sorted(reader.times)


def test_a_gap_stands_in_its_place() -> None:
    bench = Bench()
    bench.feed(play([*HANDSHAKE, data(0, b"begin"), data(105, b"after"), acked(110), data(110, b"!")]))
    assert bench.readers[0].of(True) == [b"begin", 100, b"after!"]


def test_where_data_differs_what_came_first_stays() -> None:
    bench = Bench()
    bench.feed(play([*HANDSHAKE, data(4, b"BBBB"), data(2, b"xxxxyyzz"), data(0, b"AA")]))
    assert bench.readers[0].of(True) == [b"AAxxBBBBzz"]


def test_what_is_skipped_is_not_shown_even_over_packets_to_come() -> None:
    for pump_each in (True, False):
        bench = Bench(answers=(Skip(10),))
        bench.feed(play([*HANDSHAKE, data(0, b"head"), data(4, b"body"), data(8, b"body+tail")]), pump_each=pump_each)
        assert bench.readers[0].of(True) == [b"headail"]


def test_a_gap_within_what_is_skipped_is_not_told() -> None:
    bench = Bench(answers=(Skip(10),))
    bench.feed(play([*HANDSHAKE, data(0, b"head"), data(12, b"..tail"), acked(18)]))
    assert bench.readers[0].of(True) == [b"headtail"]


def test_a_parser_that_is_done_with_an_end_sees_no_more_of_it() -> None:
    bench = Bench(answers=(Verdict.DONE,))
    bench.feed(play([*HANDSHAKE, data(0, b"first"), data(5, b"second"), data(0, b"reply", "r")]))
    assert bench.readers[0].said == [(True, b"first"), (False, b"reply")]


def test_the_detector_sees_four_kibibytes_and_then_the_conversation_is_let_go() -> None:
    bench = Bench(wanted=b"never")
    script = [*HANDSHAKE, *[data(i * 1000, bytes(1000)) for i in range(10)]]
    bench.feed(play(script))
    assert bench.shown == [1000, 2000, 3000, 4000, HEAD]
    assert (bench.readers, len(bench.streams)) == ([], 0)


def test_who_claims_late_is_given_what_was_kept_of_both_ends() -> None:
    bench = Bench(wanted=b"220 ")
    bench.feed(play([*HANDSHAKE, data(0, b"hello?"), data(0, b"22", "r"), data(2, b"0 ready", "r"), data(6, b"!")]))
    assert bench.readers[0].said == [(True, b"hello?"), (False, b"22"), (False, b"0 ready"), (True, b"!")]


def test_datagrams_come_one_by_one() -> None:
    bench = Bench()
    bench.feed(
        [(SECOND, frames.udp(CLIENT, 4000, SERVER, 53, b"ask")), (SECOND, frames.udp(SERVER, 53, CLIENT, 4000, b"say"))]
    )
    assert bench.readers[0].said == [(True, b"ask"), (False, b"say")]


def test_random_orders_give_the_same_bytes() -> None:
    chance = random.Random(7)
    text = bytes(chance.randrange(256) for _ in range(20_000))
    for _ in range(30):
        pieces, at = [], 0
        while at < len(text):
            size = chance.randrange(1, 1400)
            pieces += [data(at, text[at : at + size])] * chance.choice([1, 1, 2])
            at += size
        window = [pieces[i : i + 8] for i in range(0, len(pieces), 8)]
        for part in window:
            chance.shuffle(part)
        script = [*HANDSHAKE, *[one for part in window for one in part]]
        bench = Bench()
        bench.feed(play(script, spacing=1000), pump_each=chance.random() < 0.5)
        assert bench.readers[0].of(True) == [text]


def test_beyond_the_budget_of_all_what_came_too_early_is_a_gap() -> None:
    bench = Bench(budget=2048)
    early = [data(100 + i * 1000, bytes([i]) * 1000) for i in range(6)]
    bench.feed(play([*HANDSHAKE, data(0, b"x"), *early, data(1, bytes(99)), acked(6100)]))
    said = bench.readers[0].of(True)
    assert sum(len(one) if isinstance(one, bytes) else one for one in said) == 6100
    assert any(isinstance(one, int) for one in said)
    assert bench.kernel.counters["stream_bytes_lost"] > 0


def test_one_conversation_cannot_hold_everything() -> None:
    bench = Bench(budget=64 << 20)
    shake = [
        ("o", SYN, 100, 0, b""),
        ("r", SYN | ACK, 500, 101, b""),
        ("o", ACK, 101, 501, b"x"),
        ("r", ACK, 501, 102, b""),
    ]
    bench.feed(
        play([*shake, data(1, b"y"), acked(2), *[data(100 + i * 1400, bytes(1400)) for i in range(400)]], spacing=1000)
    )
    assert bench.kernel.counters["stream_bytes_lost"] > 0


def test_deliveries_that_nobody_takes_are_bounded_and_counted() -> None:
    bench = Bench()
    for i in range(5000):
        bench.kernel.packet(frames.udp(CLIENT, 4000, SERVER, 9, bytes(1000)), SECOND + i)
    assert len(bench.kernel.deliveries()) <= 4 << 20
    assert bench.kernel.counters["stream_bytes_lost"] > 0


def test_without_a_consumer_nothing_is_kept() -> None:
    kernel = engine.new_kernel()
    for time, frame in play([*HANDSHAKE, data(0, b"data"), ("o", FIN | ACK, 105, 501, b"")]):
        kernel.packet(frame, time)
    assert (kernel.deliveries(), kernel.counters["sides_lost"]) == (b"", 0)


def test_an_answer_for_a_conversation_that_is_over_does_nothing() -> None:
    bench = Bench()
    bench.feed(play([*HANDSHAKE, data(0, b"data")]))
    for slot, serial, end in ((0, 0, 0), (999, 1, 0), (2**32 - 1, 1, 1), (0, 12345, 0)):
        bench.kernel.answer(slot, serial, end, done=True)
    bench.feed([(2 * SECOND, play([data(4, b"more")])[0][1])])
    assert bench.readers[0].of(True) == [b"datamore"]


def test_the_uid_is_the_one_of_conn_log() -> None:
    bench = Bench()
    bench.feed(play([*HANDSHAKE, data(0, b"data")]))
    bench.finish()
    assert f'"uid":"{bench.readers[0].talk.uid}"'.encode() in bench.kernel.take()
