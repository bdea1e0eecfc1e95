"""Every datagram kind of version 1 and the token, from fixed keys: what frozen vectors and mutations start from."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace
from netcrier.ids import GroupId, MessageId
from netcrier.wire.beacon import Beacon, LaneSpan, Marks, encode_beacon
from netcrier.wire.block import Block, block_digest, encode_block, fragment_hash
from netcrier.wire.catch_up import CatchUp, encode_catch_up
from netcrier.wire.envelope import AgreementKey, SealKey, Signer, Verifier, chained, digest, master_id, node_id
from netcrier.wire.fetch import Fetch, Lack, encode_fetch
from netcrier.wire.fragment import Fragment, encode_fragment
from netcrier.wire.handshake import Answerer, Asker, KnownAnswerer, KnownAsker
from netcrier.wire.header import FRONT_SIZE, UP_SIZE, UpHeader, seal_down, seal_up, single_front, up_front, up_key
from netcrier.wire.heard import Entry, Heard, encode_heard
from netcrier.wire.hello import (
    Hello,
    LaneStart,
    Welcome,
    encode_hello,
    encode_welcome,
    enrolment_proof,
    hello_front,
    welcome_front,
)
from netcrier.wire.kinds import Kind
from netcrier.wire.limits import FRAGMENT_SIZE
from netcrier.wire.message import Message, encode_message
from netcrier.wire.question import Answer, Question, encode_answer, encode_question
from netcrier.wire.rekey import Rekey, Renew, encode_rekey, encode_renew
from netcrier.wire.report import LaneReport, Outcome, Report, Request, Told, encode_report, encode_request
from netcrier.wire.signed import Head, signed
from netcrier.wire.skip import ANY_NODE, Cause, Skip, encode_skip
from netcrier.wire.solicit import Solicit, encode_solicit
from netcrier.wire.tally import Tally, encode_tally
from netcrier.wire.token import Token, encode_token
from netcrier.wire.turn import Stand, Turn, encode_turn

GROUP: Final = GroupId(bytes(range(8)))
EPOCH: Final = 7
SIGNER: Final = Signer(bytes([1]) * 32)
MASTER_KEY: Final = AgreementKey(bytes([2]) * 32)
NODE_KEY: Final = AgreementKey(bytes([3]) * 32)
GROUP_SECRET: Final = bytes([4]) * 32
SEAL: Final = SealKey(GROUP_SECRET)
KEYS: Final = {EPOCH: SEAL}
VERIFIER: Final = Verifier(SIGNER.public)
SHARED: Final = NODE_KEY.agree(MASTER_KEY.public)
TOKEN_ID: Final = bytes(range(16, 24))
TOKEN_SECRET: Final = bytes([7]) * 32
NODE: Final = node_id(NODE_KEY.public)
NODE_BOOT: Final = 9
HEAD: Final = Head(master_id(SIGNER.public), term=2, boot=3, counter=4)

BEACON: Final = Beacon(
    GROUP, EPOCH, SIGNER.public, MASTER_KEY.public, 2, 3, 4, True, 12346, ("192.0.2.1", "2001:db8::1")
)
MARKS: Final = Marks(
    (LaneSpan(0, 1284, 900), LaneSpan(1, 7, 1)),
    2000,
    10_000,
    1_700_000_000_000_000,
    "lab",
    next_epoch=8,
    next_in_ms=500,
)
MESSAGE: Final = Message(HEAD, 0, 1284, 2000, 1_700_000_000_000_001, "Grüße\0".encode(), ttl_ms=60_000, selector="a=b")
BODY: Final = bytes(range(256)) * 8
"""Of a message in blocks: two fragments."""
PIECES: Final = (BODY[:FRAGMENT_SIZE], BODY[FRAGMENT_SIZE:])
BLOCK: Final = Block(MessageId(2, 0, 1285), 0, tuple(map(fragment_hash, PIECES)))
IN_BLOCKS: Final = Message(
    HEAD, 0, 1285, 2000, 1_700_000_000_000_001, b"", size=len(BODY), blocks=(block_digest(BLOCK.hashes),)
)
FRAGMENT: Final = Fragment(BLOCK.message, 0, 1, PIECES[1])
PARITY: Final = Fragment(BLOCK.message, 0, 32, bytes(reversed(PIECES[0])))
FETCH: Final = Fetch(8, BLOCK.message, True, (Lack(0, True, 1, 0x4000_0000),))
SOLICIT: Final = Solicit(HEAD, 1, 7, 2000, first=16, bitmap=bytes([0x80, 0x01]))
HELLO: Final = Hello(
    NODE_BOOT, bytes(range(32, 48)), "node1", (("role", "web"), ("site", "fra")), ((0, 2, 1280), (1, 2, 7)),
    TOKEN_ID, enrolment_proof(TOKEN_SECRET, NODE, NODE_BOOT),
)  # fmt: skip
CHAIN: Final = chained(digest(b"first"), digest(b"second"))
WELCOME: Final = Welcome(
    2, 3, 16, 10_000, ((EPOCH, GROUP_SECRET), (8, bytes([8]) * 32)), (LaneStart(0, 2, 1280, CHAIN),), "lab"
)
REPORT: Final = Report(
    5, (LaneReport(0, 2, 1280, 1279, CHAIN, ((1282, digest(b"held")),)), LaneReport(1, 2, 7, 7, CHAIN)), 4, 1500, 3
)
OUTCOMES: Final = replace(
    REPORT, outcomes=(Outcome(0, 1277, Told.REFUSED, 1), Outcome(1, 6, Told.HANDLED, 3), Outcome(0, 900, Told.GAP, 299))
)
RESULTS: Final = replace(
    REPORT,
    outcomes=(
        Outcome(0, 1277, Told.REFUSED, 1),
        Outcome(0, 900, Told.HANDLED, 3, 1),
        Outcome(1, 6, Told.HANDLED, 0, 1),
    ),
)
SKIP: Final = Skip(HEAD, 0, 1281, 3, Cause.NOT_FOR_YOU, 16, CHAIN)
EARLIER_SKIP: Final = replace(SKIP, cause=Cause.NO_LONGER_KEPT, index=ANY_NODE, earlier=1)
TURN: Final = Turn(HEAD, 0, 1, 1284, 1290, 2, (Stand(16, NODE_BOOT, 1284), Stand(4, 1, 2**40)))
HEARD: Final = Heard(HEAD, (Entry(16, NODE_BOOT, 5), Entry(4, 1, 2**40)))
REQUEST: Final = Request(6, 2, 0, ((1281, 1), (1283, 2)))
REKEY: Final = Rekey(2, 3, ((EPOCH, GROUP_SECRET), (8, bytes([8]) * 32)))
RENEW_HEADER: Final = UpHeader(Kind.RENEW, GROUP, NODE, NODE_BOOT)
CATCH_UP: Final = CatchUp(7, ((0, 2, 1280), (1, 2, 7)))
QUESTION: Final = Question(HEAD, 2000, 5000, "role=web", "disk", b"/var")
ANSWER: Final = Answer(8, 3, 4, 1, 2, 0, 1500, 1030, b"tail")
TALLY: Final = Tally(7, 2, 3, EPOCH, ((0, 2, 1280), (1, 2, 7)))
TOKEN: Final = Token(GROUP, SIGNER.public, MASTER_KEY.public, 12346, TOKEN_ID, TOKEN_SECRET, "lab")


def beacon() -> bytes:
    """BEACON and MARKS."""
    return encode_beacon(BEACON, MARKS, SEAL, SIGNER)


def message_plaintext() -> bytes:
    """MESSAGE, signed."""
    return signed(Kind.MESSAGE, GROUP, encode_message(MESSAGE), SIGNER)


def message() -> bytes:
    """MESSAGE, signed and sealed."""
    return seal_down(Kind.MESSAGE, GROUP, EPOCH, SEAL, message_plaintext())


def in_blocks() -> bytes:
    """IN_BLOCKS, signed and sealed."""
    plaintext = signed(Kind.MESSAGE, GROUP, encode_message(IN_BLOCKS), SIGNER)
    return seal_down(Kind.MESSAGE, GROUP, EPOCH, SEAL, plaintext)


def block() -> bytes:
    """BLOCK, sealed."""
    return seal_down(Kind.BLOCK, GROUP, EPOCH, SEAL, encode_block(BLOCK))


def fragment() -> bytes:
    """FRAGMENT, sealed."""
    return seal_down(Kind.FRAGMENT, GROUP, EPOCH, SEAL, encode_fragment(FRAGMENT))


def parity() -> bytes:
    """PARITY, sealed."""
    return seal_down(Kind.PARITY, GROUP, EPOCH, SEAL, encode_fragment(PARITY))


def solicit_plaintext() -> bytes:
    """SOLICIT, signed."""
    return signed(Kind.SOLICIT, GROUP, encode_solicit(SOLICIT), SIGNER)


def solicit() -> bytes:
    """SOLICIT, signed and sealed."""
    return seal_down(Kind.SOLICIT, GROUP, EPOCH, SEAL, solicit_plaintext())


def skip_plaintext() -> bytes:
    """SKIP, signed."""
    return signed(Kind.SKIP, GROUP, encode_skip(SKIP), SIGNER)


def skip() -> bytes:
    """SKIP, signed and sealed."""
    return seal_down(Kind.SKIP, GROUP, EPOCH, SEAL, skip_plaintext())


def heard_plaintext() -> bytes:
    """HEARD, signed."""
    return signed(Kind.HEARD, GROUP, encode_heard(HEARD), SIGNER)


def heard() -> bytes:
    """HEARD, signed and sealed."""
    return seal_down(Kind.HEARD, GROUP, EPOCH, SEAL, heard_plaintext())


def earlier_skip() -> bytes:
    """SKIP of numbers of an earlier term, signed and sealed."""
    return seal_down(Kind.SKIP, GROUP, EPOCH, SEAL, signed(Kind.SKIP, GROUP, encode_skip(EARLIER_SKIP), SIGNER))


def turn_plaintext() -> bytes:
    """TURN, signed."""
    return signed(Kind.TURN, GROUP, encode_turn(TURN), SIGNER)


def turn() -> bytes:
    """TURN, signed and sealed."""
    return seal_down(Kind.TURN, GROUP, EPOCH, SEAL, turn_plaintext())


def asker() -> tuple[Asker, bytes]:
    """The node's side of the handshake after its hello, and the hello."""
    exchange = Asker(hello_front(GROUP), NODE_KEY, AgreementKey(bytes([5]) * 32), MASTER_KEY.public)
    return exchange, hello_front(GROUP) + exchange.ask(encode_hello(HELLO))


