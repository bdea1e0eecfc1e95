"""What is encoded comes back, of every kind and for any values."""

from __future__ import annotations

from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from netcrier.ids import MessageId
from netcrier.wire.beacon import (
    Beacon,
    LaneSpan,
    Marks,
    decode_beacon,
    encode_beacon,
    open_marks,
    verify_beacon,
)
from netcrier.wire.block import Block, decode_block, encode_block
from netcrier.wire.envelope import DIGEST_SIZE, KEY_SIZE, AgreementKey, Digest
from netcrier.wire.fetch import Fetch, Lack, decode_fetch, encode_fetch
from netcrier.wire.fragment import Fragment, decode_fragment, encode_fragment
from netcrier.wire.handshake import Answerer, Asker, KnownAnswerer, KnownAsker
from netcrier.wire.header import (
    UP_SIZE,
    UpHeader,
    front,
    open_down,
    read_up,
    seal_down,
    seal_up,
    up_front,
)
from netcrier.wire.heard import Entry, Heard, decode_heard, encode_heard
from netcrier.wire.hello import (
    Hello,
    LaneStart,
    Welcome,
    decode_hello,
    decode_welcome,
    encode_hello,
    encode_welcome,
)
from netcrier.wire.kinds import Kind
from netcrier.wire.limits import (
    ADDRESSES_MAX,
    BLOCKS_MAX,
    BODY_MAX,
    EXTRAS_MAX,
    FRAGMENT_SIZE,
    FRAGMENTS_MAX,
    HEARD_MAX,
    LANES_MAX,
    OUTCOMES_MAX,
    RANGES_MAX,
    RESULTS_MAX,
    SKIP_MAX,
)
from netcrier.wire.message import Message, decode_message, encode_message
from netcrier.wire.rekey import Rekey, Renew, decode_rekey, decode_renew, encode_rekey, encode_renew
from netcrier.wire.report import (
    LaneReport,
    Outcome,
    Report,
    Request,
    Told,
    decode_report,
    decode_request,
    encode_report,
    encode_request,
)
from netcrier.wire.signed import Head, signed, verify
from netcrier.wire.skip import ANY_NODE, Cause, Skip, decode_skip, encode_skip
from netcrier.wire.solicit import Solicit, bitmaps, decode_solicit, encode_solicit
from netcrier.wire.token import Token, decode_token, encode_token
from netcrier.wire.turn import Stand, Turn, decode_turn, encode_turn

from tests import datagrams

EXAMPLES: Final = 150


def uints(size: int) -> st.SearchStrategy[int]:
    """Integers that fit `size` bytes."""
    return st.integers(0, 2 ** (8 * size) - 1)


def names() -> st.SearchStrategy[str]:
    """Text of at most 63 bytes."""
    return st.text(st.characters(exclude_categories=["Cs"]), max_size=15)


def fixed(size: int) -> st.SearchStrategy[bytes]:
    """Exactly `size` bytes."""
    return st.binary(min_size=size, max_size=size)


def tuples_of(most: int, *parts: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[tuple[object, ...], ...]]:
    """At most `most` tuples of `parts`."""
    return st.lists(st.tuples(*parts), max_size=most).map(tuple)


DIGESTS: Final = fixed(DIGEST_SIZE).map(Digest)

HEADS: Final = st.builds(Head, fixed(16), uints(4), uints(4), uints(8))

SPANS: Final = st.lists(st.builds(LaneSpan, uints(1), uints(8), uints(8)), max_size=LANES_MAX).map(tuple)

MARKS: Final = st.builds(Marks, SPANS, uints(4), uints(4), uints(8), names(), uints(4), uints(4))

ADDRESSES: Final = st.lists(st.ip_addresses(v=4).map(str) | st.ip_addresses(v=6).map(str), max_size=ADDRESSES_MAX)

BEACONS: Final = st.builds(
    Beacon, fixed(8), uints(4), fixed(KEY_SIZE), fixed(KEY_SIZE), uints(4), uints(4), uints(8), st.booleans(),
    uints(2), ADDRESSES.map(tuple),
)  # fmt: skip

MESSAGES: Final = st.builds(
    Message, HEADS, st.integers(0, 1), st.integers(1, 2**64 - 1), uints(4), uints(8), st.binary(max_size=BODY_MAX),
    uints(8), names(),
)  # fmt: skip

SOLICITS: Final = st.builds(Solicit, HEADS, uints(1), uints(8), uints(4), uints(4), st.binary(max_size=512))

EXTRAS: Final = tuples_of(EXTRAS_MAX, uints(8), DIGESTS)

LANE_REPORTS: Final = st.builds(LaneReport, uints(1), uints(4), uints(8), uints(8), DIGESTS, EXTRAS)

OUTCOMES: Final = st.builds(Outcome, uints(1), uints(8), st.sampled_from(Told), uints(2))

RESULTS: Final = st.builds(Outcome, uints(1), uints(8), st.just(Told.HANDLED), uints(2), uints(4))

