"""The methods of each daemon, as frozen tables that client and server share.

A row says what goes in, what comes out and who may call. Rows are append-only within a protocol version; parameters and
results may gain fields with defaults. What a method does is in the daemon's `handlers`.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from msgspec import Struct

from netcrier.control.types import analyzer, broadcast, life, master, node, question, roster, shared, trust
from netcrier.control.types.shared import Done, Nothing, Right, StreamEnd

if TYPE_CHECKING:
    from collections.abc import Mapping

P = TypeVar("P")
R = TypeVar("R")
I = TypeVar("I")  # noqa: E741 - params, result, item


class Method(Struct, Generic[P, R], frozen=True):
    """A call with one answer."""

    name: str
    params: type[P]
    result: type[R]
    right: Right
    doc: str
    item: None = None
    lossless: bool = True


class Stream(Struct, Generic[P, I], frozen=True):
    """A call that answers with items until it ends."""

    name: str
    params: type[P]
    item: type[I]
    right: Right
    doc: str
    lossless: bool = True
    """Without credit the stream waits (true), or drops items and counts them (false)."""
    result: type[StreamEnd] = StreamEnd


AnyMethod = Method[Any, Any] | Stream[Any, Any]

HELLO = Method("hello", shared.Hello, shared.Welcome, Right.READ, "Greets; says versions and what the caller may do.")
API_LIST = Method("api.list", Nothing, shared.MethodNames, Right.READ, "Lists the methods of this daemon.")
API_DESCRIBE = Method(
    "api.describe", shared.DescribeRequest, shared.MethodDescription, Right.READ, "Gives a method's schemas."
)
LOGS_REOPEN = Method("logs.reopen", Nothing, Done, Right.CHANGE, "Opens the log files anew, after a rotation.")
RELOAD = Method("reload", Nothing, shared.Reloaded, Right.CHANGE, "Reads the configuration again.")
CONFIG_SHOW = Method(
    "config.show", Nothing, shared.ConfigShown, Right.READ, "Shows every key in force and where its value comes from."
)

MASTER_STATUS = Method("status", Nothing, master.MasterStatus, Right.READ, "Says how the master and its nodes are.")
BROADCAST = Method(
    "broadcast", broadcast.BroadcastRequest, broadcast.Sent, Right.CHANGE, "Sends a message to every node."
)
RECEIPTS = Method(
    "receipts",
    broadcast.ReceiptsRequest,
    broadcast.Receipts,
    Right.READ,
    "Says which nodes have a message, and since when.",
)
RECEIPTS_FOLLOW = Stream(
    "receipts.follow",
    broadcast.ReceiptsRequest,
    broadcast.ReceiptRow,
    Right.READ,
    "Streams receipts as they come in; ends when all expected ones are there.",
)
NODES = Method("nodes", roster.NodesRequest, roster.Nodes, Right.READ, "Lists the nodes.")
NODE_APPROVE = Method("node.approve", roster.NodeRequest, Done, Right.CHANGE, "Lets a waiting node into the group.")
NODE_REVOKE = Method(
    "node.revoke", roster.NodeRequest, trust.Revoked, Right.CHANGE, "Shuts a node out: changes the group key at once."
)
NODE_EXPLAIN = Method(
    "node.explain", roster.NodeRequest, life.NodeLife, Right.READ,
    "Tells one node's life: since when, from where, how far it has come, what it lacks.",
)  # fmt: skip
NODE_FORGET = Method("node.forget", roster.NodeRequest, Done, Right.CHANGE, "Takes a node out of the roster.")
SENT_MESSAGES = Method(
    "messages", broadcast.SentMessagesRequest, broadcast.SentMessages, Right.READ, "Lists the newest messages sent."
)
TOKEN_CREATE = Method(
    "token.create", trust.TokenRequest, trust.Token, Right.CHANGE, "Makes a join token; closes an open group."
)
TOKEN_LIST = Method("token.list", Nothing, trust.Tokens, Right.READ, "Lists the join tokens, without their secrets.")
TOKEN_REVOKE = Method(
    "token.revoke", trust.TokenNameRequest, Done, Right.CHANGE, "Makes a join token void; who joined by it stays."
)
KEYS = Method("keys", Nothing, trust.GroupKeyStatus, Right.READ, "Says which group key holds and which nodes lack it.")
KEYS_ROTATE = Method(
    "keys.rotate", Nothing, trust.GroupKeyStatus, Right.CHANGE, "Announces another group key, which then holds."
)

PING = Stream(
    "ping", question.PingRequest, question.AnswerRow, Right.READ, "Measures each node's round trip; says who is silent."
)
QUERY = Stream(
    "query",
    question.QueryRequest,
    question.AnswerRow,
    Right.CHANGE,
    "Runs the nodes' handler of a name and streams what they answer; says who is silent.",
)

TAKE_OVER = Method(
    "master.takeover", Nothing, master.TakenOver, Right.CHANGE, "Begins a new term here; another master of it stops."
)
MESSAGE_BODY = Method("message.body", shared.BodyRequest, shared.Body, Right.READ, "Gives the whole body of a message.")

NODE_STATUS = Method("status", Nothing, node.NodeStatus, Right.READ, "Says how the node is and whom it follows.")
RECEIVED_MESSAGES = Method(
    "messages", node.ReceivedMessagesRequest, node.ReceivedMessages, Right.READ, "Lists messages of the journal."
)
MESSAGES_FOLLOW = Stream(
    "messages.follow",
    node.FollowRequest,
    node.ReceivedRow,
    Right.READ,
    "Streams messages in the journal's order; without credit it waits at its place.",
)
JOIN = Method("join", node.JoinRequest, node.Joined, Right.CHANGE, "Takes a join token and follows its master.")

ANALYZER_STATUS = Method(
    "status", Nothing, analyzer.AnalyzerStatus, Right.READ, "Says what is captured, analysed and lost."
)
STATS = Method("stats", Nothing, analyzer.Stats, Right.READ, "Gives the balance of packets over the last interval.")
CAPTURE = Stream(
    "capture",
    analyzer.CaptureRequest,
    analyzer.CapturePart,
    Right.CHANGE,
    "Streams packets as pcapng: those of the last seconds, those that come, or both.",
)
FLOWS = Method("flows", analyzer.FlowsRequest, analyzer.Flows, Right.READ, "Lists conversations that go on.")

SHARED: tuple[AnyMethod, ...] = (HELLO, API_LIST, API_DESCRIBE, LOGS_REOPEN, RELOAD, CONFIG_SHOW)


def table(*rows: AnyMethod) -> Mapping[str, AnyMethod]:
    """A daemon's methods by name: the shared ones and `rows`."""
    return MappingProxyType({row.name: row for row in (*SHARED, *rows)})


MASTERD = table(
    MASTER_STATUS,
    BROADCAST,
    RECEIPTS,
    RECEIPTS_FOLLOW,
    NODES,
    NODE_APPROVE,
    NODE_REVOKE,
    NODE_EXPLAIN,
    NODE_FORGET,
    SENT_MESSAGES,
    MESSAGE_BODY,
    TOKEN_CREATE,
    TOKEN_LIST,
    TOKEN_REVOKE,
    KEYS,
    KEYS_ROTATE,
    PING,
    QUERY,
    TAKE_OVER,
)
NODED = table(NODE_STATUS, RECEIVED_MESSAGES, MESSAGE_BODY, MESSAGES_FOLLOW, JOIN)
ANALYZERD = table(ANALYZER_STATUS, STATS, CAPTURE, FLOWS)

TABLES: Mapping[str, Mapping[str, AnyMethod]] = MappingProxyType(
    {"masterd": MASTERD, "noded": NODED, "analyzerd": ANALYZERD}
)
