# Decode: from a frame to its IP packet, through links and tags, and from there to a Packet.
#
# Every byte is read from self.octets with its bounds checked; lengths are compared first, so that an
# IndexError here is our fault. Source of the formats: the RFC or standard named at each function.
# `at` is where a layer starts, `self.limit` where the capture of it ends, `self.reach` where it ends on the wire.

cdef inline uint32_t two(Kernel self, Py_ssize_t at) except? 0xFFFFFFFFU nogil:
    """16 bits, big endian."""
    return (<uint32_t>self.octets[at] << 8) | self.octets[at + 1]

cdef inline uint32_t four(Kernel self, Py_ssize_t at) except? 0xFFFFFFFFU nogil:
    """32 bits, big endian."""
    return (
        (<uint32_t>self.octets[at] << 24)
        | (<uint32_t>self.octets[at + 1] << 16)
        | (<uint32_t>self.octets[at + 2] << 8)
        | self.octets[at + 3]
    )

cdef inline uint64_t eight(Kernel self, Py_ssize_t at) except? 0xFFFFFFFFFFFFFFFFULL nogil:
    """64 bits, big endian."""
    return (<uint64_t>four(self, at) << 32) | four(self, at + 4)

cdef int frame(Kernel self, int link, Py_ssize_t at, Packet* p) except -1 nogil:
    """Walk the link header of kind `link` (LINKTYPE_ numbers of tcpdump.org)."""
    cdef uint32_t family
    cdef Py_ssize_t room = self.limit - at
    if link == 1:
        return ethernet(self, at, p)
    if link == 12 or link == 14 or link == 101 or link == 228 or link == 229:
        return ip(self, at, p)
    if link == 113:  # Linux cooked v1
        if room < 16:
            return BROKEN
        if two(self, at + 4) == 6:
            keep_mac(self, p.src_mac, at + 6)
        return tagged(self, two(self, at + 14), at + 16, p)
    if link == 276:  # Linux cooked v2
        if room < 20:
            return BROKEN
        if self.octets[at + 11] == 6:
            keep_mac(self, p.src_mac, at + 12)
        return tagged(self, two(self, at), at + 20, p)
    if link == 0 or link == 108:  # BSD loopback: the family in either byte order
        if room < 4:
            return BROKEN
        family = four(self, at)
        if family & 0xFFFF0000U:
            family = (family >> 24) | ((family >> 8) & 0xFF00)
        if family == 2 or family == 10 or family == 24 or family == 28 or family == 30:
            return ip(self, at + 4, p)
        return NOT_IP
    if link == 9 or link == 50 or link == 51:  # PPP, with or without its HDLC address
        if room < 4:
            return BROKEN
        if self.octets[at] == 0xFF and self.octets[at + 1] == 3:
            at += 2
        return ppp(self, at, p)
    if link == 127:  # radiotap
        if room < 8:
            return BROKEN
        family = self.octets[at + 2] | (<uint32_t>self.octets[at + 3] << 8)
        if family < 8 or family > room:
            return BROKEN
        return wireless(self, at + family, p)
    if link == 105:
        return wireless(self, at, p)
    return NOT_IP

cdef int keep_mac(Kernel self, uint8_t* into, Py_ssize_t at) except -1 nogil:
    cdef int i
    for i in range(6):
        into[i] = self.octets[at + i]
    return 0

cdef int ethernet(Kernel self, Py_ssize_t at, Packet* p) except -1 nogil:
    """Ethernet II, IEEE 802.3 with LLC, and Cisco FabricPath around Ethernet."""
    if self.limit - at < 14:
        return BROKEN
    if self.octets[at + 12] == 0x89 and self.octets[at + 13] == 0x03:  # FabricPath: 16 bytes more
        at += 16
        if self.limit - at < 14:
            return BROKEN
    if not p.has_macs:
        keep_mac(self, p.dst_mac, at)
        keep_mac(self, p.src_mac, at + 6)
        p.has_macs = True
    return tagged(self, two(self, at + 12), at + 14, p)

