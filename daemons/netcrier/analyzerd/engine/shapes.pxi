# What the engine passes around: a decoded packet, a conversation, and the numbers that bound them.
#
# Plain structs without a pointer into packet bytes: past decode.pxi nothing reads a packet.
# Times are nanoseconds since the epoch. Addresses are two 64-bit halves in host order, IPv4 as ::ffff:a.b.c.d.

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef enum:
    # TCP flags of the header's 14th byte.
    FIN = 0x01
    SYN = 0x02
    RST = 0x04
    ACK = 0x10
    URG = 0x20

cdef enum:
    # IP protocol numbers that the engine treats by name.
    ICMP = 1
    IGMP = 2
    IPIP = 4
    TCP = 6
    UDP = 17
    IPV6 = 41
    ROUTING = 43
    FRAGMENT = 44
    GRE = 47
    ESP = 50
    AH = 51
    ICMP6 = 58
    NO_NEXT = 59
    DESTINATION = 60
    SCTP = 132
    MOBILITY = 135

cdef extern from *:
    """
    #define NETCRIER_NOWHERE 0xFFFFFFFFu
    #define NETCRIER_SECOND 1000000000LL
    #define NETCRIER_NEVER 0x7FFFFFFFFFFFFFFFLL
    """
    const uint32_t NOWHERE "NETCRIER_NOWHERE"   # no slot
    const int64_t SECOND "NETCRIER_SECOND"      # in nanoseconds
    const int64_t NEVER "NETCRIER_NEVER"        # a time that does not come

cdef enum Checksums:
    COUNT_BAD = 0    # mark them in the history, analyse the packet
    IGNORE_BAD = 1   # do not look
    DROP_BAD = 2     # mark them, do not analyse the packet

cdef enum EndState:
    # Of one end of a TCP conversation, as Zeek's conn_state needs them.
    INACTIVE = 0
    SYN_SENT = 1
    SYN_ACK_SENT = 2
    PARTIAL = 3
    ESTABLISHED = 4
    CLOSED = 5
    RESET = 6

cdef enum:
    # Endpoint.marks: history letters that were written for this end.
    SEEN_SYN = 0x01
    SEEN_FIN = 0x02
    SEEN_RST = 0x04
    SEEN_DATA = 0x08
    SEEN_ACK = 0x10
    SEEN_FIN_RST = 0x20
    SEEN_MULTI = 0x40
    SEEN_LIMIT = 0x80     # of the originator only: an analysis gave up ("X")

cdef enum:
    # Endpoint.flags
    DID_CLOSE = 0x01      # this end's close was complete
    DID_EOF = 0x02        # all that this end sent before its close has been accounted for
    SKIPS = 0x04          # its sequence space is no longer followed (a budget was used up)
    SENT_FIN = 0x08
    FIRST_SEEN = 0x10     # a packet of this end, with a good checksum, was processed
    BEFORE_AT = 5         # from this bit on: the state before the present one

cdef enum:
    # Endpoint.window
    SCALE = 0x0F
    EDGE_KNOWN = 0x10

cdef enum:
    # Conversation.flags
    PARTIAL_START = 0x01  # TCP: the beginning was not seen
    CLOSE_DEFERRED = 0x02 # a close waits for data that is still missing
    CLOSING = 0x04        # `ends` holds the time at which the record is written
    ONE_WAY = 0x08        # ICMP kinds without a counterpart: never paired
    IS_V6 = 0x10
    NO_TUNNEL = 0x20      # it only looked like a tunnel: not tried again
    HALF_CLOSING = 0x40   # as CLOSING, for the first close by an end of which nothing else was seen
    ODD = 0x80            # something of it stands in weird.log
    SYN_AGAIN = 0x100     # SYN or SYN-ACK were repeated: round trips cannot be told
    HAD_PARTIAL = 0x200   # a partial record was written
    NO_PARTIAL = 0x400    # there was no room to remember one
    CARRIES = 0x800       # it is a tunnel and its discovery was logged
    NO_STREAM = 0x1000    # there was no room to follow what it says

cdef enum Worth:
    # What is evicted first at the table's limit. A conversation stands in the wheel of its worth.
    ATTEMPT = 0
    ENDED = 1
    ONE_SIDED = 2
    KEPT = 3
    WORTHS = 4

cdef enum Service:
    NO_SERVICE = 0
    NETCRIER = 1
    VXLAN = 2
    GENEVE = 3
    GTPV1 = 4
    TEREDO = 5
    AYIYA = 6

cdef enum TunnelKind:
    IP_TUNNEL = 1
    AYIYA_TUNNEL = 2
    TEREDO_TUNNEL = 3
    GTP_TUNNEL = 4
    GRE_TUNNEL = 5
    VXLAN_TUNNEL = 6
    GENEVE_TUNNEL = 7

