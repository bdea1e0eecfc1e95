# Verdicts over a conversation: its state in Zeek's words, its bytes, whether an address is local. Pure functions.

cdef const char* HEX = b"0123456789abcdef"

cdef inline bint power_of_ten(uint32_t count) noexcept nogil:
    return (
        count == 1 or count == 10 or count == 100 or count == 1000 or count == 10000 or count == 100000
        or count == 1000000 or count == 10000000 or count == 100000000 or count == 1000000000
    )

cdef inline uint16_t folded(uint32_t place) noexcept nogil:
    """Of two places that differ, one in 65,536 looks like the other; neighbours never do (Fibonacci hashing)."""
    return <uint16_t>(place * <uint32_t>2654435769 >> 16)

cdef inline void set_flag(uint16_t* flags, uint16_t bit, bint on) noexcept nogil:
    flags[0] = flags[0] | bit if on else flags[0] & ~bit

cdef inline bint any_octet(const uint8_t* mac) noexcept nogil:
    return (mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]) != 0

cdef inline void enter(Endpoint* e, uint8_t state) noexcept nogil:
    if e.state != state:
        e.flags = (e.flags & ((1 << BEFORE_AT) - 1)) | (e.state << BEFORE_AT)
        e.state = state

cdef inline uint8_t before(const Endpoint* e) noexcept nogil:
    return e.flags >> BEFORE_AT

cdef inline uint32_t as_offset(int64_t nanoseconds) noexcept nogil:
    """A time since the start in 32 bits: microseconds below half an hour, then milliseconds; never 0."""
    cdef uint64_t micro = <uint64_t>nanoseconds // 1000 if nanoseconds > 0 else 0
    if micro < 0x7FFFFFFF:
        return <uint32_t>micro + 1
    micro //= 1000
    return 0x80000000U | <uint32_t>(micro if micro < 0x7FFFFFFF else 0x7FFFFFFF)

cdef inline int64_t from_offset(uint32_t offset) noexcept nogil:
    """In nanoseconds."""
    if offset & 0x80000000U:
        return <int64_t>(offset & 0x7FFFFFFF) * 1000000
    return <int64_t>(offset - 1) * 1000

cdef inline bint established(const Conversation* c) noexcept nogil:
    """The handshake is over at one end at least: the long time-out holds."""
    return c.orig.state >= PARTIAL or c.resp.state >= PARTIAL

cdef inline bint clean(const Endpoint* e) noexcept nogil:
    """Gaps are believed only between ends that are established, or closed after they were."""
    return e.state == ESTABLISHED or (e.state == CLOSED and before(e) == ESTABLISHED)

cdef inline bint active(const Endpoint* e) noexcept nogil:
    """Something of it was seen and it did not close."""
    return e.state != INACTIVE and not e.flags & DID_CLOSE

cdef inline bint between(uint32_t seq, uint32_t low, uint32_t high) noexcept nogil:
    """In the circle of sequence numbers, both ends included."""
    return <int32_t>(seq - low) >= 0 and <int32_t>(high - seq) >= 0

cdef inline uint64_t whole_seq(uint32_t seq, uint16_t wraps) noexcept nogil:
    return (<uint64_t>wraps << 32) + seq

cdef inline void raise_last(Endpoint* e, uint32_t seq) noexcept nogil:
    if seq < e.last_seq:
        e.seq_wraps += 1
    e.last_seq = seq

cdef inline void note_ack(Endpoint* e, uint32_t ack) noexcept nogil:
    """The highest acknowledgement; an ack of 0 far ahead is taken for a broken one."""
    cdef int32_t advance = <int32_t>(ack - e.ack_seq)
    if advance <= 0 or (ack == 0 and advance > OVERLAP):
        return
    if ack < e.ack_seq:
        e.ack_wraps += 1
    e.ack_seq = ack

cdef inline int64_t from_start(
    const Endpoint* e, uint32_t seq, uint32_t last, uint16_t wraps, bint* underflow
) noexcept nogil:
    """`seq` counted from the SYN, given the last number seen and its wraps."""
    cdef int32_t advance = <int32_t>(seq - last)
    cdef int32_t relative
    if advance < 0 and wraps and seq > last:
        wraps -= 1
    elif advance > 0 and seq < last:
        wraps += 1
    if wraps == 0:
        relative = <int32_t>(seq - e.start_seq)
        underflow[0] = relative < 0
        return relative
    return <int64_t>whole_seq(seq, wraps) - <int64_t>e.start_seq

