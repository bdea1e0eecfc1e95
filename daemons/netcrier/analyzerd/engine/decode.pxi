# Decode: from a frame to its IP packet, through links and tags, and from there to a Packet.
#
# A Decoder is a kernel, or a scout, which leaves what takes more than the packet's own bytes to a kernel.
# Every byte is read from self.octets with its bounds checked, or from a span of them of a fixed size; lengths are
# compared first, so that an IndexError here is our fault. Source of the formats: the RFC or standard named at each function.
# `at` is where a layer starts, `self.limit` where the capture of it ends, `self.reach` where it ends on the wire.

cdef inline int leave(Decoder self) noexcept nogil:
    """Of a scout: this takes more than the bytes of one packet."""
    self.left = True
    return BROKEN

cdef inline const uint8_t* span(Decoder self, Py_ssize_t at, Py_ssize_t size) except NULL nogil:
    """So many bytes, at least one: the first and the last are in bounds, and so is what lies between."""
    cdef const uint8_t* last = &self.octets[at + size - 1]
    return &self.octets[at] if last != NULL else NULL

cdef inline uint32_t big2(const uint8_t* b) noexcept nogil:
    """16 bits, big endian, as all that follow."""
    return (<uint32_t>b[0] << 8) | b[1]

cdef inline uint32_t big4(const uint8_t* b) noexcept nogil:
    return (<uint32_t>b[0] << 24) | (<uint32_t>b[1] << 16) | (<uint32_t>b[2] << 8) | b[3]

cdef inline uint64_t big8(const uint8_t* b) noexcept nogil:
    return (
        (<uint64_t>b[0] << 56) | (<uint64_t>b[1] << 48) | (<uint64_t>b[2] << 40) | (<uint64_t>b[3] << 32)
        | (<uint64_t>b[4] << 24) | (<uint64_t>b[5] << 16) | (<uint64_t>b[6] << 8) | b[7]
    )

cdef inline uint32_t two(Decoder self, Py_ssize_t at) except? 0xFFFFFFFFU nogil:
    return big2(span(self, at, 2))

cdef inline uint32_t four(Decoder self, Py_ssize_t at) except? 0xFFFFFFFFU nogil:
    return big4(span(self, at, 4))

cdef inline uint64_t eight(Decoder self, Py_ssize_t at) except? 0xFFFFFFFFFFFFFFFFULL nogil:
    return big8(span(self, at, 8))

cdef int frame(Decoder self, int link, Py_ssize_t at, Packet* p) except -1 nogil:
    """Walk the link header of kind `link` (LINKTYPE_ numbers of tcpdump.org)."""
    cdef uint32_t family
    cdef Py_ssize_t room = self.limit - at
    if link == 1:
        return ethernet(self, at, p)
    if link == 12 or link == 14 or link == 101 or link == 228 or link == 229:
        return ip(self, at, p)
    if link == 113:  # Linux cooked v1
        if room <= 16:
            return odd_frame(self, SHORT_COOKED)
        if two(self, at + 4) == 6:
            keep_mac(self, p.src_mac, at + 6)
        return tagged(self, two(self, at + 14), at + 16, p)
    if link == 276:  # Linux cooked v2
        if room <= 20:
            return odd_frame(self, SHORT_COOKED2)
        if self.octets[at + 11] == 6:
            keep_mac(self, p.src_mac, at + 12)
        return tagged(self, two(self, at), at + 20, p)
    if link == 0 or link == 108:  # BSD loopback: the family in either byte order
        if room <= 4:
            return odd_frame(self, NULL_SHORT)
        family = four(self, at)
        if family & 0xFFFF0000U:
            family = (family >> 24) | ((family >> 8) & 0xFF00) | ((family << 8) & 0xFF0000U) | (family << 24)
        if family == 2 or family == 10 or family == 24 or family == 28 or family == 30:
            return ip(self, at + 4, p)
        return NOT_IP
    if link == 9 or link == 50 or link == 51:  # PPP, with or without its HDLC address
        if room <= 4:
            return odd_frame(self, SHORT_PPP)
        if self.octets[at] == 0xFF and self.octets[at + 1] == 3:
            at += 2
        return ppp(self, at, p)
    if link == 127:  # radiotap
        return behind(self, at, at + 2, 8, room, p)
    if link == 105:
        return wireless(self, at, p)
    if link == 119:  # Prism: a header of 144 bytes, or AVS's with its length
        if room > 8 and four(self, at) >> 12 == 0x80211:
            family = four(self, at + 4)
        else:
            family = 144
        return wireless(self, at + family, p) if family < room else odd_frame(self, SHORT_RADIOTAP)
    if link == 163:  # AVS
        family = four(self, at + 4) if room > 8 else 8
        return wireless(self, at + family, p) if 8 <= family < room else odd_frame(self, SHORT_RADIOTAP)
    if link == 192:  # PPI: the link type of what follows stands in its header
        return ppi(self, at, room, p)
    if link == 239:
        return nflog(self, at, p)
    if link == 10:  # FDDI: a frame control, two addresses, then LLC
        return tagged(self, 0, at + 13, p) if room >= 21 else BROKEN
    return NOT_IP