def hello() -> bytes:
    """HELLO."""
    return asker()[1]


def welcome() -> bytes:
    """The answer to `hello`."""
    question = hello()
    exchange = Answerer(question[:FRONT_SIZE], MASTER_KEY, question[FRONT_SIZE:])
    payload = encode_welcome(WELCOME, exchange.transcript, SIGNER)
    return welcome_front(GROUP, NODE) + exchange.answer(AgreementKey(bytes([6]) * 32), payload)


def upward_key(kind: Kind) -> SealKey:
    """The node's key for a kind."""
    boots = (HEAD.term, HEAD.boot, NODE_BOOT)
    return up_key(SHARED, kind, GROUP, HEAD.master, boots, NODE)


def report() -> bytes:
    """REPORT, sealed."""
    return seal_up(UpHeader(Kind.REPORT, GROUP, NODE, NODE_BOOT), upward_key(Kind.REPORT), encode_report(REPORT))


def outcomes() -> bytes:
    """OUTCOMES, sealed: a report that tells of single messages."""
    return seal_up(UpHeader(Kind.REPORT, GROUP, NODE, NODE_BOOT), upward_key(Kind.REPORT), encode_report(OUTCOMES))


def results() -> bytes:
    """RESULTS, sealed: a report that tells what handlers returned for messages of an earlier term."""
    return seal_up(UpHeader(Kind.REPORT, GROUP, NODE, NODE_BOOT), upward_key(Kind.REPORT), encode_report(RESULTS))


