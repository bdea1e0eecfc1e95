# cython: language_level=3, boundscheck=True, wraparound=False, initializedcheck=False, cdivision=True
# cython: nonecheck=False, embedsignature=False
"""The engine: packets in, conn lines out, without the GIL.

A Kernel owns one flow table and is used by one thread at a time. A Scout goes ahead of it through a capture file, in
another thread if there is one, and decodes what stands by itself. Both read packet bytes only through typed
memoryviews with their bounds checked. The nouns are in the files it includes: decode, ip and transport (bytes to
Packet), tunnel, gre and udp_tunnel, fragments, follow and table (conversations), tcp with window and storms, sequence, line, choice, files, scout.
Left out: application protocols, which read the streams that the table will hand out.
"""

import mmap

cimport cython
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memset, strlen

include "shapes.pxi"
include "oddities.pxi"
include "memory.pxi"
include "sha1.pxi"
include "digest.pxi"
include "verdict.pxi"

cdef enum:
    BUCKETS = 2048                  # of the wheel, for each worth
    PIECES = 65536                  # ranges above holes, in all conversations
    SIDES_LEAST = 4096              # of all conversations, whatever the table's size
    SAID = 65536                    # oddities that are remembered, so that they are not said again
    SAID_RUN = 8                    # places of one key
    PAIRS = 4096                    # tunnels between two addresses that are known at one time
    PAIR_RUN = 16
    PAIR_IDLE = 86400               # seconds without a packet until a pair of addresses is a new tunnel
    TUNNEL_IDLE = 3600              # seconds without a new conversation inside until a tunnel is expired
    FRAGMENT_LEAST = 64             # a smaller fragment but the last is odd
    FRAGMENT_MOST = 64000           # a longer datagram is odd
    DATAGRAMS = 64                  # put together from fragments at one time
    DATAGRAMS_DEEP = 16             # put together from fragments inside one another
    PARTS = 64                      # ranges of one datagram
    FRAGMENT_HEADER = 512           # room for the header before a datagram's payload
    FRAGMENT_ROOM = 66048           # FRAGMENT_HEADER + 65535, rounded up
    LINE_MOST = 4096                # the longest line but for its history
    OUT_FULL = 262144               # lines to hand over before the walk goes on
    RECORD_MOST = 262144            # a longer pcap record is taken for a broken file (tcpdump's limit)
    AHEAD = 8                       # packets whose place in memory is asked for before their turn
    FOUND_MOST = 8192               # packets that a scout finds before a kernel follows them
    POST_SIZE = 4194304             # deliveries that were not taken yet
    BLOCK = 1024                    # bytes of a piece of held data
    BLOCKS_OF_STREAM = 256          # pieces that one conversation may hold
    INTERFACES = 256                # of one pcapng section
    FILTERS = 16                    # link types of one capture for which a packet filter is compiled
    FILTER_MOST = 4096              # instructions of one
    HELD_MOST = 65536               # conversations that are shown at a time

ctypedef struct Datagram:
    int64_t begun
    uint64_t src_hi
    uint64_t src_lo
    uint64_t dst_hi
    uint64_t dst_lo
    Py_ssize_t header
    Py_ssize_t total
    uint32_t ident
    int parts
    uint32_t[PARTS + 1] start
    uint32_t[PARTS + 1] end
    uint32_t packets        # fragments that were taken in
    uint8_t protocol
    uint8_t version
    bint used

cdef extern from *:
    """
    #ifndef NETCRIER_SOURCE_HASH
    #define NETCRIER_SOURCE_HASH "unknown"
    #endif
    """
    const char* NETCRIER_SOURCE_HASH

LOG_NAMES = ("conn", "tunnel", "weird")
SOURCE_HASH = NETCRIER_SOURCE_HASH.decode()
CONVERSATION_SIZE = sizeof(Conversation)

