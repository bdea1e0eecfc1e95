# The IP header, its options and extension headers (RFC 791, 8200), down to the transport or to a fragment.

cdef int ip(Decoder self, Py_ssize_t at, Packet* p) except -1 nogil:
    cdef Py_ssize_t room = self.limit - at
    if room < 20:
        return odd_frame(self, SHORT_IP)
    p.bad = p.headless = p.one_way = False
    p.flags = p.looks = 0
    p.mss = p.scale = 0
    p.src_port = p.dst_port = 0
    if self.octets[at] >> 4 == 4:
        return ip4(self, at, p)
    if self.octets[at] >> 4 != 6:
        return odd_frame(self, UNKNOWN_IP)
    return ip6(self, at, p) if room >= 40 else odd_frame(self, SHORT_IP)

cdef int ip4(Decoder self, Py_ssize_t at, Packet* p) except -1 nogil:
    cdef const uint8_t* b = span(self, at, 20)
    cdef Py_ssize_t header = (b[0] & 15) * 4, total = big2(b + 2)
    cdef uint32_t fragment
    p.ip_bytes = total
    if total == 0:  # left to the network card to fill in (segmentation offload)
        odd_frame(self, HEADER_ZERO)
        if self.checksums == DROP_BAD:
            return BROKEN
        total = self.limit - at
    if total > self.reach - at:
        return odd_frame(self, SHORT_IP_LENGTH)
    if total < header:
        return odd_frame(self, IP_HEADER)
    if header > self.limit - at:
        return odd_frame(self, SHORT_IP_INNER)
    if header < 20:
        return odd_frame(self, IP_MIN)
    p.version = 4
    p.ttl, p.protocol = b[8], b[9]
    p.src_hi = p.dst_hi = 0
    p.src_lo = 0xFFFF00000000ULL | big4(b + 12)
    p.dst_lo = 0xFFFF00000000ULL | big4(b + 16)
    if self.checksums != IGNORE_BAD and ones(self, at, header, 0) != 0xFFFF:
        odd_packet(self, BAD_IP, p)
        if self.checksums == DROP_BAD:
            return BROKEN
        p.bad = True
    fragment = big2(b + 6)
    if fragment & 0x3FFF:
        if total <= self.limit - at:
            return leave(self) if self.scouting else take_fragment(<Kernel>self, p, at, header, at + header, total - header, (fragment & 0x1FFF) * 8, fragment,
                big2(b + 4), p.protocol,
            )
        odd_packet(self, SHORT_FRAGMENT, p)
        if fragment & 0x1FFF:  # cut short by the capture: only a first fragment is of use
            return BROKEN
    return transport(self, at + header, at + total, p)

cdef int ip6(Decoder self, Py_ssize_t at, Packet* p) except -1 nogil:
    cdef const uint8_t* b = span(self, at, 40)
    cdef Py_ssize_t total = 40 + big2(b + 4)
    p.ip_bytes = total
    if total > self.reach - at:
        return odd_frame(self, SHORT_IP_LENGTH)
    p.version = 6
    p.ttl = b[7]
    p.src_hi, p.src_lo = big8(b + 8), big8(b + 16)
    p.dst_hi, p.dst_lo = big8(b + 24), big8(b + 32)
    return chain(self, at, at + 40, at + total, b[6], p)