def request() -> bytes:
    """REQUEST, sealed."""
    return seal_up(UpHeader(Kind.REQUEST, GROUP, NODE, NODE_BOOT), upward_key(Kind.REQUEST), encode_request(REQUEST))


def fetch() -> bytes:
    """FETCH, sealed."""
    return seal_up(UpHeader(Kind.FETCH, GROUP, NODE, NODE_BOOT), upward_key(Kind.FETCH), encode_fetch(FETCH))


def member() -> tuple[KnownAsker, Renew]:
    """The node's side of the exchange for a group key after its question, and what it asks."""
    exchange = KnownAsker(up_front(RENEW_HEADER), NODE_KEY, AgreementKey(bytes([9]) * 32), MASTER_KEY.public)
    return exchange, Renew(8, 6, exchange.ask(b""))


def renew() -> bytes:
    """RENEW, sealed."""
    return seal_up(RENEW_HEADER, upward_key(Kind.RENEW), encode_renew(member()[1]))


def rekey() -> bytes:
    """The answer to `renew`."""
    clear, shared = renew()[:UP_SIZE], SHARED
    exchange = KnownAnswerer(clear, MASTER_KEY, NODE_KEY.public, shared, member()[1].question)
    payload = encode_rekey(REKEY, exchange.transcript, SIGNER)
    return single_front(Kind.REKEY, GROUP, NODE) + exchange.answer(AgreementKey(bytes([10]) * 32), payload)


