# Tunnels in UDP, by the responder's port: VXLAN, Geneve, GTPv1, Teredo, AYIYA, GRE; Teredo and AYIYA also by content.
#
# A conversation that only looked like one of them is not tried again (of GTP every datagram is).

cdef int udp_tunnel(Kernel self, uint32_t slot, Packet* p) except -1 nogil:
    """The datagram counts as followed, whatever is inside."""
    cdef Py_ssize_t at = p.body, end = p.stop, room = min(end, self.limit) - at
    cdef int port = self.slab[slot].resp_port
    cdef bint tunnel = False
    if self.slab[slot].flags & NO_TUNNEL:
        return FOLLOWED
    if port == 4789:
        tunnel = vxlan(self, slot, at, end, room, p)
    elif port == 6081:
        tunnel = geneve(self, slot, at, end, room, p)
    elif port == 2152 or port == 2123:
        gtp(self, slot, at, end, room, p)
        tunnel = True
    elif port == 4754:  # GRE in UDP (RFC 8086)
        if room >= 4:
            gre(self, at, end, p)
        tunnel = True
    elif port == 3544 or p.looks & LIKE_TEREDO:
        tunnel = teredo(self, slot, at, end, room, p)
    elif port == 5072 or p.looks & LIKE_AYIYA:
        tunnel = ayiya(self, slot, at, end, room, p)
    else:
        return FOLLOWED
    if not tunnel:
        self.slab[slot].flags |= NO_TUNNEL
    return FOLLOWED

cdef bint too_deep(Kernel self, uint32_t slot, Packet* p, int which) noexcept nogil:
    """Whether one layer more would be too many; the history says so."""
    if self.depth < self.deepest:
        return False
    self.too_deep += 1
    if not self.slab[slot].orig.marks & SEEN_LIMIT:
        self.slab[slot].orig.marks |= SEEN_LIMIT
        letter(self, &self.slab[slot], c"X")
    odd_packet(self, which, p)
    return True

cdef bint vxlan(
    Kernel self, uint32_t slot, Py_ssize_t at, Py_ssize_t end, Py_ssize_t room, Packet* p
) except? False nogil:
    """RFC 7348. False where it is none."""
    if too_deep(self, slot, p, DEEP_VXLAN):
        return True
    if room < 8 or not self.octets[at] & 8:
        return False
    enter_conversation(self, slot, VXLAN_TUNNEL, VXLAN)
    if room == 8:
        odd_packet(self, VXLAN_EMPTY, p)
    else:
        inside(self, at + 8, end, p, ETHERNET_SHAPE, 0)
    return True

cdef bint geneve(
    Kernel self, uint32_t slot, Py_ssize_t at, Py_ssize_t end, Py_ssize_t room, Packet* p
) except? False nogil:
    """RFC 8926. False where it is none."""
    cdef Py_ssize_t size
    if too_deep(self, slot, p, DEEP_GENEVE):
        return True
    if room < 8:
        return False
    if self.octets[at] >> 6:
        odd_packet_with(self, GENEVE_VERSION, p, b"", self.octets[at] >> 6)
        return True
    size = 8 + (self.octets[at] & 0x3F) * 4
    if size > room:
        return False
    enter_conversation(self, slot, GENEVE_TUNNEL, GENEVE)
    if size == room:
        odd_packet(self, GENEVE_EMPTY, p)
    else:
        inside(self, at + size, end, p, TYPE_SHAPE, two(self, at + 2))
    return True

cdef bint ayiya(
    Kernel self, uint32_t slot, Py_ssize_t at, Py_ssize_t end, Py_ssize_t room, Packet* p
) except? False nogil:
    """draft-massar-v6ops-ayiya. False where it is none."""
    cdef Py_ssize_t size
    cdef int kind
    if too_deep(self, slot, p, DEEP_AYIYA):
        return True
    if room < 8:
        return False
    size = 8 + (1 << (self.octets[at] >> 4)) + (self.octets[at + 1] >> 4) * 4
    if size > room:
        return False
    if self.octets[at + 2] & 15 != 1:
        return True
    kind = self.octets[at + 3]
    enter_conversation(self, slot, AYIYA_TUNNEL, AYIYA)
    if size == room:
        odd_packet(self, AYIYA_EMPTY, p)
    elif kind == IPV6 or kind == IPIP:
        inside(self, at + size, end, p, IP_SHAPE, 0)
    return True

