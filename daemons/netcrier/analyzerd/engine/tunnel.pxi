# Inside a tunnel: the same walk again, one layer deeper, within the bounds of what the tunnel carries.

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
