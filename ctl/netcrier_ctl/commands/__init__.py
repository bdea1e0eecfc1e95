"""One file a command. Each has

    add(parser)             its arguments, beside those of every command
    run(session, args)      does it, and returns the exit status; raises Failure

and is imported only when it is used. The table is in the order in which people read of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "status": "how the daemons on this host are",
        "nodes": "the nodes that the master knows",
        "node": "show a node, let it in, shut it out, or forget it",
        "broadcast": "send a message to all nodes or some, and see who got it",
        "receipts": "who has a message, and since when",
        "explain": "one message's life, node by node; or one node's",
        "query": "run a handler on the nodes and see what they answer",
        "ping": "each node's round trip, and who is silent",
        "messages": "messages received here, or sent by the master",
        "logs": "the daemons' JSON logs",
        "flows": "conversations that the analyzer saw",
        "top": "who talks most, now",
        "stats": "what became of every packet",
        "capture": "packets to a file or to Wireshark, also of the last seconds",
        "inspect": "packets of a capture file, layer by layer",
        "master": "take over from another master, or begin anew after a lost store",
        "token": "make, list or revoke join tokens; the first closes the group",
        "join": "follow the master that a join token names",
        "keys": "the group key, who lacks it, and its rotation",
        "config": "the configuration in force",
        "reload": "read the configuration again",
        "api": "the methods of the control sockets",
        "version": "the versions of netctl and of the daemons",
        "simulate": "measure many nodes in a private network",
        "demo": "master, nodes and analyzer in a private network",
    }
)
"""A command's name, which is its module's, and what `netctl --help` says of it."""