cdef int looks_of(Decoder self, Py_ssize_t at, Py_ssize_t room) except -1 nogil:
    """What a datagram's content looks like, of which `room` bytes are there."""
    cdef int looks = LIKE_TEREDO if teredo_like(self, at, room) else 0
    if room >= 3 and self.octets[at] == 0x4E and self.octets[at + 1] == 0x43 and self.octets[at + 2] == 1:
        looks |= LIKE_OURS
    if room >= 8 and self.octets[at + 1] == 0x52 and self.octets[at + 2] == 0x11:
        looks |= LIKE_AYIYA
    return looks

cdef bint teredo_like(Decoder self, Py_ssize_t at, Py_ssize_t room) except? True nogil:
    """A datagram of any port that is Teredo by its content: an address of 2001::/32, or an origin indication."""
    cdef Py_ssize_t size
    if room < 40 or (self.octets[at] >> 4 != 6 and (self.octets[at] or self.octets[at + 1] > 1)):
        return False
    if self.octets[at] >> 4 == 6 and (four(self, at + 8) == 0x20010000 or four(self, at + 24) == 0x20010000):
        return True
    size = 0
    if self.octets[at + 1] == 1:
        size = 13 + self.octets[at + 2] + self.octets[at + 3]
        if room < size + 40 or two(self, at + size):
            return False
    elif self.octets[at + 1]:
        return False
    return room >= size + 48 and self.octets[at + size + 8] >> 4 == 6

cdef bint teredo(
    Kernel self, uint32_t slot, Py_ssize_t at, Py_ssize_t end, Py_ssize_t room, Packet* p
) except? False nogil:
    """RFC 4380: authentication, then origin indication, both optional, then IPv6. False where it is none."""
    cdef Py_ssize_t size
    cdef int fits
    if too_deep(self, slot, p, DEEP_TEREDO):
        return True
    if room >= 2 and two(self, at) == 1:
        size = 13 + self.octets[at + 2] + self.octets[at + 3] if room >= 4 else room + 1
        if room < size:
            odd(self, TEREDO_AUTH, &self.slab[slot])
            return False
        at += size
        room -= size
    if room >= 2 and two(self, at) == 0:
        if room < 8:
            odd(self, TEREDO_ORIGIN, &self.slab[slot])
            return False
        at += 8
        room -= 8
    if room < 2:
        odd(self, TEREDO_SHORT, &self.slab[slot])
        return False
    if self.octets[at] >> 4 != 6:
        return False
    if room < 40:
        odd(self, TEREDO_INNER, &self.slab[slot])
        return False
    fits = exact(self, at, end)
    if fits == 1 and self.octets[at + 6] == NO_NEXT and two(self, at + 4) == 0:
        odd(self, TEREDO_BUBBLE, &self.slab[slot])
    elif fits:
        return False
    enter_conversation(self, slot, TEREDO_TUNNEL, TEREDO)
    inside(self, at, end, p, IP_SHAPE, 0)
    return True

cdef int gtp(Kernel self, uint32_t slot, Py_ssize_t at, Py_ssize_t end, Py_ssize_t room, Packet* p) except -1 nogil:
    """GTPv1-U (3GPP TS 29.281): user packets, message type 255; never one in another."""
    cdef Py_ssize_t size = 8, part
    cdef int flags, kind, layer
    if room < 8:
        return 0
    if self.depth >= self.deepest:
        self.too_deep += 1
        odd_frame(self, DEEP_GTP)
        return 0
    flags = self.octets[at]
    if flags >> 5 != 1 or not flags & 0x10 or self.octets[at + 1] != 255:
        return 0
    if self.depth and self.levels[self.depth - 1].kind == GTP_TUNNEL:
        return 0
    if flags & 7:
        if room < 12:
            return 0
        kind = self.octets[at + 11] if flags & 4 else 0
        size = 12
        for layer in range(LAYERS):
            if kind == 0:
                break
            if room < size + 4:
                return 0
            part = self.octets[at + size] * 4
            if part == 0 or room < size + part:
                return 0
            kind = self.octets[at + size + part - 1]
            size += part
    if room < size + 20 or exact(self, at + size, end):
        return 0
    enter_conversation(self, slot, GTP_TUNNEL, GTPV1)
    inside(self, at + size, end, p, IP_SHAPE, 0)
    return 0