cdef int chain(Decoder self, Py_ssize_t at, Py_ssize_t here, Py_ssize_t end, int kind, Packet* p) except -1 nogil:
    """IPv6's further headers, from the one at `here` on, which is of `kind`; the packet is from `at` to `end`."""
    cdef Py_ssize_t size
    cdef int layer
    cdef uint32_t fragment
    cdef bint routed = False, homed = False
    for layer in range(LAYERS):
        if kind == 0 or kind == ROUTING or kind == DESTINATION or kind == AH:
            if end - here < 8 or self.limit - here < 8:
                return odd_frame(self, IP_HEADER if end - here < 8 else SHORT_IP_INNER)
            size = (self.octets[here + 1] + 2) * 4 if kind == AH else (self.octets[here + 1] + 1) * 8
            if size > end - here or size > self.limit - here:
                return odd_frame(self, IP_HEADER if size > end - here else SHORT_IP_INNER)
            if kind == DESTINATION:
                homed = home_address(self, here + 2, here + size, homed, p)
            elif kind == ROUTING:
                if self.scouting:
                    return leave(self)
                routed = last_address(<Kernel>self, here, size, routed, p)
            kind = self.octets[here]
            here += size
        elif kind == FRAGMENT:
            if end - here < 8 or self.limit - here < 8:
                return odd_frame(self, IP_HEADER if end - here < 8 else SHORT_IP_INNER)
            kind = self.octets[here]
            fragment = two(self, here + 2)
            if fragment & 0xFFF9:
                if end <= self.limit:
                    return leave(self) if self.scouting else take_fragment(<Kernel>self, p, at, here - at, here + 8, end - here - 8, fragment & 0xFFF8, (fragment & 1) << 13,
                        four(self, here + 4), kind,
                    )
                odd_packet(self, SHORT_FRAGMENT, p)
                if fragment & 0xFFF8:
                    return BROKEN
            elif end <= self.limit:
                p.ip_bytes -= 8  # put together from this one part, which leaves its header out
            here += 8
        else:
            break
    p.protocol = kind
    if kind == MOBILITY:
        if self.checksums != IGNORE_BAD and end <= self.limit:
            if ones(self, here, end - here, pseudo(self, p, end - here)) != 0xFFFF:
                odd_packet(self, BAD_MH, p)
                return NOT_IP
        if min(end, self.limit) > here and self.octets[here] != NO_NEXT:
            odd_packet(self, MH_PIGGYBACK, p)
        return NOT_IP
    return transport(self, here, end, p)

cdef bint last_address(Kernel self, Py_ssize_t at, Py_ssize_t size, bint routed, Packet* p) except? False nogil:
    """Where the packet goes in the end: of type 0 the last of the list (RFC 2460), of type 2 a mobile node's own
    (RFC 6275). Whether that is known; what an earlier header said (`routed`) stays."""
    cdef int kind = self.octets[at + 2]
    cdef bint going = self.octets[at + 3]
    if routed:
        odd_apart(self, TWICE_ROUTED, p)
        return True
    if kind == 0 and going and size >= 24 and size & 15 != 8:
        odd_apart(self, ROUTE_LENGTH, p)
    elif kind == 2 and going and size != 24:
        odd_apart(self, ROUTE2_LENGTH, p)
    elif (kind == 0 and going and size >= 24) or (kind == 2 and going):
        p.dst_hi, p.dst_lo = eight(self, at + size - 16), eight(self, at + size - 8)
        routed = True
    if kind == 0:
        odd_apart(self, ROUTE_HEADER, p)
    elif kind != 2:
        odd_apart_with(self, ROUTE_TYPE, p, b"", kind)
    return routed

cdef bint home_address(Decoder self, Py_ssize_t at, Py_ssize_t end, bint homed, Packet* p) except? False nogil:
    """A mobile node's own address (RFC 6275), among destination options: it is the source that the ends mean. Whether
    that is known; the first one (`homed`) stays."""
    cdef Py_ssize_t size
    while end - at >= 2:
        if self.octets[at] == 0:
            at += 1
            continue
        size = self.octets[at + 1]
        if size > end - at - 2:
            break
        if self.octets[at] == 201 and (homed or size != 16):
            if self.scouting:
                leave(self)
                return homed
            odd_apart(<Kernel>self, MANY_HOMES if size == 16 else BAD_HOME, p)
        elif self.octets[at] == 201:
            p.src_hi, p.src_lo = eight(self, at + 2), eight(self, at + 10)
            homed = True
        at += 2 + size
    return homed
