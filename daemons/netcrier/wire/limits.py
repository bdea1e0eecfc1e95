"""Everything that a peer can make grow, and where it ends.

Each line: the value and its unit, the attack or accident that it stops, and what happens beyond it.
"""

from __future__ import annotations

from typing import Final

DATAGRAM_MAX: Final = 1232
"""Bytes of UDP payload: IPv6's minimum MTU less its headers; no path fragments it. A longer one is refused unread."""

BODY_MAX: Final = 1024
"""Bytes of a message that fits one datagram. A longer one goes in blocks of fragments."""

MESSAGE_MAX: Final = 1024 * 1024
"""Bytes of a message. A longer one is refused at `broadcast`, with this number; one from the network is malformed."""

FRAGMENT_SIZE: Final = 1172
"""Bytes of every fragment but a message's last: what a datagram has room for. Another size is malformed."""

FRAGMENTS_MAX: Final = 32
"""Fragments of every block but a message's last. More hashes, or a place beyond the block, are malformed."""

BLOCKS_MAX: Final = -(-MESSAGE_MAX // (FRAGMENT_SIZE * FRAGMENTS_MAX))
"""Blocks of a message: 28. More are malformed."""

PLACES_MAX: Final = 256
"""Places of a block, fragments and parity together: what the code has. Parity begins anew at the first place for it."""

ASSEMBLY_MAX: Final = 4 * 1024 * 1024
"""Bytes of incomplete messages in a node's memory: nobody may fill it by beginning what never ends. Beyond, a message
that no signature vouches for yet, then the newest of the least urgent lane, gives up its fragments and fetches them
again; where it is that message itself, the fragment is refused."""

BIG_AHEAD_MAX: Final = 64
"""Numbers beyond the mark within which a node takes a message in blocks: at most 64 MiB wait in the journal for what
lacks before them. Beyond, it is dropped and repaired later."""

TRANSFERS_MAX: Final = 8
"""Messages in blocks that the master holds in memory to send or repair. Beyond, fetches of others are dropped; nodes
ask again."""

FETCHED_MAX: Final = 4096
"""Pieces of messages in blocks that the master sends again for one node at once, and in a second: CATCH_UP_BYTES are
3692. One that asks without end never gets more than half of the rate for long. Beyond, what it asks for is dropped and
counted; it asks again."""

NAME_MAX: Final = 63
"""Bytes of a host's or group's name (a DNS label's length). A longer one is refused as undecodable."""

ADDRESSES_MAX: Final = 8
"""Answer addresses in a beacon. The master lists the first eight."""

LANES_MAX: Final = 4
"""Lanes in a beacon, welcome or report: two today. More are undecodable."""

RANGES_MAX: Final = 48
"""Ranges in a repair request. Further gaps wait for the next request."""

REQUEST_MESSAGES_MAX: Final = 256
"""Messages that one request may ask for: a forged or broken node cannot make the master repeat its whole store."""

EXTRAS_MAX: Final = 24
"""Messages beyond the mark that one report lists. The rest is listed once the mark has moved."""

OUTCOMES_MAX: Final = 32
"""Outcomes of single messages that one report lists. The rest is listed once the master has these."""

RESULTS_MAX: Final = 24
"""Results of handlers of earlier terms that one report lists beside nothing else; three for every four outcomes that it
has room for. The rest is listed once the master has these."""

HANDLED_KEPT_MAX: Final = 4096
"""Results of handlers that a node keeps until the master has heard them. Beyond, the oldest are dropped: of those
messages the master then knows that they were delivered."""

SKIP_MAX: Final = 1 << 24
"""Numbers that one skip covers. More take a second one."""

SKIPS_HELD_MAX: Final = 64
"""Skips of a lane that a node holds until what lies before them is there. Beyond, they are dropped, and asked for
again."""

SKIPS_PER_REQUEST: Final = 32
"""Skips that answer one request. The rest is asked for again."""

HEARD_MAX: Final = 64
"""Reports that one HEARD names. More take a second datagram."""

SELECTOR_MAX: Final = 255
"""Bytes of a selector: its count is one byte. A longer one is refused at `broadcast`."""

SELECTOR_TESTS_MAX: Final = 16
"""Tests in a selector, as many as a node has tags. More are refused at `broadcast`; a node refuses the message."""

PATTERN_DEPTH_MAX: Final = 8
"""Groups inside one another in a pattern: its reader descends so deep. More are refused as a longer selector is."""

TAGS_MAX: Final = 16
"""Tags in a hello. More are undecodable."""

TAGS_SIZE_MAX: Final = 369
"""Bytes of all tags in a hello, two more for each: what its size leaves. More are refused when noded starts."""

SOLICIT_BITS_MAX: Final = 4096
"""Nodes that one solicitation addresses: 512 bytes of bitmap. More take a second datagram."""

COUNTER_WINDOW: Final = 1024
"""Counters behind the newest that are still told apart as new or replayed. Older ones count as replayed."""

HELD_MAX: Final = 1024
"""Messages that a node's lane journals ahead of a gap. Beyond, they are dropped and repaired later."""

STRANGERS_PER_SECOND: Final = 20
"""Signature checks or key agreements a second for datagrams that no known key vouches for. Beyond, they are dropped:
a flood of garbage costs 20 checks a second and no more."""

WAITING_MAX: Final = 1000
"""Nodes that wait for approval in a closed group. Beyond, first-use hellos are dropped."""

WAITING_PER_SECOND: Final = 5
"""New waiting nodes a second. Beyond, their hellos are dropped; they ask again."""

REPAIRS_MAX: Final = 1024
"""Distinct messages gathered for repetition at once. Beyond, requests are dropped; nodes ask again."""

REQUESTED_PER_SECOND: Final = 4096
"""Messages that one node may ask for in a second, sixteen of the longest requests: one that asks without end costs the
others nothing. Beyond, its requests are dropped and counted; it asks again."""

REPAIRS_PER_ROUND: Final = 64
"""Datagrams repeated in one gathering round, so that repair leaves room for new messages. The rest waits a round."""

HELLO_SIZE: Final = 640
"""Bytes of every hello, padded: no asker gets an answer longer than its question."""

CATCH_UP_LAG: Final = 256
"""Numbers that a node lacks before it asks for them over TCP. Fewer are repaired by UDP, where all share an answer."""

CATCH_UP_BYTES: Final = 4 * 1024 * 1024
"""Bytes that a node lacks of messages in blocks whose MESSAGE it has, before it asks for them over TCP. Fewer are
fetched by UDP: so what is being sent now, a message of each lane at a time, never is."""

CATCH_UP_CLIENTS: Final = 64
"""Connections for catch-up at a time. Beyond, the master closes at once; the node comes again later."""

CATCH_UP_STRANGERS: Final = 16
"""Connections that have not yet said who they are. Beyond, the master closes at once."""

CATCH_UP_CHUNK: Final = 65536
"""Bytes that a master puts into, and a node takes from, a connection before it looks whether the other side follows."""

RENEW_SIZE: Final = 256
"""Bytes of every request for a group key, padded: the answer is never longer."""

RENEWALS_PER_SECOND: Final = 1000
"""Answers in a second to members that lack a group key, each a few key agreements. Beyond, requests are dropped; the
nodes ask again."""

KEY_DATAGRAMS_MAX: Final = 1 << 31
"""Datagrams sealed with one group key; then the master announces another. Random nonces of 96 bits would meet by chance
(2^-33) at 2^32."""
QUESTION_BODY_MAX: Final = 512
"""Bytes that a question hands to its handlers. A longer one is refused at `query`, with this number."""

QUESTIONS_MAX: Final = 16
"""Questions that a master has open. Beyond, `query` and `ping` are refused; each open one holds its nodes' parts."""

QUESTIONS_HELD: Final = 32
"""Questions that a node remembers with their answers. Beyond, the oldest is forgotten and not answered again."""

ANSWER_PART_MAX: Final = 1024
"""Bytes of output in one datagram of an answer."""

ANSWER_PARTS_MAX: Final = 16
"""Datagrams of one answer. A longer output is cut at the node, and the answer says so."""

TALLIES_PER_SECOND: Final = 200
"""Answers of nodes that a listening master opens a second, at half a millisecond each. The rest is not heard."""

TELLERS_MAX: Final = 16384
"""Nodes of which a master keeps what they have told it of lanes: more than a group has. Others are not kept."""

TERM_CLAIM_MAX: Final = 1000
"""Terms by which what nodes claim can raise the next one: so no node can use the terms up. Beyond, the claim is cut."""

NUMBER_CLAIM_MAX: Final = 1 << 40
"""Numbers of a lane beyond the store's last by which what nodes claim can lengthen a gap at a take-over: what they log
stays a number that a journal can hold. Beyond, the claim is cut."""

NEIGHBOURS_MAX: Final = 16
"""Masters of other groups that are counted. Beyond, they are not counted."""

RECEIPTS_WAITING_MAX: Final = 1 << 17
"""Receipts that a master holds in memory while its store refuses them, as on a full disk: some 20 MB. Beyond, reports
are not looked at: nodes repeat them, and each says all again. Status says how many."""

SINGLES_MAX: Final = 64
"""Nodes that are served one by one because no shared carrier reaches them: each costs a datagram for every one that all
get. Beyond, they are repaired as they ask; status says how many."""