cdef inline int64_t in_nanoseconds(uint64_t ticks, uint64_t resolution) noexcept nogil:
    """`resolution` ticks a second, up to 10^18 (no more than fits): whole seconds first, so nothing overflows."""
    cdef uint64_t seconds = ticks // resolution, rest = ticks % resolution
    if resolution > 1000000000:
        return <int64_t>(seconds * 1000000000 + rest // (resolution // 1000000000))
    return <int64_t>(seconds * 1000000000 + rest * 1000000000 // resolution)


include "scout.pxi"


@cython.final
cdef class Kernel(Decoder):
    cdef const uint8_t[::1] other_octets
    cdef uint8_t[::1] store
    cdef uint8_t[::1] post_view
    cdef uint8_t[::1] kept_view
    cdef uint8_t* posted
    cdef uint8_t* kept
    cdef Block* blocks
    cdef Conversation* slab
    cdef Cell* cells
    cdef uint32_t* buckets
    cdef Piece* pieces
    cdef Side* sides
    cdef Pair* pairs
    cdef Said* said
    cdef Lines[LOGS] logs
    cdef bint[LOGS] wants
    cdef Level[TUNNELS_DEEP] levels
    cdef Oddity[ODDS] oddities
    cdef Datagram* datagrams
    cdef uint8_t* server_tcp
    cdef uint8_t* server_udp
    cdef char[64] interface
    cdef uint64_t serial
    cdef uint32_t mask, used, most, touched, free_slots, free_pieces, free_blocks, free_sides, sides_touched, sides_most
    cdef int64_t[WORTHS] earliest
    cdef int64_t now, turned, tick, attempt, linger, half_close, short_idle, tcp_idle, icmp_idle, fragment_idle
    cdef int64_t interim
    cdef Py_ssize_t post_at
    cdef int deepest, reassembled
    cdef bint iso, streaming, unchecked
    cdef uint64_t received, received_bytes, analysed, not_ip, broken, copies
    cdef uint64_t begun, ended, evicted, too_deep, pieces_lost, letters_lost, sides_lost, datagrams_lost
    cdef uint64_t streams_lost, stream_bytes_lost, ends_lost, over_budget

    def __cinit__(
        self, *, bytes seed, int checksums=0, uint32_t most=1000000, tuple logs=LOG_NAMES, bytes interface=b"",
        bint iso=False, int interim=0, uint32_t streams=0, int tunnel_depth=4, tcp_ports=(), udp_ports=(),
    ):
        cdef uint32_t i
        cdef int port
        if len(seed) != 24 or not 0 < most < 0x40000000 or not 0 <= checksums <= 2 or len(interface) > 63:
            raise ValueError("seed of 24 bytes, most of 1 to 2**30, checksums of 0 to 2, interface of 63 bytes")
        if not 0 <= tunnel_depth <= TUNNELS_DEEP:
            raise ValueError("tunnel_depth of 0 to 16")
        self.deepest = tunnel_depth
        self.seed_a = int.from_bytes(seed[:8], "little") | 1
        self.seed_b = int.from_bytes(seed[8:16], "little")
        self.seed_c = int.from_bytes(seed[16:], "little")
        self.most = most
        self.checksums = checksums
        for i in range(LOGS):
            self.wants[i] = LOG_NAMES[i] in logs
        self.iso = iso
        self.interim = interim * SECOND
        if streams:
            self._follow_streams(streams)
        memset(self.interface, 0, 64)
        memcpy(self.interface, <const char*>interface, len(interface))
        self.tick = SECOND // 4
        self.attempt = self.linger = 5 * SECOND
        self.half_close = 3 * SECOND
        self.short_idle = self.icmp_idle = 60 * SECOND
        self.tcp_idle = self.fragment_idle = 300 * SECOND
        self.mask = 4095
        self.sides_most = SIDES_LEAST + most // 2
        self.slab = <Conversation*>wide_pages(<size_t>most * sizeof(Conversation))
        self.cells = <Cell*>wide_pages((self.mask + 1) * sizeof(Cell))
        self.buckets = <uint32_t*>malloc(WORTHS * BUCKETS * sizeof(uint32_t))
        self.pieces = <Piece*>calloc(PIECES, sizeof(Piece))
        self.sides = <Side*>calloc(self.sides_most, sizeof(Side))
        self.pairs = <Pair*>calloc(PAIRS, sizeof(Pair))
        self.said = <Said*>calloc(SAID, sizeof(Said))
        self.datagrams = <Datagram*>calloc(DATAGRAMS, sizeof(Datagram))
        self.server_tcp = <uint8_t*>calloc(65536, 1)
        self.server_udp = <uint8_t*>calloc(65536, 1)
        for i in range(LOGS):
            self.logs[i].size = OUT_FULL + 4 * LINE_MOST if i == CONN_LOG else 4 * LINE_MOST
            self.logs[i].data = <char*>malloc(self.logs[i].size)
        if (
            self.slab == NULL or self.cells == NULL or self.buckets == NULL or self.pieces == NULL
            or self.sides == NULL or self.pairs == NULL or self.said == NULL or self.datagrams == NULL
            or self.server_tcp == NULL or self.server_udp == NULL
            or self.logs[CONN_LOG].data == NULL or self.logs[TUNNEL_LOG].data == NULL or self.logs[WEIRD_LOG].data == NULL
        ):
            raise MemoryError
        memset(self.cells, 0xFF, (self.mask + 1) * sizeof(Cell))
        memset(self.buckets, 0xFF, WORTHS * BUCKETS * sizeof(uint32_t))
        for i in range(PIECES):
            self.pieces[i].next = i + 1 if i + 1 < PIECES else NOWHERE
        self.free_slots = self.free_sides = NOWHERE
        for which, name, source, scope in ODDITIES:
            self.oddities[which].name = name
            self.oddities[which].source = source
            self.oddities[which].scope = scope
            self.oddities[which].same = next(row[0] for row in ODDITIES if row[1] == name)
        store = mmap.mmap(-1, DATAGRAMS * FRAGMENT_ROOM, mmap.MAP_PRIVATE)  # its pages are there when fragments come
        self.store = store
        self.other_octets = store
        for i in range(WORTHS):
            self.earliest[i] = 0x7FFFFFFFFFFFFFFFULL
        for port in tcp_ports:
            self.server_tcp[port & 0xFFFF] = 1
        for port in udp_ports:
            self.server_udp[port & 0xFFFF] = 1

    def __dealloc__(self):
        cdef int i
        free(self.slab)
        free(self.cells)
        free(self.buckets)
        free(self.pieces)
        free(self.sides)
        free(self.pairs)
        free(self.blocks)
        free(self.said)
        free(self.datagrams)
        free(self.server_tcp)
        free(self.server_udp)
        for i in range(LOGS):
            free(self.logs[i].data)

    def _follow_streams(self, uint32_t budget):
        """Deliver what conversations say; `budget` bytes for what comes too early, of all of them."""
        cdef uint32_t i, count = budget // BLOCK + 1
        self.post_view = bytearray(POST_SIZE)
        self.kept_view = bytearray(count * BLOCK)
        self.posted = &self.post_view[0]
        self.kept = &self.kept_view[0]
        self.blocks = <Block*>calloc(count, sizeof(Block))
        if self.blocks == NULL:
            raise MemoryError
        for i in range(count):
            self.blocks[i].next = i + 1 if i + 1 < count else NOWHERE
        self.free_blocks = 0
        self.streaming = True

    def deliveries(self):
        """What streams said since the last call: a Post and its bytes each (shapes.pxi)."""
        cdef bytes taken = self.posted[: self.post_at] if self.streaming else b""
        self.post_at = 0
        return taken

    def answer(self, uint32_t slot, uint32_t serial, int end, *, uint64_t skip=0, bint done=False):
        """A parser's answer for one end: skip so many bytes, or it is done. A conversation that is over: no matter."""
        cdef uint32_t side
        cdef Flow* flow
        if slot >= self.touched or not 0 <= end <= 1 or self.slab[slot].serial != serial or serial == 0:
            return
        side = find_side(self, &self.slab[slot], STREAM)
        if side == NOWHERE:
            return
        flow = <Flow*>self.sides[side].text
        if done:
            stream_over(self, flow, end)
        elif skip < 1 << 62:
            flow.end[end].skip += skip

    def uid(self, uint32_t serial):
        """The uid of a conversation by its serial."""
        cdef char[64] text_
        cdef Lines lines
        lines.data, lines.written = text_, 0
        uid_text(self, &lines, serial)
        return text_[: lines.written].decode()

    def open(self, buffer):
        """Look at these bytes from now on: a ring, a packet. None lets go of them."""
        look_into(self, memoryview(buffer if buffer is not None else b""))

    def follow(self, Portion portion not None):
        """Follow the packets that a scout found in a portion, until lines are to be taken; whether there are more."""
        if portion.followed == 0:
            look_into(self, portion.data)
        with nogil:
            portion.followed = follow_found(self, portion.found, portion.followed, portion.count)
        return portion.followed < portion.count

    def block(self, Py_ssize_t at, Py_ssize_t end, *, int link, bint loopback):
        """Walk a block of the TPACKET_V3 ring; the number of its packets."""
        if not 0 <= at <= end - 48 or end > self.octets.shape[0]:
            raise ValueError("outside of the buffer")
        with nogil:
            at = ring_block(self, at, end, link, loopback)
        return at

    def packet(self, buffer, int64_t time, *, int link=1, wire=None):
        """One frame by itself, at `time` (nanoseconds)."""
        cdef Py_ssize_t length
        self.open(buffer)
        length = self.octets.shape[0] if wire is None else wire
        with nogil:
            one_frame(self, 0, self.octets.shape[0], max(self.octets.shape[0], length), time, link, 0)
        self.open(None)

    def clock(self, int64_t now):
        """Time passes without a packet; it never goes back."""
        with nogil:
            if now > self.now:
                self.now = now
                turn_wheel(self)

    def flush(self, *, bint part=False):
        """Write every conversation that is held, as at the end of a file or of the program.

        With `part`: until lines are to be taken; whether there is more.
        """
        cdef uint32_t i
        with nogil:
            for i in range(WORTHS * BUCKETS):
                while self.buckets[i] != NOWHERE and not (part and full(self)):
                    fetch_after(self, self.buckets[i])
                    finish(self, self.buckets[i])
        return self.used > 0

    def take(self, str log="conn"):
        """The lines of a log of engine.LOGS written since the last call, whole ones."""
        cdef Lines* lines = &self.logs[LOG_NAMES.index(log)]
        cdef bytes taken = lines.data[: lines.written]
        lines.written = 0
        return taken

    def held(
        self, uint32_t most, *, tuple networks=((0, 0, 0, 0),) * 3, int port_low=0, int port_high=65535, int protocol=0,
        int64_t active=0, bint only6=False, bint largest=False,
    ):
        """Lines of up to `most` conversations that go on, as they are now; nothing is ended. And how many the table has
        of them. The newest are given, or the `largest`.

        `networks`: which either end, the originator and the responder is in, each as (address, mask) in halves.
        IPv4 as ::ffff:a.b.c.d, which `only6` leaves out. `protocol` 0 is any. `active` is the time (nanoseconds) that their last packet is not older than.
        """
        cdef Lines* lines = &self.logs[CONN_LOG]
        cdef size_t before = lines.written
        cdef uint64_t written = lines.count
        cdef uint32_t i, count, matching
        cdef Wanted wanted
        cdef Chosen* heap
        if not 0 < most <= HELD_MOST or len(networks) != 3:
            raise ValueError("most of 1 to 65536, three networks")
        for i in range(3):
            wanted.hi[i], wanted.lo[i], wanted.mask_hi[i], wanted.mask_lo[i] = networks[i]
        wanted.port_low, wanted.port_high, wanted.protocol = port_low, port_high, protocol
        wanted.active, wanted.only6, wanted.largest = active, only6, largest
        heap = <Chosen*>malloc(most * sizeof(Chosen))
        if heap == NULL:
            raise MemoryError
        with nogil:
            matching = choose(self, &wanted, heap, most, &count)
            for i in range(count):
                write_line(self, heap[i].slot, False)
        free(heap)
        taken = <bytes>lines.data[before : lines.written]
        lines.written = before
        lines.count = written
        return taken, matching

    def longest_run(self):
        """Places of the index that are taken in a row, at most: what the worst look costs."""
        cdef uint32_t i, run = 0, longest = 0
        for i in range(2 * (self.mask + 1)):
            run = run + 1 if self.cells[i & self.mask].slot != NOWHERE else 0
            longest = max(longest, min(run, self.mask + 1))
        return longest

    @property
    def counters(self):
        """Totals since the start; `received` is the sum of `analysed`, `not_ip`, `over_budget` and `undecodable`."""
        return {
            "received": self.received, "bytes": self.received_bytes, "analysed": self.analysed,
            "not_ip": self.not_ip, "undecodable": self.broken, "copies": self.copies,
            "lines": self.logs[CONN_LOG].count + self.logs[TUNNEL_LOG].count + self.logs[WEIRD_LOG].count,
            "lines_lost": self.logs[CONN_LOG].lost + self.logs[TUNNEL_LOG].lost + self.logs[WEIRD_LOG].lost, "begun": self.begun, "ended": self.ended, "evicted": self.evicted,
            "conversations": self.used, "too_deep": self.too_deep, "pieces_lost": self.pieces_lost,
            "letters_lost": self.letters_lost, "sides_lost": self.sides_lost,
            "streams_lost": self.streams_lost, "stream_bytes_lost": self.stream_bytes_lost,
            "stream_ends_lost": self.ends_lost, "datagrams_lost": self.datagrams_lost, "now": self.now,
            "over_budget": self.over_budget,
        }


include "files.pxi"
include "bpf.pxi"
include "decode.pxi"
include "ip.pxi"
include "transport.pxi"
include "checksum.pxi"
include "tunnel.pxi"
include "gre.pxi"
include "udp_tunnel.pxi"
include "fragments.pxi"
include "follow.pxi"
include "tcp.pxi"
include "window.pxi"
include "storms.pxi"
include "sequence.pxi"
include "table.pxi"
include "sides.pxi"
include "streams.pxi"
include "text.pxi"
include "odd.pxi"
include "choice.pxi"
include "line.pxi"