cdef enum:
    # Which log: an index of Kernel.logs.
    CONN_LOG = 0
    TUNNEL_LOG = 1
    WEIRD_LOG = 2
    LOGS = 3

cdef enum:
    # Packet.looks
    LIKE_OURS = 1        # of Netcrier itself
    LIKE_TEREDO = 2
    LIKE_AYIYA = 4

cdef enum Shape:
    # What a tunnel carries.
    IP_SHAPE = 0
    ETHERNET_SHAPE = 1
    WIRELESS_SHAPE = 2
    TYPE_SHAPE = 3       # by an Ethernet type

cdef enum Fate:
    # What became of a packet, or of one layer of it.
    FOLLOWED = 1     # it belongs to a conversation, or to a datagram whose fragments are still coming
    NOT_IP = 2       # ARP and the like, or an IP packet that has no conversation (encrypted, no next header)
    BROKEN = 3       # cut short, or not what it claims to be
    LEFT = 4         # by a scout: only a kernel can say

cdef enum:
    HISTORY_ROOM = 13                # letters in the struct itself; more go into sides
    SIDE_ROOM = 56                   # bytes in a side
    TUNNELS_DEEP = 16                # layers of tunnels that may be followed in one packet
    LAYERS = 16                      # link layers followed in one packet: a loop of tags ends here
    OVERLAP = 1048576                # a jump in TCP sequence numbers beyond this is not believed
    BEFORE_ACKS = 16384              # bytes above a hole, without any ack, until the sequence space is not followed
    UNACKED = 10485760               # bytes without a further ack, likewise
    PIECES_OF_END = 1024             # ranges above holes kept for one end


ctypedef struct Packet:
    # 128 bytes.
    int64_t time
    uint64_t src_hi
    uint64_t src_lo
    uint64_t dst_hi
    uint64_t dst_lo
    uint64_t ip_bytes       # total length by the IP header
    int64_t payload         # bytes after the transport header by the IP header (UDP: by its own)
    int64_t captured        # of these, bytes that stand in the capture
    Py_ssize_t body         # where they start in the octets
    Py_ssize_t stop         # where the datagram ends in the octets
    uint32_t seq
    uint32_t ack
    uint32_t interface
    uint16_t src_port
    uint16_t dst_port
    uint16_t window
    uint16_t vlan
    uint16_t inner_vlan
    uint16_t mss
    uint16_t scale          # TCP's window scale option and 1, or 0
    uint8_t protocol
    uint8_t version
    uint8_t flags
    uint8_t ttl
    uint8_t one_way         # from here on truths
    uint8_t bad             # a wrong checksum
    uint8_t headless        # the transport header is not usable: the conversation exists, nothing else is known
    uint8_t whole           # all of the payload was captured
    uint8_t has_macs
    uint8_t looks           # of a datagram, by its content: bits
    uint8_t[6] src_mac
    uint8_t[6] dst_mac

ctypedef struct Found:
    # What a scout found at one record: 152 bytes.
    Packet p                # whole where it is FOLLOWED
    Py_ssize_t at           # where the frame starts in the octets
    uint32_t have           # bytes of it that were captured
    uint32_t wire
    uint32_t tag            # where it is FOLLOWED: the hash of its conversation
    uint16_t link
    uint16_t fate

ctypedef struct Endpoint:
    # 104 bytes; where a counter has fewer than 64 bits it stops at its highest value.
    uint64_t packets
    uint64_t ip_bytes
    uint64_t bytes          # UDP, ICMP: payload seen. TCP: up to where (relative) the data is in order
    uint64_t lost           # bytes of gaps
    uint32_t start_seq
    uint32_t last_seq
    uint32_t ack_seq        # the highest that the peer acknowledged
    uint32_t fin_seq        # relative, one past the FIN, modulo 2**32
    uint32_t edge           # of the window that this end gave the other: it may send up to here
    uint32_t retransmitted  # segments that did not raise last_seq
    uint32_t out_of_order   # of these, ones that filled a hole
    uint32_t dup_acks
    uint32_t pieces         # first of the ranges above a hole, or NOWHERE
    uint32_t rtt            # of the handshake, on this end's side: microseconds and 1, or 0
    uint16_t last_syn       # where its last SYN, FIN and RST stood, folded to 16 bits
    uint16_t last_fin
    uint16_t last_rst
    uint16_t seq_wraps
    uint16_t ack_wraps
    uint16_t zero_windows
    uint16_t gaps
    uint16_t bad_checksums
    uint16_t mss
    uint8_t state
    uint8_t marks
    uint8_t flags
    uint8_t tcp_flags
    uint8_t ttl_min
    uint8_t ttl_max
    uint8_t window          # its scale, and EDGE_KNOWN
    uint8_t spare
    uint8_t[6] mac