REPORTS: Final = st.builds(
    Report, uints(8), st.lists(LANE_REPORTS, max_size=LANES_MAX).map(tuple), uints(8), uints(4), uints(4),
    st.builds(
        lambda own, earlier: (*own, *earlier),
        st.lists(OUTCOMES, max_size=OUTCOMES_MAX),
        st.lists(RESULTS, max_size=RESULTS_MAX),
    ),
)  # fmt: skip

SKIPS: Final = st.builds(
    Skip, HEADS, st.integers(0, 1), st.integers(1, 2**64 - 1), st.integers(1, SKIP_MAX), st.sampled_from(Cause),
    uints(4) | st.just(ANY_NODE), DIGESTS,
)  # fmt: skip

ENTRIES: Final = st.builds(Entry, uints(4), uints(4), uints(8))

HEARDS: Final = st.builds(Heard, HEADS, st.lists(ENTRIES, max_size=HEARD_MAX).map(tuple))

STANDS: Final = st.lists(st.builds(Stand, uints(4), uints(4), uints(8)), max_size=HEARD_MAX).map(tuple)

TURNS: Final = st.builds(
    lambda head, lane, terms, numbers, stands: Turn(
        replace(head, term=terms[2]), lane, terms[0], numbers[0], numbers[1], terms[1], stands
    ),
    HEADS, st.integers(0, 1),
    st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(0, 9)).map(lambda by: (by[0], by[0] + by[1], sum(by))),
    st.tuples(uints(8), uints(8)).map(lambda both: sorted(both)), STANDS,
)  # fmt: skip

RANGES: Final = tuples_of(RANGES_MAX, uints(8), st.integers(0, 5))

REQUESTS: Final = st.builds(Request, uints(8), uints(4), uints(1), RANGES)

IDS: Final = st.builds(MessageId, uints(4), st.integers(0, 1), uints(8))

HASHES: Final = st.lists(DIGESTS, min_size=1, max_size=FRAGMENTS_MAX).map(tuple)

BLOCKS: Final = st.builds(Block, IDS, st.integers(0, BLOCKS_MAX - 1), HASHES)

FRAGMENTS: Final = st.builds(
    Fragment, IDS, st.integers(0, BLOCKS_MAX - 1), st.integers(0, FRAGMENTS_MAX - 1),
    st.binary(min_size=1, max_size=FRAGMENT_SIZE),
)  # fmt: skip

LACKS: Final = st.builds(
    lambda block, header, bitmap, part: Lack(block, header, int(bitmap.bit_count() * part), bitmap),
    st.integers(0, BLOCKS_MAX - 1), st.booleans(), uints(4), st.floats(0, 1),
)  # fmt: skip

FETCHES: Final = st.builds(
    Fetch, uints(8), IDS, st.booleans(), st.lists(LACKS, unique_by=lambda lack: lack.block).map(tuple)
)

HELLOS: Final = st.builds(
    Hello, uints(4), fixed(16), names(), tuples_of(3, names(), names()), tuples_of(4, uints(1), uints(4), uints(8)),
    fixed(8), fixed(16),
)  # fmt: skip

STARTS: Final = st.lists(st.builds(LaneStart, uints(1), uints(4), uints(8), DIGESTS), max_size=LANES_MAX).map(tuple)

WELCOME_KEYS: Final = st.lists(st.tuples(uints(4), fixed(KEY_SIZE)), min_size=1, max_size=4).map(tuple)

WELCOMES: Final = st.builds(Welcome, uints(4), uints(4), uints(4), uints(4), WELCOME_KEYS, STARTS, names())

REKEYS: Final = st.builds(
    Rekey, uints(4), uints(4), st.lists(st.tuples(uints(4), fixed(KEY_SIZE)), min_size=1, max_size=2).map(tuple)
)

