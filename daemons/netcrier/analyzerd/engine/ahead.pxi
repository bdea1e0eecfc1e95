# Looking ahead: of the packets that come next, the places in memory that they will need are asked for in time.
#
# With a million conversations every packet waits for memory twice: for its place in the index, then for its
# conversation. Both are asked for while the packets before are still followed. It changes nothing but the time; what
# is not plain IP over Ethernet is left to wait.

cdef uint32_t glance(Kernel self, Py_ssize_t at, Py_ssize_t end) except? 0xFFFFFFFFU nogil:
    """The tag of the TCP or UDP packet of an Ethernet frame, or 0; its place in the index is asked for."""
    cdef Packet p
    cdef uint32_t kind, tag
    if end - at < 58:
        return 0
    kind = two(self, at + 12)
    if kind == 0x0800:
        if self.octets[at + 14] != 0x45:
            return 0
        p.protocol = self.octets[at + 23]
        p.src_hi = p.dst_hi = 0
        p.src_lo = 0xFFFF00000000ULL | four(self, at + 26)
        p.dst_lo = 0xFFFF00000000ULL | four(self, at + 30)
        at += 34
    elif kind == 0x86DD:
        p.protocol = self.octets[at + 20]
        p.src_hi, p.src_lo = eight(self, at + 22), eight(self, at + 30)
        p.dst_hi, p.dst_lo = eight(self, at + 38), eight(self, at + 46)
        at += 54
    else:
        return 0
    if p.protocol != TCP and p.protocol != UDP:
        return 0
    p.src_port, p.dst_port = two(self, at), two(self, at + 2)
    p.one_way = False
    tag = hash_of(self, &p)
    fetch_ahead(&self.cells[tag & self.mask])
    return tag

cdef inline int expect(Kernel self, uint32_t tag) noexcept nogil:
    """Ask for the conversation of a tag whose place in the index has come meanwhile."""
    cdef const Cell* cell = &self.cells[tag & self.mask]
    if tag and cell.tag == tag and cell.slot != NOWHERE:
        fetch(&self.slab[cell.slot])
    return 0

cdef int look_ahead(Kernel self, Py_ssize_t* front, Py_ssize_t end, uint32_t number) except -1 nogil:
    """Before the `number`th pcap record is followed: glance at the one AHEAD records on, expect the one halfway.

    `front` is where the record stands that is glanced at next; at first it catches up.
    """
    cdef uint32_t turns = 1 if number else AHEAD, i, have
    for i in range(turns):
        if end - front[0] < 16:
            self.ahead[(number + i) & (AHEAD - 1)] = 0
            continue
        have = word32(self, front[0] + 8)
        self.ahead[(number + i) & (AHEAD - 1)] = glance(self, front[0] + 16, min(end, front[0] + 16 + <Py_ssize_t>have))
        front[0] += 16 + <Py_ssize_t>have
    return expect(self, self.ahead[(number + AHEAD // 2) & (AHEAD - 1)])
