"""The bytes of the control protocol, and what is refused before a value is built."""

from __future__ import annotations

import msgspec
import pytest
from netcrier.control import framing
from netcrier.control.framing import Framer, Notification, Request, Response
from netcrier.control.types.shared import DescribeRequest, Hello, StreamCredit
from netcrier.errors import DecodeError

VECTORS = [
    (
        framing.encode_request(1, "hello", Hello(protocol=1, client="a", version="b")),
        "94 00 01 a5 68656c6c6f 91 83 a8 70726f746f636f6c 01 a6 636c69656e74 a161 a7 76657273696f6e a162",
    ),
    (framing.encode_request(2, "status", None), "94 00 02 a6 737461747573 90"),
    (framing.encode_response(2, DescribeRequest("x")), "94 01 02 c0 81 a6 6d6574686f64 a178"),
    (
        framing.encode_error(3, "usage", "no", None),
        "94 01 03 93 a5 7573616765 a2 6e6f c0 c0",
    ),
    (
        framing.encode_notification("stream.credit", StreamCredit(7, 64)),
        "93 02 ad 73747265616d2e637265646974 91 82 a2 6964 07 a3 616464 40",
    ),
]


@pytest.mark.parametrize(("encoded", "expected"), VECTORS)
def test_bytes_of_version_1_do_not_change(encoded: bytes, expected: str) -> None:
    assert encoded == bytes.fromhex(expected)


def test_a_message_of_each_kind_is_read_back() -> None:
    assert framing.decode(VECTORS[0][0]) == Request(1, "hello", msgspec.Raw(VECTORS[0][0][10:]))
    response = framing.decode(VECTORS[3][0])
    assert isinstance(response, Response)
    assert response.error == ("usage", "no", None)
    notice = framing.decode(VECTORS[4][0])
    assert isinstance(notice, Notification)
    assert framing.value_of(notice.params, StreamCredit) == StreamCredit(7, 64)


def test_absent_params_are_an_empty_map() -> None:
    message = framing.decode(bytes.fromhex("94 00 02 a6 737461747573 90"))
    assert isinstance(message, Request)
    assert framing.value_of(message.params, dict) == {}


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
def test_messages_are_cut_the_same_in_any_pieces(step: int) -> None:
    stream = b"".join(encoded for encoded, _ in VECTORS)
    framer, found = Framer(1000, 100), []
    for at in range(0, len(stream), step):
        found += framer.feed(stream[at : at + step])
    assert found == [encoded for encoded, _ in VECTORS]
    assert framer.pending == 0


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xc1", "type"),
        (b"\x91\xd4\x01\x00", "type"),
        (b"\x91" * 17, "depth"),
        (b"\xdc\x00\x65", "items"),
        (b"\xdd\xff\xff\xff\xff", "items"),
        (b"\xdf\xff\xff\xff\xff", "items"),
        (b"\xc6\xff\xff\xff\xff", "size"),
        (b"\xdb\x00\x00\x03\xe8", "size"),
        (b"\x92\xc5\x03\xe0" + bytes(992) + b"\xda\x00\x10", "size"),
    ],
)
def test_a_message_beyond_a_limit_is_refused_from_its_head(data: bytes, reason: str) -> None:
    with pytest.raises(DecodeError) as error:
        Framer(size=1000, items=100).feed(data)
    assert error.value.reason == reason


@pytest.mark.parametrize(
    "data",
    [
        "01",
        "90",
        "91 00",
        "94 03 01 a161 90",
        "94 00 01 a161 92 80 80",
        "94 00 ff a161 90",
        "94 00 a161 a161 90",
        "94 00 01 a1ff 90",
        "94 00 01 a161 80",
        "95 00 01 a161 90 90",
        "94 00 cf 0000000100000000 a161 90",
        "94 01 01 a161 c0",
        "93 02 01 90",
    ],
)
def test_a_value_that_is_no_message_is_refused(data: str) -> None:
    (message,) = Framer(1000, 100).feed(bytes.fromhex(data))
    with pytest.raises(DecodeError) as error:
        framing.decode(message)
    assert error.value.reason == "envelope"


def test_a_wrong_parameter_is_named() -> None:
    with pytest.raises(DecodeError, match=r"\$\.method"):
        framing.value_of(msgspec.Raw(b"\x81\xa6method\x01"), DescribeRequest)


def test_an_unknown_parameter_is_refused() -> None:
    with pytest.raises(DecodeError, match="unknown field `metod`"):
        framing.value_of(msgspec.Raw(b"\x81\xa5metod\xa1x"), DescribeRequest)
