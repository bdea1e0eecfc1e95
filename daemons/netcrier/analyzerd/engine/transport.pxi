# From an IP header to a conversation, and from a conversation's tunnel to the IP header inside.
#
# RFC 791, 8200 (extension headers), 9293, 768, 792, 4443. Checksums are summed eight bytes at a time.

cdef int ip(Kernel self, Py_ssize_t at, Packet* p) except -1 nogil:
    cdef Py_ssize_t room = self.limit - at
    if room < 20:
        return BROKEN
    p.bad = p.headless = p.one_way = p.netcrier = False
    p.flags = 0
    p.mss = 0
    p.src_port = p.dst_port = 0
    if self.octets[at] >> 4 == 4:
        return ip4(self, at, p)
    if self.octets[at] >> 4 == 6 and room >= 40:
        return ip6(self, at, p)
    return BROKEN

cdef int ip4(Kernel self, Py_ssize_t at, Packet* p) except -1 nogil:
    cdef Py_ssize_t header = (self.octets[at] & 15) * 4, total = two(self, at + 2)
    cdef uint32_t fragment
    if header < 20 or header > self.limit - at:
        return BROKEN
    p.ip_bytes = total
    if total == 0:  # left to the network card to fill in (segmentation offload)
        if self.checksums == DROP_BAD:
            return BROKEN
        total = self.limit - at
    if total < header or total > self.reach - at:
        return BROKEN
    if self.checksums != IGNORE_BAD and ones(self, at, header, 0) != 0xFFFF:
        if self.checksums == DROP_BAD:
            return BROKEN
        p.bad = True
    p.version = 4
    p.ttl = self.octets[at + 8]
    p.protocol = self.octets[at + 9]
    p.src_hi = p.dst_hi = 0
    p.src_lo = 0xFFFF00000000ULL | four(self, at + 12)
    p.dst_lo = 0xFFFF00000000ULL | four(self, at + 16)
    fragment = two(self, at + 6)
    if fragment & 0x3FFF:
        if total <= self.limit - at:
            return take_fragment(self, p, at, header, at + header, total - header, (fragment & 0x1FFF) * 8, fragment & 0x2000,
                two(self, at + 4), p.protocol,
            )
        if fragment & 0x1FFF:  # cut short by the capture: only a first fragment is of use
            return BROKEN
    return transport(self, at + header, at + total, p)

cdef int ip6(Kernel self, Py_ssize_t at, Packet* p) except -1 nogil:
    cdef Py_ssize_t total = 40 + two(self, at + 4), here = at + 40, end, size
    cdef int kind = self.octets[at + 6], layer
    cdef uint32_t fragment
    p.ip_bytes = total
    if total > self.reach - at:
        return BROKEN
    p.version = 6
    p.ttl = self.octets[at + 7]
    p.src_hi = eight(self, at + 8)
    p.src_lo = eight(self, at + 16)
    p.dst_hi = eight(self, at + 24)
    p.dst_lo = eight(self, at + 32)
    end = at + total
    for layer in range(LAYERS):
        if kind == 0 or kind == ROUTING or kind == DESTINATION or kind == AH:
            if end - here < 8 or self.limit - here < 8:
                return BROKEN
            size = (self.octets[here + 1] + 2) * 4 if kind == AH else (self.octets[here + 1] + 1) * 8
            if size > end - here or size > self.limit - here:
                return BROKEN
            if kind == ROUTING and self.octets[here + 2] == 0 and self.octets[here + 3] and size >= 24:
                p.dst_hi = eight(self, here + size - 16)  # where it goes in the end (RFC 2460)
                p.dst_lo = eight(self, here + size - 8)
            kind = self.octets[here]
            here += size
        elif kind == FRAGMENT:
            if end - here < 8 or self.limit - here < 8:
                return BROKEN
            kind = self.octets[here]
            fragment = two(self, here + 2)
            if fragment & 0xFFF9:
                if total <= self.limit - at:
                    return take_fragment(self, p, at, here - at, here + 8, end - here - 8, fragment & 0xFFF8, fragment & 1,
                        four(self, here + 4), kind,
                    )
                if fragment & 0xFFF8:
                    return BROKEN
            here += 8
        else:
            break
    if kind == NO_NEXT or kind == MOBILITY:
        return NOT_IP
    p.protocol = kind
    return transport(self, here, end, p)