TOKENS: Final = st.builds(
    Token, fixed(8), fixed(KEY_SIZE), fixed(KEY_SIZE), uints(2), fixed(8), fixed(KEY_SIZE), names()
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(BEACONS, MARKS)
def test_a_beacon_comes_back(beacon: Beacon, marks: Marks) -> None:
    data = encode_beacon(beacon, marks, datagrams.SEAL, datagrams.SIGNER)
    verify_beacon(data, datagrams.VERIFIER)
    back = decode_beacon(data)
    assert replace(back, addresses=()) == replace(beacon, addresses=())
    assert len(back.addresses) == len(beacon.addresses)
    assert encode_beacon(back, marks, datagrams.SEAL, datagrams.SIGNER) == data
    assert open_marks(data, {beacon.epoch: datagrams.SEAL}) == marks


@settings(max_examples=EXAMPLES, deadline=None)
@given(MESSAGES, uints(4))
def test_a_message_comes_back(message: Message, epoch: int) -> None:
    plaintext = signed(Kind.MESSAGE, datagrams.GROUP, encode_message(message), datagrams.SIGNER)
    if len(plaintext) > BODY_MAX + 132:
        message = replace(message, selector="")
        plaintext = signed(Kind.MESSAGE, datagrams.GROUP, encode_message(message), datagrams.SIGNER)
    data = seal_down(Kind.MESSAGE, datagrams.GROUP, epoch, datagrams.SEAL, plaintext)
    opened = open_down(data, {epoch: datagrams.SEAL})
    verify(Kind.MESSAGE, datagrams.GROUP, opened, datagrams.VERIFIER)
    assert decode_message(opened) == message


@settings(max_examples=EXAMPLES, deadline=None)
@given(BLOCKS, FRAGMENTS, FETCHES)
def test_a_block_a_fragment_and_a_fetch_come_back(block: Block, fragment: Fragment, fetch: Fetch) -> None:
    assert decode_block(encode_block(block)) == block
    assert decode_fragment(encode_fragment(fragment)) == fragment
    assert decode_fetch(encode_fetch(fetch)) == fetch


@settings(max_examples=EXAMPLES, deadline=None)
@given(SOLICITS)
def test_a_solicitation_comes_back(solicit: Solicit) -> None:
    assert decode_solicit(encode_solicit(solicit) + bytes(64)) == solicit


@settings(max_examples=EXAMPLES, deadline=None)
@given(SKIPS, HEARDS, TURNS)
def test_a_skip_a_heard_and_a_turn_come_back(skip: Skip, heard: Heard, turn: Turn) -> None:
    assert decode_skip(encode_skip(skip) + bytes(64)) == skip
    assert decode_turn(encode_turn(turn) + bytes(64)) == turn
    assert decode_heard(encode_heard(heard) + bytes(64)) == heard


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.sets(st.integers(0, 20_000), max_size=60))
def test_bitmaps_ask_exactly_who_is_named(indexes: set[int]) -> None:
    asked = [
        first + 8 * at + bit
        for first, bits in bitmaps(indexes)
        for at, byte in enumerate(bits)
        for bit in range(8)
        if byte & 0x80 >> bit
    ]
    assert asked == sorted(indexes)


@settings(max_examples=EXAMPLES, deadline=None)
@given(REPORTS)
def test_a_report_comes_back(report: Report) -> None:
    assert decode_report(encode_report(report)) == report


@settings(max_examples=EXAMPLES, deadline=None)
@given(REQUESTS)
def test_a_request_comes_back(request: Request) -> None:
    header = UpHeader(Kind.REQUEST, datagrams.GROUP, datagrams.NODE, datagrams.NODE_BOOT)
    data = seal_up(header, datagrams.upward_key(Kind.REQUEST), encode_request(request))
    assert read_up(data) == header
    assert decode_request(datagrams.upward_key(Kind.REQUEST).open(data, UP_SIZE)) == request


@settings(max_examples=EXAMPLES, deadline=None)
@given(HELLOS, WELCOMES, fixed(32), fixed(32))
def test_a_hello_and_its_welcome_come_back(hello: Hello, welcome: Welcome, node: bytes, master: bytes) -> None:
    clear = front(Kind.HELLO, datagrams.GROUP)
    asker = Asker(clear, datagrams.NODE_KEY, AgreementKey(node), datagrams.MASTER_KEY.public)
    answerer = Answerer(clear, datagrams.MASTER_KEY, asker.ask(encode_hello(hello)))
    assert decode_hello(answerer.payload) == hello
    payload = encode_welcome(welcome, answerer.transcript, datagrams.SIGNER)
    answer = asker.read_answer(answerer.answer(AgreementKey(master), payload))
    assert decode_welcome(answer, asker.transcript, datagrams.VERIFIER) == welcome


@settings(max_examples=EXAMPLES, deadline=None)
@given(REKEYS, st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1), fixed(32), fixed(32))
def test_a_request_for_a_key_and_its_answer_come_back(
    rekey: Rekey, counter: int, epoch: int, node: bytes, master: bytes
) -> None:
    clear = up_front(datagrams.RENEW_HEADER)
    asker = KnownAsker(clear, datagrams.NODE_KEY, AgreementKey(node), datagrams.MASTER_KEY.public)
    renew = Renew(counter, epoch, asker.ask(b""))
    assert decode_renew(encode_renew(renew)) == renew
    answerer = KnownAnswerer(clear, datagrams.MASTER_KEY, datagrams.NODE_KEY.public, datagrams.SHARED, renew.question)
    payload = encode_rekey(rekey, answerer.transcript, datagrams.SIGNER)
    answer = asker.read_answer(answerer.answer(AgreementKey(master), payload))
    assert decode_rekey(answer, asker.transcript, datagrams.VERIFIER) == rekey


@settings(max_examples=EXAMPLES, deadline=None)
@given(TOKENS)
def test_a_token_comes_back(token: Token) -> None:
    assert decode_token(encode_token(token)) == token