ctypedef struct Conversation:
    # 320 bytes.
    uint64_t orig_hi
    uint64_t orig_lo
    uint64_t resp_hi
    uint64_t resp_lo
    int64_t start
    int64_t last
    int64_t ends            # CLOSING: when the record is written whatever comes
    uint32_t serial         # of this engine, its low 32 bits, never 0; the uid is made from it
    uint32_t parent         # serial of the tunnel that it was first seen in, or 0
    uint32_t next           # in its wheel bucket, or in the free list
    uint32_t back
    uint32_t sides          # first of what it keeps beside the slab, or NOWHERE
    uint32_t first_payload  # an offset from `start`
    uint32_t last_payload
    uint16_t bucket
    uint16_t orig_port
    uint16_t resp_port
    uint16_t vlan
    uint16_t inner_vlan
    uint16_t flags
    uint8_t protocol
    uint8_t service
    uint8_t history_length  # letters in `history`
    char[HISTORY_ROOM] history
    Endpoint orig
    Endpoint resp

cdef enum SideKind:
    LETTERS = 0             # a long history goes on here
    PARTIAL_RECORD = 1      # Interim: what the last partial record said
    TUNNEL_USE = 2          # Use: that it is a tunnel
    STREAM = 3              # the number of its stream
    STORM = 4               # Storm: FINs and RSTs that were repeated

ctypedef struct Side:
    # What few conversations need; chained from Conversation.sides, in the order in which it was taken.
    uint32_t next
    uint16_t kind
    uint16_t length
    char[SIDE_ROOM] text

ctypedef struct Interim:
    int64_t time
    uint64_t[2] packets     # originator, responder
    uint64_t[2] ip_bytes
    uint64_t[2] bytes

ctypedef struct Storm:
    int64_t[2] fin          # when the last one came, of originator and responder
    int64_t[2] rst
    uint32_t[2] fins
    uint32_t[2] rsts

ctypedef struct Use:
    int64_t used            # when a conversation inside last began
    uint32_t kind

cdef enum Posted:
    # Kinds of deliveries.
    OPENED = 0              # a stream begins; the ends of its conversation follow
    DATA = 1                # bytes of a TCP stream, in order
    DATAGRAM = 2            # one datagram
    GAP = 3                 # so many bytes are missing; 0: no more is followed of this end
    ENDED_STREAM = 4

ctypedef struct FlowEnd:
    uint64_t edge           # relative number of the next byte to deliver
    uint64_t skip           # so many bytes are not wanted
    uint32_t held           # first block above the edge, or NOWHERE
    bint over

ctypedef struct Flow:
    # The stream of a conversation, in a side: 56 bytes.
    FlowEnd[2] end          # originator, responder
    uint32_t blocks         # held by both

ctypedef struct Block:
    # A piece of held data; its bytes stand at its number times BLOCK.
    uint64_t start
    uint32_t size
    uint32_t next

ctypedef struct Post:
    # A delivery: 40 bytes, native byte order, then `size` bytes, filled up to eight.
    uint32_t size
    uint16_t kind
    uint16_t end            # 0 originator, 1 responder
    uint32_t slot
    uint32_t serial
    int64_t time
    uint64_t number         # DATA: bytes of the stream before; GAP: how many
    uint64_t spare

ctypedef struct Lines:
    # Whole lines of one log, not yet taken.
    char* data
    size_t written
    size_t size
    uint64_t count
    uint64_t lost

ctypedef struct Piece:
    uint64_t start
    uint64_t end
    uint32_t next

ctypedef struct Pair:
    # A tunnel between two addresses.
    uint64_t src_hi
    uint64_t src_lo
    uint64_t dst_hi
    uint64_t dst_lo
    int64_t seen            # its last packet
    int64_t used            # when a conversation inside last began
    uint32_t serial         # 0: free
    uint32_t kind
    bint v6
    bint found              # its discovery was logged and not its end

ctypedef struct Level:
    # A tunnel around the packet that is looked at.
    uint32_t serial
    uint32_t place          # in the pairs, or in the slab: there only as long as the serial is the same
    uint32_t kind
    bint pair

ctypedef struct Said:
    uint64_t key
    int64_t until

ctypedef struct Cell:
    # One place of the open-addressed index.
    uint32_t tag            # the key's hash
    uint32_t slot           # in the slab, or NOWHERE

ctypedef struct Instruction:
    # Of a packet filter: as libpcap and Linux have it.
    uint16_t code
    uint8_t jt
    uint8_t jf
    uint32_t k

ctypedef struct Wanted:
    uint64_t[3] hi          # a network that either end, the originator, the responder is in
    uint64_t[3] lo
    uint64_t[3] mask_hi
    uint64_t[3] mask_lo
    int64_t active          # its last packet is not older
    int port_low            # a port of either end
    int port_high
    int protocol            # 0: any; ICMP: of both versions
    bint only6              # of IPv6: ::/0 is no network of IPv4's
    bint largest            # those with most bytes, not the newest

ctypedef struct Chosen:
    int64_t rank            # its start, or its bytes
    uint32_t slot
