# What a capture consists of: records of a pcap file, blocks of a pcapng file, a ring's block.
#
# Python reads what comes once (headers, interfaces); these loops read what comes a million times. Those of files are a
# scout's: each returns where it stopped: the end, a record that is not whole or finds no place any more, or a pcapng
# block that is not a packet.

cdef inline bint full(Kernel self) noexcept nogil:
    """Whether lines or deliveries are to be taken before the walk goes on."""
    return (
        self.logs[CONN_LOG].written >= OUT_FULL or self.logs[TUNNEL_LOG].written >= OUT_FULL
        or self.logs[WEIRD_LOG].written >= OUT_FULL or self.post_at >= POST_SIZE // 2
    )

cdef inline uint32_t ordered(Scout self, const uint8_t* b) noexcept nogil:
    """32 bits in the file's byte order."""
    if self.big:
        return big4(b)
    return b[0] | (<uint32_t>b[1] << 8) | (<uint32_t>b[2] << 16) | (<uint32_t>b[3] << 24)

cdef inline uint32_t word32(Scout self, Py_ssize_t at) except? 0xFFFFFFFFU nogil:
    return ordered(self, span(self, at, 4))

cdef Py_ssize_t pcap_records(Scout self, Py_ssize_t at, Py_ssize_t end, int link, int64_t unit) except -1 nogil:
    cdef const uint8_t* b
    cdef uint32_t have, size
    cdef int64_t time
    while end - at >= 16 and self.count < FOUND_MOST:
        b = span(self, at, 16)
        have, size = ordered(self, b + 8), ordered(self, b + 12)
        if have > RECORD_MOST or have > end - at - 16:
            break
        time = <int64_t>ordered(self, b) * SECOND + <int64_t>ordered(self, b + 4) * unit
        look_at(self, at + 16, have, max(have, size), time, link, 0)
        at += 16 + <Py_ssize_t>have
    return at

cdef Py_ssize_t pcapng_blocks(Scout self, Py_ssize_t at, Py_ssize_t end) except -1 nogil:
    cdef uint32_t kind, size, number, have, wire, base
    cdef uint64_t ticks
    cdef int64_t time
    while end - at >= 12 and self.count < FOUND_MOST:
        kind = word32(self, at)
        size = word32(self, at + 4)
        if size < 12 or size & 3 or size > end - at:
            break
        if kind == 6 or kind == 2:  # enhanced, obsolete
            if size < 32:
                break
            number = word32(self, at + 8)
            if kind == 2:
                number = number >> 16 if self.big else number & 0xFFFF
            ticks = (<uint64_t>word32(self, at + 12) << 32) | word32(self, at + 16)
            have = word32(self, at + 20)
            wire = word32(self, at + 24)
            base = 28
        elif kind == 3:  # simple: no time of its own
            if size < 16:
                break
            number = 0
            ticks = 0
            wire = word32(self, at + 8)
            have = min(wire, size - 16)
            base = 12
        else:
            break
        if number >= self.interface_count or have > size - base - 4:
            break
        if kind == 3:
            if self.interface_snap[0] and have > self.interface_snap[0]:
                have = self.interface_snap[0]
            time = NEVER  # the time of the packet before
        else:
            time = self.interface_offset[number] + in_nanoseconds(ticks, self.interface_resolution[number])
        look_at(self, at + base, have, max(have, wire), time, self.interface_link[number], number)
        at += size
    return at

cdef int look_at(
    Scout self, Py_ssize_t at, uint32_t have, uint32_t wire, int64_t time, int link, uint32_t number
) except -1 nogil:
    """One frame, as far as its own bytes go."""
    cdef Found* f = &self.found[self.count]
    cdef int which = self.interface_filter[number]
    if which >= 0 and not lets_pass(self, self.filters[which], self.filter_sizes[which], at, have, wire):
        return 0
    f.at, f.have, f.wire, f.link = at, have, wire, link
    expect_packet(self, &f.p, at, have, wire, time, number)
    self.left = time == NEVER
    f.fate = BROKEN if self.left else frame(self, link, at, &f.p)
    if self.left:
        f.fate = LEFT
    f.tag = hash_of(self, &f.p) if f.fate == FOLLOWED else 0
    self.count += 1
    return 0