cdef uint64_t end_bytes(const Conversation* c, const Endpoint* e, const Endpoint* o) noexcept nogil:
    """Payload bytes: as seen, for TCP from sequence numbers without SYN and FIN."""
    cdef uint64_t last, acked, size
    if c.protocol != TCP:
        return e.bytes
    if (
        before(e) == SYN_SENT and e.state == RESET and o.state == INACTIVE
        and e.ack_seq != e.start_seq and e.ack_seq != e.start_seq + 1
    ):
        return 0  # a half-open connection found and aborted: its numbers mean nothing
    last = whole_seq(e.last_seq, e.seq_wraps)
    acked = whole_seq(e.ack_seq, e.ack_wraps)
    size = (last if last > acked else acked) - e.start_seq
    if size:
        size -= 1
    if e.flags & SENT_FIN and size:
        size -= 1
    return size

cdef const char* conn_state(const Conversation* c) noexcept nogil:
    cdef uint8_t o = c.orig.state, r = c.resp.state
    cdef bint o_silent = o == INACTIVE or o == PARTIAL, r_silent = r == INACTIVE or r == PARTIAL
    if c.protocol == UDP:
        if c.orig.flags & FIRST_SEEN:
            return b"SF" if c.resp.flags & FIRST_SEEN else b"S0"
        return b"SHR" if c.resp.flags & FIRST_SEEN else b"OTH"
    if c.protocol != TCP:
        return b"OTH"
    if r == RESET:
        if o == SYN_SENT or o == SYN_ACK_SENT:
            return b"REJ"
        if o == RESET and end_bytes(c, &c.orig, &c.resp) == 0 and end_bytes(c, &c.resp, &c.orig) == 0:
            return b"REJ"
        return b"RSTRH" if o_silent else b"RSTR"
    if o == RESET:
        if r_silent:
            return b"RSTOS0" if syn_then_reset(c) else b"OTH"
        return b"RSTO"
    if o == CLOSED and r == CLOSED:
        return b"SF"
    if o == CLOSED:
        return b"SH" if r_silent else b"S2"
    if r == CLOSED:
        return b"SHR" if o_silent else b"S3"
    if o == SYN_SENT and r == INACTIVE:
        return b"S0"
    if o == ESTABLISHED and r == ESTABLISHED:
        return b"S1"
    return b"OTH"

cdef bint syn_then_reset(const Conversation* c) noexcept nogil:
    """The history begins with the originator's SYN and goes on to its reset with no other sign of life of it."""
    cdef int i = 1 if c.history_length and c.history[0] == c"^" else 0
    cdef char code
    if i >= c.history_length or c.history[i] != c"S":
        return False
    for i in range(i + 1, c.history_length):
        code = c.history[i]
        if code == c"R":
            return True
        if code == c"H" or code == c"A" or code == c"F" or code == c"G" or code == c"I" or code == c"Q":
            return False
    return False

cdef const char* proto_name(uint8_t protocol) noexcept nogil:
    if protocol == TCP:
        return b"tcp"
    if protocol == UDP:
        return b"udp"
    if protocol == ICMP or protocol == ICMP6:
        return b"icmp"
    return b"unknown_transport"

cdef const char* service_name(uint8_t service) noexcept nogil:
    if service == NETCRIER:
        return b"netcrier"
    if service == VXLAN:
        return b"vxlan"
    if service == GENEVE:
        return b"geneve"
    if service == GTPV1:
        return b"gtpv1"
    if service == TEREDO:
        return b"teredo"
    return b"ayiya"

cdef bint is_local(uint64_t hi, uint64_t lo) noexcept nogil:
    """The networks that Zeek takes for local: private, link-local, loopback and shared ones (RFC 6890)."""
    cdef uint32_t a
    if hi == 0 and lo >> 32 == 0xFFFF:
        a = <uint32_t>lo
        return (
            a >> 24 == 10 or a >> 24 == 127 or a >> 24 == 0 or a >> 20 == 0xAC1 or a >> 16 == 0xC0A8
            or a >> 16 == 0xA9FE or a >> 22 == 0x191 or a >> 17 == 0x6309 or a >> 28 == 15 or a >> 8 == 0xC00000
            or a >> 8 == 0xC00002 or a >> 8 == 0xC63364 or a >> 8 == 0xCB0071
        )
    return (hi == 0 and lo <= 1) or hi >> 54 == 0x3FA or hi >> 57 == 0x7E
