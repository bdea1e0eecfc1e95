# Tunnels in UDP, by the responder's port: VXLAN, Geneve, GTPv1, Teredo, AYIYA, GRE.

cdef int tunnel(Kernel self, uint32_t slot, Packet* p) except -1 nogil:
    """A UDP datagram that carries packets, by the responder's port. The datagram counts as followed."""
    cdef Py_ssize_t at = p.body, end = min(p.body + p.payload, p.stop), size
    cdef Py_ssize_t room
    cdef int port = self.slab[slot].resp_port, kind
    if port != 4789 and port != 6081 and port != 2152 and port != 2123 and port != 3544 and port != 5072 and port != 4754:
        return FOLLOWED
    room = min(end, self.limit) - at
    if port == 4789:  # VXLAN (RFC 7348)
        if room > 8 and self.octets[at] & 8:
            self.slab[slot].service = VXLAN
            inside(self, at + 8, end, p, 0, True)
    elif port == 6081:  # Geneve (RFC 8926)
        if room >= 8 and self.octets[at] >> 6 == 0:
            size = 8 + (self.octets[at] & 0x3F) * 4
            if size <= room:
                self.slab[slot].service = GENEVE
                if size < room:
                    inside(self, at + size, end, p, two(self, at + 2), False)
    elif port == 3544:
        teredo(self, slot, at, end, room, p)
    elif port == 5072:  # AYIYA (draft-massar-v6ops-ayiya)
        if room >= 8 and self.octets[at + 2] & 15 == 1:
            size = 8 + (1 << (self.octets[at] >> 4)) + (self.octets[at + 1] >> 4) * 4
            kind = self.octets[at + 3]
            if size < room and (kind == IPV6 or kind == IPIP):
                self.slab[slot].service = AYIYA
                inside(self, at + size, end, p, 0, False)
    elif port == 4754:  # GRE in UDP (RFC 8086)
        if room >= 4:
            p.stop = end
            gre(self, at, end, p)
    else:
        gtp(self, slot, at, end, room, p)
    return FOLLOWED

cdef int teredo(Kernel self, uint32_t slot, Py_ssize_t at, Py_ssize_t end, Py_ssize_t room, Packet* p) except -1 nogil:
    """RFC 4380: authentication, then origin indication, both optional, then IPv6."""
    cdef Py_ssize_t size
    if room >= 4 and two(self, at) == 1:
        size = 13 + self.octets[at + 2] + self.octets[at + 3]
        at += size
        room -= size
    if room >= 8 and two(self, at) == 0:
        at += 8
        room -= 8
    if room < 40 or self.octets[at] >> 4 != 6 or two(self, at + 4) + 40 > end - at:
        return 0
    if two(self, at + 4) + 40 < end - at and self.octets[at + 6] != NO_NEXT:
        return 0
    self.slab[slot].service = TEREDO
    inside(self, at, end, p, 0, False)
    return 0

cdef int gtp(Kernel self, uint32_t slot, Py_ssize_t at, Py_ssize_t end, Py_ssize_t room, Packet* p) except -1 nogil:
    """GTPv1-U (3GPP TS 29.281): user packets, message type 255."""
    cdef Py_ssize_t size = 8, part
    cdef int flags, kind, layer
    if room < 8:
        return 0
    flags = self.octets[at]
    if flags >> 5 != 1 or not flags & 0x10 or self.octets[at + 1] != 255:
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
    at += size
    room -= size
    if room < 20:
        return 0
    if self.octets[at] >> 4 == 4:
        part = two(self, at + 2)
    elif self.octets[at] >> 4 == 6:
        part = two(self, at + 4) + 40
    else:
        return 0
    if part != end - at:
        return 0
    self.slab[slot].service = GTPV1
    inside(self, at, end, p, 0, False)
    return 0
