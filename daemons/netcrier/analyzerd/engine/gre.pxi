# GRE and what rides on it (RFC 2784, 2890, 2637): Ethernet, ERSPAN I to III, Aruba's 802.11, PPTP.

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