cdef int tagged(Kernel self, uint32_t kind, Py_ssize_t at, Packet* p) except -1 nogil:
    """What follows an Ethernet type: tags in any order and number, until IP or something else."""
    cdef int layer
    cdef Py_ssize_t room
    for layer in range(LAYERS):
        room = self.limit - at
        if kind == 0x0800 or kind == 0x86DD:
            return ip(self, at, p)
        if kind == 0x8100 or kind == 0x88A8 or kind == 0x9100:  # VLAN, QinQ (IEEE 802.1Q)
            if room < 4:
                return BROKEN
            if p.vlan == 0:
                p.vlan = two(self, at) & 0xFFF
            elif p.inner_vlan == 0:
                p.inner_vlan = two(self, at) & 0xFFF
            kind = two(self, at + 2)
            at += 4
        elif kind == 0x8847 or kind == 0x8848:
            return mpls(self, at, p)
        elif kind == 0x8864:  # PPPoE session (RFC 2516)
            if room < 8:
                return BROKEN
            return ppp(self, at + 6, p)
        elif kind == 0x8926:  # VNTag (IEEE 802.1BR's forerunner)
            if room < 6:
                return BROKEN
            kind = two(self, at + 4)
            at += 6
        elif kind == 0x88E7:  # provider backbone bridge (IEEE 802.1ah): 4 bytes of tag, then Ethernet
            if room < 18:
                return BROKEN
            kind = two(self, at + 16)
            at += 18
        elif kind == 0x6558:  # Ethernet inside
            return ethernet(self, at, p)
        elif kind < 0x0600:  # a length: IEEE 802.2 LLC, with SNAP the type comes later
            if room < 8:
                return BROKEN
            if self.octets[at] != 0xAA or self.octets[at + 1] != 0xAA or self.octets[at + 2] != 3:
                return NOT_IP
            kind = two(self, at + 6)
            at += 8
            if kind < 0x0600:
                return NOT_IP
        else:
            return NOT_IP
    return BROKEN

cdef int mpls(Kernel self, Py_ssize_t at, Packet* p) except -1 nogil:
    """RFC 3032: labels down to the bottom; what is inside shows by its first four bits."""
    cdef int layer, nibble
    cdef bint bottom
    for layer in range(LAYERS):
        if self.limit - at < 4:
            return BROKEN
        bottom = self.octets[at + 2] & 1
        at += 4
        if bottom:
            if self.limit - at < 1:
                return BROKEN
            nibble = self.octets[at] >> 4
            if nibble == 4 or nibble == 6:
                return ip(self, at, p)
            if nibble == 0:  # a pseudowire's control word (RFC 4448)
                return ethernet(self, at + 4, p)
            return NOT_IP
    return BROKEN

cdef int ppp(Kernel self, Py_ssize_t at, Packet* p) except -1 nogil:
    """RFC 1661: a protocol number of two bytes."""
    cdef uint32_t kind
    if self.limit - at < 2:
        return BROKEN
    kind = two(self, at)
    if kind == 0x0021 or kind == 0x0057:
        return ip(self, at + 2, p)
    if kind == 0x0281 or kind == 0x0283:
        return mpls(self, at + 2, p)
    return NOT_IP

cdef int wireless(Kernel self, Py_ssize_t at, Packet* p) except -1 nogil:
    """IEEE 802.11 data frames that are not encrypted; of an aggregate (A-MSDU) every part."""
    cdef Py_ssize_t room = self.limit - at, header = 24, part, whole
    cdef int control, direction, kind, fate = NOT_IP
    if room < 24:
        return BROKEN
    control = self.octets[at]
    direction = self.octets[at + 1]
    if (control >> 2) & 3 != 2 or (control >> 4) & 4:  # no data frame, or one without data
        return NOT_IP
    if direction & 0x40:
        return NOT_IP
    if direction & 3 == 3:
        header += 6
    if room < header + 2:
        return BROKEN
    if not p.has_macs:
        keep_mac(self, p.dst_mac, at + (16 if direction & 1 else 4))
        keep_mac(self, p.src_mac, at + (10 if not direction & 2 else (24 if direction & 1 else 16)))
        p.has_macs = True
    if not (control >> 4) & 8:
        return tagged(self, 0, at + header, p)
    part = self.octets[at + header] & 0x80
    at += header + 2
    if not part:
        return tagged(self, 0, at, p)
    whole = self.limit
    for kind in range(LAYERS):
        if whole - at < 14:
            break
        part = two(self, at + 12)
        if part < 8 or part > whole - at - 14:
            break
        self.limit = self.reach = at + 14 + part
        fate = tagged(self, 0, at + 14, p)
        self.limit = self.reach = whole
        at += (14 + part + 3) & ~3
    return fate