cdef int transport(Kernel self, Py_ssize_t at, Py_ssize_t end, Packet* p) except -1 nogil:
    """The layer after IP, from `at` to `end` by the IP header; the capture may be shorter."""
    cdef Py_ssize_t have, size
    cdef int kind = p.protocol
    cdef uint32_t slot, length
    if end == at and (kind == TCP or kind == UDP or kind == ICMP or kind == ICMP6):
        end = max(at, self.limit)  # a length left out: offload, or a jumbogram
    have = min(end, self.limit) - at
    size = end - at
    p.stop = end
    p.whole = end <= self.limit
    if kind == TCP:
        if have < 20:
            return BROKEN
        tcp_header(self, at, have, size, p)
        follow(self, p)
        return FOLLOWED
    if kind == UDP:
        if have < 8:
            return BROKEN
        p.src_port = two(self, at)
        p.dst_port = two(self, at + 2)
        length = two(self, at + 4)
        p.payload = <int64_t>length - 8
        p.body = at + 8
        p.captured = have - 8
        if self.checksums != IGNORE_BAD and p.whole and (p.version == 6 or two(self, at + 6)):
            if not (p.dst_port == 4789 and two(self, at + 6) == 0):
                p.bad |= ones(self, at, size, pseudo(self, p, size)) != 0xFFFF
        if have >= 11 and self.octets[at + 8] == 0x4E and self.octets[at + 9] == 0x43 and self.octets[at + 10] == 1:
            p.netcrier = True
        slot = follow(self, p)
        if p.bad and self.checksums == DROP_BAD:
            return FOLLOWED
        return tunnel(self, slot, p)
    if kind == ICMP or kind == ICMP6:
        if have < 8:
            return BROKEN
        icmp_header(self, at, size, p)
        follow(self, p)
        return FOLLOWED
    if kind == IPIP or kind == IPV6:
        return inside(self, at, end, p, 0, False)
    if kind == GRE:
        return gre(self, at, end, p)
    if kind == ESP or kind == NO_NEXT:
        return NOT_IP
    p.payload = size
    p.body = at
    p.captured = have
    follow(self, p)
    return FOLLOWED

cdef int tcp_header(Kernel self, Py_ssize_t at, Py_ssize_t have, Py_ssize_t size, Packet* p) except -1 nogil:
    cdef Py_ssize_t header = (self.octets[at + 12] >> 4) * 4, option, length
    p.src_port = two(self, at)
    p.dst_port = two(self, at + 2)
    p.seq = four(self, at + 4)
    p.ack = four(self, at + 8)
    p.flags = self.octets[at + 13]
    p.window = two(self, at + 14)
    p.payload = size - header
    p.body = at + header
    p.captured = have - header
    if header < 20 or header > have:
        p.headless = True
        return 0
    if self.checksums != IGNORE_BAD and p.whole:
        p.bad |= ones(self, at, size, pseudo(self, p, size)) != 0xFFFF
    if p.flags & SYN:
        option = at + 20
        while option + 4 <= at + header:
            if self.octets[option] == 0:
                break
            if self.octets[option] == 1:
                option += 1
                continue
            length = self.octets[option + 1]
            if length < 2:
                break
            if self.octets[option] == 2 and length == 4:
                p.mss = two(self, option + 2)
                break
            option += length
    return 0

cdef int icmp_header(Kernel self, Py_ssize_t at, Py_ssize_t size, Packet* p) except -1 nogil:
    """Ports are the type and its counterpart; kinds without a counterpart are one-way and keep the code."""
    cdef int kind = self.octets[at], other
    other = counterpart4(kind) if p.protocol == ICMP else counterpart6(kind)
    p.src_port = kind
    p.one_way = other < 0
    p.dst_port = self.octets[at + 1] if other < 0 else other
    p.payload = size - 8
    p.body = at + 8
    p.captured = min(p.stop, self.limit) - at - 8
    if self.checksums != IGNORE_BAD and p.whole:
        p.bad |= ones(self, at, size, pseudo(self, p, size) if p.protocol == ICMP6 else 0) != 0xFFFF
    return 0

# --- checksums (RFC 1071)

cdef uint32_t pseudo(Kernel self, Packet* p, Py_ssize_t size) noexcept nogil:
    """The sum of the pseudo header, not yet folded to 16 bits."""
    cdef uint64_t total = <uint64_t>size + p.protocol
    total += halves(p.src_lo & (0xFFFFFFFFU if p.version == 4 else 0xFFFFFFFFFFFFFFFFULL)) + halves(p.src_hi)
    total += halves(p.dst_lo & (0xFFFFFFFFU if p.version == 4 else 0xFFFFFFFFFFFFFFFFULL)) + halves(p.dst_hi)
    return <uint32_t>total