def catch_up() -> bytes:
    """CATCH_UP, sealed."""
    key = upward_key(Kind.CATCH_UP)
    return seal_up(UpHeader(Kind.CATCH_UP, GROUP, NODE, NODE_BOOT), key, encode_catch_up(CATCH_UP))


def question_plaintext() -> bytes:
    """QUESTION, signed."""
    return signed(Kind.QUESTION, GROUP, encode_question(QUESTION), SIGNER)


def question() -> bytes:
    """QUESTION, signed and sealed."""
    return seal_down(Kind.QUESTION, GROUP, EPOCH, SEAL, question_plaintext())


def answer() -> bytes:
    """ANSWER, sealed."""
    return seal_up(UpHeader(Kind.ANSWER, GROUP, NODE, NODE_BOOT), upward_key(Kind.ANSWER), encode_answer(ANSWER))


def tally() -> bytes:
    """TALLY, sealed for the run of HEAD."""
    return encode_tally(GROUP, NODE_KEY.public, NODE_BOOT, upward_key(Kind.TALLY), TALLY)


def token() -> str:
    """TOKEN, as text."""
    return encode_token(TOKEN)


BUILDERS: Final = {
    Kind.BEACON: beacon,
    Kind.MESSAGE: message,
    Kind.SKIP: skip,
    Kind.SOLICIT: solicit,
    Kind.BLOCK: block,
    Kind.FRAGMENT: fragment,
    Kind.PARITY: parity,
    Kind.HEARD: heard,
    Kind.TURN: turn,
    Kind.WELCOME: welcome,
    Kind.HELLO: hello,
    Kind.REPORT: report,
    Kind.REQUEST: request,
    Kind.FETCH: fetch,
    Kind.RENEW: renew,
    Kind.REKEY: rekey,
    Kind.CATCH_UP: catch_up,
    Kind.QUESTION: question,
    Kind.ANSWER: answer,
    Kind.TALLY: tally,
}


def answered(data: bytes) -> bytes:
    """The payload of a hello's handshake."""
    return Answerer(data[:FRONT_SIZE], MASTER_KEY, data[FRONT_SIZE:]).payload
