# Fragments: IPv4 (RFC 791) and IPv6 (RFC 8200) datagrams put together, within bounds.
#
# A fixed number of places, each of one datagram's size, in one buffer of ours; the oldest gives way.
# Where fragments overlap, the bytes that came first stay. A datagram in more parts than PARTS is given up.

cdef int take_fragment(
    Kernel self, Packet* p, Py_ssize_t at, Py_ssize_t header, Py_ssize_t body, Py_ssize_t size, Py_ssize_t offset,
    uint32_t field, uint32_t ident, uint8_t protocol,
) except -1 nogil:
    """One fragment; `field` has IPv4's bits: 0x2000 more fragments, 0x4000 do not fragment."""
    cdef Datagram* d
    cdef Py_ssize_t base, i
    cdef int place, fate
    if offset + size > 65535 or header > FRAGMENT_HEADER:
        return BROKEN
    if size == 0 or self.reassembled >= DATAGRAMS_DEEP:
        return BROKEN
    place = find_datagram(self, p, ident, protocol)
    d = &self.datagrams[place]
    base = place * FRAGMENT_ROOM + FRAGMENT_HEADER
    fragment_oddities(self, d, p, header, offset + size, size, field, protocol)
    if not field & 0x2000 or (d.total and offset + size > d.total):
        d.total = max(d.total, offset + size)
    if offset == 0:
        d.header = header
        d.protocol = protocol
        for i in range(header):
            self.store[base - header + i] = self.octets[at + i]
    if not fill(self, p, d, base, offset, body, size):
        d.used = False
        self.datagrams_lost += 1
        give_up(self, d)
        return BROKEN
    d.packets += 1
    if d.total == 0 or d.start[0] != 0 or d.end[0] < d.total:
        return FOLLOWED
    d.version, d.begun = 0, NEVER  # nobody's, and not to be given up, while it is looked at
    fate = whole_datagram(self, p, base, d.header, d.end[0], d.protocol)
    d.used = False
    return fate

cdef int fragment_oddities(
    Kernel self, const Datagram* d, const Packet* p, Py_ssize_t header, Py_ssize_t upper, Py_ssize_t size, uint32_t field,
    uint8_t protocol,
) noexcept nogil:
    cdef bint more = field & 0x2000
    if d.protocol != protocol or (d.header and d.header != header):
        odd_apart(self, FRAGMENT_PROTOCOL, p)
    if field & 0x4000:
        odd_apart(self, FRAGMENT_DF, p)
    if more and header + size + (8 if p.version == 6 else 0) < FRAGMENT_LEAST:
        odd_apart(self, FRAGMENT_SMALL, p)
    if upper > FRAGMENT_MOST:
        odd_apart(self, FRAGMENT_LARGE, p)
    if d.total and (upper > d.total if more else upper != d.total):
        odd_apart(self, FRAGMENT_SIZE, p)
    return 0

cdef inline void give_up(Kernel self, const Datagram* d) noexcept nogil:
    """Its packets had been taken in; now a budget leaves them out."""
    self.analysed -= d.packets
    self.over_budget += d.packets

cdef int find_datagram(Kernel self, Packet* p, uint32_t ident, uint8_t protocol) noexcept nogil:
    """The place of this packet's datagram; a free one or the oldest where there is none."""
    cdef int i, free_place = -1, oldest = 0
    cdef Datagram* d
    for i in range(DATAGRAMS):
        d = &self.datagrams[i]
        if d.used and self.now - d.begun > self.fragment_idle:
            d.used = False
            self.datagrams_lost += 1
        if not d.used:
            if free_place < 0:
                free_place = i
            continue
        if (
            d.ident == ident and d.version == p.version and d.src_lo == p.src_lo and d.dst_lo == p.dst_lo
            and d.src_hi == p.src_hi and d.dst_hi == p.dst_hi
        ):
            return i
        if d.begun < self.datagrams[oldest].begun:
            oldest = i
    if free_place < 0:
        free_place = oldest
        self.datagrams_lost += 1
        give_up(self, &self.datagrams[oldest])
    d = &self.datagrams[free_place]
    memset(d, 0, sizeof(Datagram))
    d.used = True
    d.begun = self.now
    d.ident, d.protocol, d.version = ident, protocol, p.version
    d.src_hi, d.src_lo, d.dst_hi, d.dst_lo = p.src_hi, p.src_lo, p.dst_hi, p.dst_lo
    return free_place

cdef bint fill(
    Kernel self, const Packet* p, Datagram* d, Py_ssize_t base, Py_ssize_t offset, Py_ssize_t body, Py_ssize_t size
) except? False nogil:
    """Copy what is new and join the ranges; False where there would be too many."""
    cdef Py_ssize_t here = offset, end = offset + size, upto
    cdef int i, n, first
    cdef bint changed = False, overlap = False
    i = 0
    while here < end:
        while i < d.parts and d.end[i] <= here:
            i += 1
        if i < d.parts and d.start[i] <= here:
            overlap = True
            for n in range(<int>(min(end, <Py_ssize_t>d.end[i]) - here)):
                changed |= self.store[base + here + n] != self.octets[body + here - offset + n]
            here = d.end[i]
            continue
        upto = min(end, <Py_ssize_t>d.start[i]) if i < d.parts else end
        for n in range(<int>(upto - here)):
            self.store[base + here + n] = self.octets[body + here - offset + n]
        here = upto
    if overlap:
        odd_apart(self, FRAGMENT_CHANGED if changed else FRAGMENT_OVERLAP, p)
    first = 0
    while first < d.parts and d.end[first] < offset:
        first += 1
    n = first
    here, upto = offset, end
    while n < d.parts and d.start[n] <= end:
        here = min(here, <Py_ssize_t>d.start[n])
        upto = max(upto, <Py_ssize_t>d.end[n])
        n += 1
    if n == first:
        if d.parts == PARTS:
            return False
        for i in range(d.parts, first, -1):
            d.start[i], d.end[i] = d.start[i - 1], d.end[i - 1]
        d.parts += 1
    else:
        for i in range(n, d.parts):
            d.start[first + 1 + i - n], d.end[first + 1 + i - n] = d.start[i], d.end[i]
        d.parts -= n - first - 1
    d.start[first], d.end[first] = <uint32_t>here, <uint32_t>upto
    return True

cdef int whole_datagram(
    Kernel self, Packet* p, Py_ssize_t base, Py_ssize_t header, Py_ssize_t size, uint8_t protocol
) except -1 nogil:
    """Analyse a datagram that has become whole, from our buffer instead of the capture."""
    cdef int fate
    cdef Py_ssize_t limit = self.limit, reach = self.reach
    p.ip_bytes = header + size
    p.protocol = protocol
    if self.reassembled == 0:
        swap_octets(self)
    self.reassembled += 1
    self.limit = self.reach = base + size
    try:
        if p.version == 6:
            fate = chain(self, base - header, base, base + size, protocol, p)
        else:
            fate = transport(self, base, base + size, p)
    finally:
        self.reassembled -= 1
        if self.reassembled == 0:
            swap_octets(self)
        self.limit = limit
        self.reach = reach
    return fate

cdef int swap_octets(Kernel self) noexcept nogil:
    """Let the capture and the buffer of datagrams change places."""
    self.octets, self.other_octets = self.other_octets, self.octets
    return 0