cdef Py_ssize_t ring_block(Kernel self, Py_ssize_t at, Py_ssize_t end, int link, bint loopback) except -1 nogil:
    """A TPACKET_V3 block (linux/if_packet.h), native byte order; returns the number of its packets."""
    cdef uint32_t packets = native(self, at + 12), i, have, wire, status, tag
    cdef Py_ssize_t here = at + native(self, at + 16), following, link_at
    cdef int64_t time
    for i in range(packets):
        if here + 48 + 20 > end:
            break
        following = native(self, here)
        time = <int64_t>native(self, here + 4) * SECOND + native(self, here + 8)
        have = native(self, here + 12)
        wire = native(self, here + 16)
        status = native(self, here + 20)
        tag = native(self, here + 32) & 0xFFF
        link_at = here + self.octets[here + 24] + (<Py_ssize_t>self.octets[here + 25] << 8)
        if link_at + <Py_ssize_t>have > end:
            break
        # sockaddr_ll follows the header at 48: its packet type 4 is outgoing
        if loopback and self.octets[here + 48 + 10] == 4:
            self.copies += 1
        else:
            self.hardware_vlan = tag if status & 0x10 else 0
            self.unchecked = status & 0x08
            one_frame(self, link_at, have, wire, time, link, 0)
        if following == 0:
            break
        here += following
    self.hardware_vlan = 0
    self.unchecked = False
    return packets

cdef inline uint32_t native(Decoder self, Py_ssize_t at) except? 0xFFFFFFFFU nogil:
    """32 bits, little endian: the ring is the machine's own memory (x86-64, arm64)."""
    return (
        self.octets[at] | (<uint32_t>self.octets[at + 1] << 8)
        | (<uint32_t>self.octets[at + 2] << 16) | (<uint32_t>self.octets[at + 3] << 24)
    )

cdef inline int expect_packet(
    Decoder self, Packet* p, Py_ssize_t at, Py_ssize_t have, Py_ssize_t wire, int64_t time, uint32_t number
) noexcept nogil:
    """Before a frame is decoded: where it ends, and what is known about it beside its bytes."""
    p.time = time
    p.interface = number
    p.vlan = self.hardware_vlan
    p.inner_vlan = 0
    p.has_macs = False
    self.limit = at + have
    self.reach = at + wire
    self.depth = 0
    return 0

cdef inline int arrive(Kernel self, Py_ssize_t wire, int64_t time) noexcept nogil:
    """A frame is counted, and time goes on to it."""
    self.received += 1
    self.received_bytes += wire
    if time > self.now:
        self.now = time
        if time // self.tick > self.turned:
            turn_wheel(self)
    return 0

cdef inline int count_fate(Kernel self, int fate) noexcept nogil:
    if fate == FOLLOWED:
        self.analysed += 1
    elif fate == NOT_IP:
        self.not_ip += 1
    else:
        self.broken += 1
    return 0

cdef int one_frame(
    Kernel self, Py_ssize_t at, Py_ssize_t have, Py_ssize_t wire, int64_t time, int link, uint32_t number
) except -1 nogil:
    cdef Packet p
    cdef int fate, checksums = self.checksums
    arrive(self, wire, time)
    expect_packet(self, &p, at, have, wire, time, number)
    if self.unchecked:
        self.checksums = IGNORE_BAD  # sent by this machine: the card fills them in later
    fate = frame(self, link, at, &p)
    self.checksums = checksums
    return count_fate(self, fate)

cdef uint32_t follow_found(Kernel self, Found* found, uint32_t i, uint32_t count) except? NOWHERE nogil:
    """Follow what a scout found, from the `i`th on, until lines are to be taken; the number of the next one.

    With a million conversations every packet waits for memory twice: for its place in the index, then for its
    conversation. Both are asked for while the packets before are still followed.
    """
    cdef Found* f
    cdef int64_t time
    cdef int fate
    while i < count and not full(self):
        if i + AHEAD < count:
            fetch_ahead(&self.cells[found[i + AHEAD].tag & self.mask])
            expect(self, found[i + AHEAD // 2].tag)
        f = &found[i]
        i += 1
        time = self.now if f.p.time == NEVER else f.p.time
        fate = f.fate
        arrive(self, f.wire, time)
        if fate == LEFT:
            expect_packet(self, &f.p, f.at, f.have, f.wire, time, f.p.interface)
            fate = frame(self, f.link, f.at, &f.p)
        elif fate == FOLLOWED:
            self.limit, self.reach, self.depth = f.at + f.have, f.at + f.wire, 0
            fate = take_in(self, &f.p, f.tag)
        count_fate(self, fate)
    return i
