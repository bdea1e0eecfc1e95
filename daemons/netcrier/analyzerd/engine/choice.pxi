# Choice: conversations that go on and are asked for, of all that the table holds the newest or the
# largest.
#
# One walk over the slab; the chosen ones stand in a heap whose first is the one that gives way.

cdef inline bint is_in(const Wanted* w, int which, uint64_t hi, uint64_t lo) noexcept nogil:
    return (hi & w.mask_hi[which]) == w.hi[which] and (lo & w.mask_lo[which]) == w.lo[which]

cdef bint is_wanted(const Conversation* c, const Wanted* w) noexcept nogil:
    if c.serial == 0 or c.last < w.active or (w.only6 and not c.flags & IS_V6):
        return False
    if w.protocol and c.protocol != w.protocol and not (w.protocol == ICMP and c.protocol == ICMP6):
        return False
    if not w.port_low <= c.orig_port <= w.port_high and not w.port_low <= c.resp_port <= w.port_high:
        return False
    return (
        (is_in(w, 0, c.orig_hi, c.orig_lo) or is_in(w, 0, c.resp_hi, c.resp_lo))
        and is_in(w, 1, c.orig_hi, c.orig_lo) and is_in(w, 2, c.resp_hi, c.resp_lo)
    )

cdef uint32_t choose(Kernel self, const Wanted* w, Chosen* heap, uint32_t most, uint32_t* count) noexcept nogil:
    """Fill `heap` with up to `most`; how many the table has of them."""
    cdef uint32_t slot, matching = 0, place, child
    cdef Chosen one
    count[0] = 0
    for slot in range(self.touched):
        if not is_wanted(&self.slab[slot], w):
            continue
        matching += 1
        one.slot = slot
        one.rank = self.slab[slot].start
        if w.largest:
            one.rank = <int64_t>(self.slab[slot].orig.ip_bytes + self.slab[slot].resp.ip_bytes)
        if count[0] < most:
            place = count[0]
            count[0] += 1
            while place and heap[(place - 1) // 2].rank > one.rank:
                heap[place] = heap[(place - 1) // 2]
                place = (place - 1) // 2
            heap[place] = one
        elif one.rank > heap[0].rank:
            place = 0
            while True:
                child = 2 * place + 1
                if child >= most:
                    break
                if child + 1 < most and heap[child + 1].rank < heap[child].rank:
                    child += 1
                if heap[child].rank >= one.rank:
                    break
                heap[place] = heap[child]
                place = child
            heap[place] = one
    return matching