cdef uint32_t ones(Kernel self, Py_ssize_t at, Py_ssize_t size, uint32_t start) except 0xFFFFFFFFU nogil:
    """The one's complement sum of `size` bytes, with `start` added: 0xFFFF where a checksum is right.

    Whole words stand at multiples of eight from the buffer's start; an odd `at` swaps the sum's bytes.
    """
    cdef Py_ssize_t stop = at + size, word = (at + 7) >> 3, last = stop >> 3, i, head
    cdef uint64_t low = 0, high = 0, value
    if last > self.words.shape[0]:
        last = self.words.shape[0]
    head = min(word << 3, stop)
    for i in range(at, head):
        low += <uint64_t>self.octets[i] << ((i & 1) << 3)
    if word < last:
        for i in range(word, last):
            value = self.words[i]
            low += value & 0xFFFFFFFFU
            high += value >> 32
        head = last << 3
    for i in range(head, stop):
        low += <uint64_t>self.octets[i] << ((i & 1) << 3)
    low = fold((low & 0xFFFFFFFFU) + (low >> 32) + (high & 0xFFFFFFFFU) + (high >> 32))
    if not at & 1:
        low = ((low & 0xFF) << 8) | (low >> 8)
    return <uint32_t>fold(low + start)

# --- tunnels

cdef int inside(Kernel self, Py_ssize_t at, Py_ssize_t end, Packet* p, uint32_t kind, bint ether) except -1 nogil:
    """Analyse what a tunnel carries: Ethernet, or the Ethernet type `kind`, or (0) IP by its first bits.

    The packet outside has been followed; `p` is used again for the one inside.
    """
    cdef Py_ssize_t limit = self.limit, reach = self.reach
    cdef int fate
    cdef bint had_macs = p.has_macs
    if self.depth >= TUNNELS_DEEP:
        self.too_deep += 1
        return FOLLOWED
    if at >= min(limit, end):
        return BROKEN
    self.depth += 1
    self.reach = end
    self.limit = min(limit, end)
    p.vlan = p.inner_vlan = 0
    p.has_macs = False
    if ether:
        fate = ethernet(self, at, p)
    elif kind:
        fate = tagged(self, kind, at, p)
    else:
        fate = ip(self, at, p)
    self.depth -= 1
    self.limit = limit
    self.reach = reach
    return fate

cdef int gre(Kernel self, Py_ssize_t at, Py_ssize_t end, Packet* p) except -1 nogil:
    """RFC 2784, 2890; version 1 is PPTP's (RFC 2637); ERSPAN I to III and Aruba's 802.11 by their types."""
    cdef Py_ssize_t room = min(end, self.limit) - at, size = 4
    cdef uint32_t flags, kind, limit
    cdef int fate
    if room < 4:
        return BROKEN
    flags = two(self, at)
    kind = two(self, at + 2)
    size += ((flags >> 15) + ((flags >> 13) & 1) + ((flags >> 12) & 1) + ((flags >> 7) & 1)) * 4
    if flags & 0x4078 or flags & 7 > 1 or room < size:
        return BROKEN
    if flags & 7 == 1:
        if kind != 0x880B or room < size + 4:
            return BROKEN
        at += size
        if self.octets[at] == 0xFF and self.octets[at + 1] == 3:
            at += 2
        kind = two(self, at)
        return inside(self, at + 2, end, p, 0, False) if kind == 0x0021 or kind == 0x0057 else NOT_IP
    if kind == 0x88BE:  # ERSPAN I; with a sequence number it is II
        return inside(self, at + size + (8 if flags & 0x1000 else 0), end, p, 0, True)
    if kind == 0x22EB:  # ERSPAN III, with an optional platform header
        if room < size + 12:
            return BROKEN
        return inside(self, at + size + (20 if self.octets[at + size + 11] & 1 else 12), end, p, 0, True)
    if kind == 0x6558:
        return inside(self, at + size, end, p, 0, True)
    if (kind & 0xFF0F == 0x8200) or (kind & 0xFF0F == 0x8300 and kind <= 0x8370) or kind == 0x9000:
        return wireless_inside(self, at + size, end, p)
    return inside(self, at + size, end, p, kind, False)

cdef int wireless_inside(Kernel self, Py_ssize_t at, Py_ssize_t end, Packet* p) except -1 nogil:
    cdef Py_ssize_t limit = self.limit, reach = self.reach
    cdef int fate
    if self.depth >= TUNNELS_DEEP:
        self.too_deep += 1
        return FOLLOWED
    self.depth += 1
    self.reach = end
    self.limit = min(limit, end)
    p.vlan = p.inner_vlan = 0
    p.has_macs = False
    fate = wireless(self, at, p)
    self.depth -= 1
    self.limit = limit
    self.reach = reach
    return fate

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
