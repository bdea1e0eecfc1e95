# The header after IP: TCP, UDP, ICMP (RFC 9293, 768, 792, 4443); everything else by its protocol number alone.

cdef int transport(Decoder self, Py_ssize_t at, Py_ssize_t end, Packet* p) except -1 nogil:
    """The layer after IP, from `at` to `end` by the IP header; the capture may be shorter."""
    cdef Py_ssize_t have, size
    cdef int kind = p.protocol
    cdef const uint8_t* b
    if end == at and (kind == TCP or kind == UDP or kind == ICMP or kind == ICMP6):
        end = max(at, self.limit)  # a length left out: offload, or a jumbogram
    have = min(end, self.limit) - at
    size = end - at
    p.stop = end
    p.whole = end <= self.limit
    if kind == TCP:
        if have < 20:
            return odd_packet(self, SHORT_HEADER_TCP if size < 20 else TRIM_TCP, p)
        tcp_header(self, at, have, size, p)
        return decoded(self, p)
    if kind == UDP:
        if have < 8:
            return odd_packet(self, SHORT_HEADER_UDP if size < 8 else TRIM_UDP, p)
        b = span(self, at, 8)
        p.src_port, p.dst_port = big2(b), big2(b + 2)
        p.payload = <int64_t>big2(b + 4) - 8
        p.body = at + 8
        p.captured = have - 8
        if self.checksums != IGNORE_BAD and p.whole and (p.version == 6 or big2(b + 6)):
            if not (p.dst_port == 4789 and big2(b + 6) == 0):
                p.bad |= ones(self, at, size, pseudo(self, p, size)) != 0xFFFF
        p.looks = looks_of(self, at + 8, have - 8)
        return decoded(self, p)
    if kind == ICMP or kind == ICMP6:
        if have < 8:
            return odd_packet(self, SHORT_HEADER_ICMP if size < 8 else TRIM_ICMP, p)
        icmp_header(self, at, size, p)
        return decoded(self, p)
    if kind == IPIP or kind == IPV6:
        return leave(self) if self.scouting else ip_in_ip(<Kernel>self, at, end, p, 4 if kind == IPIP else 6, IP_TUNNEL)
    if kind == GRE:
        return leave(self) if self.scouting else gre(<Kernel>self, at, end, p)
    if kind == NO_NEXT:
        if self.depth == 0 or (<Kernel>self).levels[self.depth - 1].kind != TEREDO_TUNNEL:
            odd_packet(self, NO_NEXT6, p)
        return NOT_IP
    if kind == ESP:
        return NOT_IP
    p.payload = size
    p.body = at
    p.captured = have
    return decoded(self, p)

cdef inline int decoded(Decoder self, Packet* p) except -1 nogil:
    """All that bytes can say is in the packet; a scout leaves the rest to a kernel."""
    return FOLLOWED if self.scouting else take_in(<Kernel>self, p, hash_of(self, p))

cdef int tcp_header(Decoder self, Py_ssize_t at, Py_ssize_t have, Py_ssize_t size, Packet* p) except -1 nogil:
    cdef const uint8_t* b = span(self, at, 20)
    cdef Py_ssize_t header = (b[12] >> 4) * 4, option, length
    p.src_port, p.dst_port = big2(b), big2(b + 2)
    p.seq, p.ack = big4(b + 4), big4(b + 8)
    p.flags = b[13]
    p.window = big2(b + 14)
    p.payload = size - header
    p.body = at + header
    p.captured = have - header
    if header < 20 or header > have:
        p.headless = True
        p.mss = header < 20  # which of both it was, for weird.log
        return 0
    if self.checksums != IGNORE_BAD and p.whole:
        p.bad |= ones(self, at, size, pseudo(self, p, size)) != 0xFFFF
    if p.flags & SYN:
        option = at + 20
        while option + 2 < at + header:
            if self.octets[option] == 0:
                break
            if self.octets[option] == 1:
                option += 1
                continue
            length = self.octets[option + 1]
            if length < 2 or option + length > at + header:
                break
            if self.octets[option] == 2 and length == 4:
                p.mss = two(self, option + 2)
            elif self.octets[option] == 3 and length == 3:
                p.scale = self.octets[option + 2] + 1
            option += length
    return 0

cdef int icmp_header(Decoder self, Py_ssize_t at, Py_ssize_t size, Packet* p) except -1 nogil:
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