cdef int behind(Decoder self, Py_ssize_t at, Py_ssize_t length_at, Py_ssize_t least, Py_ssize_t room, Packet* p) except -1 nogil:
    """802.11 behind a header of metadata that has its own length, little endian, at `length_at` (radiotap)."""
    cdef Py_ssize_t size
    if room < 4:
        return odd_frame(self, SHORT_RADIOTAP)
    size = self.octets[length_at] | (<Py_ssize_t>self.octets[length_at + 1] << 8)
    if size < least or size >= room:
        return odd_frame(self, SHORT_RADIOTAP)
    return wireless(self, at + size, p)

cdef int ppi(Decoder self, Py_ssize_t at, Py_ssize_t room, Packet* p) except -1 nogil:
    cdef Py_ssize_t size
    cdef int link
    if room < 8:
        return odd_frame(self, SHORT_RADIOTAP)
    size = self.octets[at + 2] | (<Py_ssize_t>self.octets[at + 3] << 8)
    link = self.octets[at + 4] | (self.octets[at + 5] << 8)
    if size < 8 or size >= room or link == 192:
        return odd_frame(self, SHORT_RADIOTAP)
    return frame(self, link, at + size, p)

cdef int nflog(Decoder self, Py_ssize_t at, Packet* p) except -1 nogil:
    """LINKTYPE_NFLOG: records of type and length in the byte order of who wrote them, the packet in the last one."""
    cdef Py_ssize_t size, kind, end = self.limit
    cdef bint swapped = False
    cdef int layer
    if end - at <= 4:
        return odd_frame(self, SHORT_NFLOG)
    if self.octets[at + 1]:
        return odd_frame(self, NFLOG_VERSION)
    at += 4
    for layer in range(1024):
        if end - at <= 4:
            return odd_frame(self, NFLOG_NO_PAYLOAD)
        size = self.octets[at] | (<Py_ssize_t>self.octets[at + 1] << 8)
        kind = self.octets[at + 2] | (<Py_ssize_t>self.octets[at + 3] << 8)
        if layer == 0:
            swapped = kind > 255 and kind & 0xFF == 0
        if swapped:
            size, kind = two(self, at), two(self, at + 2)
        if kind == 9:
            return ip(self, at + 4, p)
        if size < 4:
            return odd_frame(self, NFLOG_TLV)
        at += (size + 3) & ~3
    return odd_frame(self, NFLOG_NO_PAYLOAD)

cdef inline int keep_mac(Decoder self, uint8_t* into, Py_ssize_t at) except -1 nogil:
    memcpy(into, span(self, at, 6), 6)
    return 0

cdef int ethernet(Decoder self, Py_ssize_t at, Packet* p) except -1 nogil:
    """Ethernet II, IEEE 802.3 with LLC, and Cisco FabricPath around Ethernet."""
    cdef uint32_t kind
    if self.limit - at <= 16:
        return odd_frame(self, SHORT_ETHERNET)
    if self.octets[at + 12] == 0x89 and self.octets[at + 13] == 0x03:  # FabricPath: 16 bytes more
        at += 16
        if self.limit - at <= 14:
            return odd_frame(self, SHORT_CFP)
    if not p.has_macs:
        keep_mac(self, p.dst_mac, at)
        keep_mac(self, p.src_mac, at + 6)
        p.has_macs = True
    kind = two(self, at + 12)
    if kind < 0x0600:
        if kind > 1500:
            return odd_frame(self, UNDEFINED_ETHER)
        if self.limit - at - 14 < <Py_ssize_t>kind:
            return odd_frame(self, SHORT_ETHERNET)
    return tagged(self, kind, at + 14, p)

