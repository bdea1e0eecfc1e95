# GRE and what rides on it (RFC 2784, 2890, 2637): Ethernet, ERSPAN I to III, Aruba's 802.11, PPTP.

cdef int gre(Kernel self, Py_ssize_t at, Py_ssize_t end, Packet* p) except -1 nogil:
    cdef Py_ssize_t room = min(end, self.limit) - at, size = 4
    cdef uint32_t flags, kind
    cdef int shape
    if room < 4:
        return odd_packet(self, SHORT_GRE, p)
    flags = two(self, at)
    kind = two(self, at + 2)
    size += ((flags >> 15) + ((flags >> 13) & 1) + ((flags >> 12) & 1) + ((flags >> 7) & 1)) * 4
    if flags & 7 > 1:
        return odd_packet_with(self, GRE_VERSION, p, b"version=", flags & 7)
    if flags & 7 == 1:
        return pptp(self, at, end, p, flags, kind, size)
    shape = IP_SHAPE
    if kind == 0x6558 or kind == 0x88BE or kind == 0x22EB:
        size = ethernet_in_gre(self, at, room, kind, flags, size)
        if size == 0:
            return odd_packet(self, SHORT_GRE, p)
        shape = ETHERNET_SHAPE
    elif (kind & 0xFF0F == 0x8200) or (kind & 0xFF0F == 0x8300 and kind <= 0x8370) or kind == 0x9000:
        shape = WIRELESS_SHAPE
    elif kind >= 0x8000 and kind != 0x86DD:
        shape = TYPE_SHAPE
    if flags & 0x4000:
        return odd_packet(self, GRE_ROUTING, p)
    if flags & 0x0078:
        return odd_packet(self, GRE_FLAGS, p)
    if room < size:
        return odd_packet(self, SHORT_GRE, p)
    if self.depth >= self.deepest:
        odd_packet(self, DEEP_IP, p)
        return FOLLOWED
    enter_pair(self, p, GRE_TUNNEL)
    return inside(self, at + size, end, p, shape, kind)

cdef Py_ssize_t ethernet_in_gre(
    Kernel self, Py_ssize_t at, Py_ssize_t room, uint32_t kind, uint32_t flags, Py_ssize_t size
) except -1 nogil:
    """Where the Ethernet header starts, from `at`; 0 where there is none."""
    if kind == 0x88BE and flags & 0x1000:
        size += 8  # ERSPAN II; without a sequence number it is I
    elif kind == 0x22EB:  # ERSPAN III, with an optional platform header
        if room < size + 12 + 14:
            return 0
        size += 20 if self.octets[at + size + 11] & 1 else 12
    return size if room > size + 14 else 0

cdef int pptp(
    Kernel self, Py_ssize_t at, Py_ssize_t end, Packet* p, uint32_t flags, uint32_t kind, Py_ssize_t size
) except -1 nogil:
    """Enhanced GRE: PPP with its address field."""
    if kind != 0x880B:
        return odd_packet_with(self, EGRE_TYPE, p, b"proto=", kind)
    if flags & 0x4000:
        return odd_packet(self, GRE_ROUTING, p)
    if flags & 0x0078:
        return odd_packet(self, GRE_FLAGS, p)
    if min(end, self.limit) - at < size + 4:
        return odd_packet(self, SHORT_GRE, p)
    at += size
    kind = two(self, at + 2)
    if kind != 0x0021 and kind != 0x0057:
        odd_packet(self, ENCAP_NOT_IP, p)
        return NOT_IP
    return ip_in_ip(self, at + 4, end, p, 4 if kind == 0x0021 else 6, GRE_TUNNEL)