cdef int tagged(Decoder self, uint32_t kind, Py_ssize_t at, Packet* p) except -1 nogil:
    """What follows an Ethernet type: tags in any order and number, until IP or something else."""
    cdef int layer
    cdef Py_ssize_t room
    for layer in range(LAYERS):
        room = self.limit - at
        if kind == 0x0800 or kind == 0x86DD:
            return ip(self, at, p)
        if kind == 0x8100 or kind == 0x88A8 or kind == 0x9100:  # VLAN, QinQ (IEEE 802.1Q)
            if room <= 4:
                return odd_frame(self, SHORT_VLAN)
            if p.vlan == 0:
                p.vlan = two(self, at) & 0xFFF
            else:
                if p.inner_vlan:
                    odd_frame(self, TRIPLE_VLAN)
                p.inner_vlan = two(self, at) & 0xFFF
            kind = two(self, at + 2)
            at += 4
            if 1500 < kind < 0x0600:
                return odd_frame(self, UNDEFINED_VLAN)
        elif kind == 0x8847 or kind == 0x8848:
            return mpls(self, at, p)
        elif kind == 0x8864:  # PPPoE session (RFC 2516)
            if room <= 8:
                return odd_frame(self, SHORT_PPPOE)
            if two(self, at + 4) != room - 6:
                odd_frame(self, PPPOE_MORE if two(self, at + 4) < room - 6 else PPPOE_LESS)
            return ppp(self, at + 6, p)
        elif kind == 0x8926:  # VNTag (IEEE 802.1BR's forerunner)
            if room <= 6:
                return odd_frame(self, SHORT_VNTAG)
            kind = two(self, at + 4)
            at += 6
        elif kind == 0x0806 or kind == 0x8035:  # ARP, RARP (RFC 826): an address of each kind for both ends
            if room < 8 or room < 8 + 2 * (self.octets[at + 4] + self.octets[at + 5]):
                return odd_frame(self, SHORT_ARP)
            return NOT_IP
        elif kind == 0x88E7:  # provider backbone bridge (IEEE 802.1ah): 4 bytes of tag, then Ethernet
            if room <= 18:
                return odd_frame(self, SHORT_PBB)
            return ethernet(self, at + 4, p)
        elif kind == 0x6558:  # Ethernet inside
            return ethernet(self, at, p)
        elif kind < 0x0600:  # a length: IEEE 802.2 LLC, with SNAP the type comes later
            if room < 3:
                return odd_frame(self, SHORT_LLC)
            if self.octets[at] != 0xAA or self.octets[at + 1] != 0xAA:  # another service, or Novell's raw 802.3
                return NOT_IP
            if self.octets[at + 2] & 3 != 3:
                at += 1
                room -= 1
            if room < 8:
                return odd_frame(self, SHORT_SNAP)
            kind = two(self, at + 6)
            if self.octets[at + 3] or self.octets[at + 4] or self.octets[at + 5] or kind < 0x0600:
                return NOT_IP
            at += 8
        else:
            return NOT_IP
    return BROKEN

cdef int mpls(Decoder self, Py_ssize_t at, Packet* p) except -1 nogil:
    """RFC 3032: labels down to the bottom; what is inside shows by its first four bits."""
    cdef int layer, nibble
    cdef bint bottom
    for layer in range(LAYERS):
        if self.limit - at <= 4:
            return odd_frame(self, SHORT_MPLS)
        bottom = self.octets[at + 2] & 1
        at += 4
        if bottom:
            nibble = self.octets[at] >> 4
            if nibble == 4 or nibble == 6:
                return ip(self, at, p)
            if nibble == 0:  # a pseudowire's control word (RFC 4448)
                return ethernet(self, at + 4, p)
            return NOT_IP
    return BROKEN

cdef int ppp(Decoder self, Py_ssize_t at, Packet* p) except -1 nogil:
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

cdef int wireless(Decoder self, Py_ssize_t at, Packet* p) except -1 nogil:
    """IEEE 802.11 data frames that are not encrypted; of an aggregate (A-MSDU) every part."""
    cdef Py_ssize_t room = self.limit - at, header = 24
    cdef int control, direction
    if room <= 24:
        return odd_frame(self, SHORT_WIRELESS)
    control = self.octets[at]
    direction = self.octets[at + 1]
    if (control >> 2) & 3 != 2 or (control >> 4) & 4:  # no data frame, or one without data
        return NOT_IP
    if direction & 3 == 3:
        header += 6
    if room <= header + 2:
        return odd_frame(self, SHORT_WIRELESS)
    if direction & 0x40:
        return NOT_IP
    if not p.has_macs:
        keep_mac(self, p.dst_mac, at + (16 if direction & 1 else 4))
        keep_mac(self, p.src_mac, at + (10 if not direction & 2 else (24 if direction & 1 else 16)))
        p.has_macs = True
    if not (control >> 4) & 8:
        return snap(self, at + header, p)
    if self.octets[at + header] & 0x80:
        return aggregate(self, at + header + 2, p)
    return snap(self, at + header + 2, p)

cdef int snap(Decoder self, Py_ssize_t at, Packet* p) except -1 nogil:
    """802.11 carries its types behind LLC and SNAP (IEEE 802.2)."""
    if self.limit - at < 8:
        return odd_frame(self, SHORT_LLC80211)
    return tagged(self, 0, at, p)

cdef int aggregate(Decoder self, Py_ssize_t at, Packet* p) except -1 nogil:
    """The parts of an A-MSDU, each with addresses and a length, filled up to four bytes."""
    cdef Py_ssize_t part, whole = self.limit
    cdef int layer, fate = NOT_IP
    if self.scouting:
        return leave(self)
    for layer in range(PARTS):
        if whole - at <= 0:
            break
        if whole - at < 14:
            return odd_frame(self, SHORT_AMSDU_HEADER)
        part = two(self, at + 12)
        if part > whole - at - 14:
            return odd_frame(self, SHORT_AMSDU)
        self.limit = self.reach = at + 14 + part
        fate = snap(self, at + 14, p)
        self.limit = self.reach = whole
        at += (14 + part + 3) & ~3
    return fate
