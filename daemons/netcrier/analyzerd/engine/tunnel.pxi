# Tunnels: the same walk again one layer deeper, and tunnel.log, which says when a tunnel was found and when it ended.
#
# A tunnel is a conversation over UDP, or a pair of addresses for IP in IP and GRE. It is found when a conversation
# begins in it, closed when its own conversation is, and expired after an hour in which none began.
# Pairs stand in a table of fixed size; where all places of a pair are taken, the one used longest ago gives way.

cdef int inside(Kernel self, Py_ssize_t at, Py_ssize_t end, Packet* p, int shape, uint32_t kind) except -1 nogil:
    """Analyse what the tunnel of `enter_pair` or `enter_conversation` carries: a frame of shape `shape`.

    The packet outside has been followed; `p` is used again for the one inside.
    """
    cdef Py_ssize_t limit = self.limit, reach = self.reach
    cdef int fate
    self.depth += 1
    if at >= min(limit, end):
        fate = odd_frame(self, SHORT_IP)
        self.depth -= 1
        return fate
    self.reach = end
    self.limit = min(limit, end)
    p.vlan = p.inner_vlan = 0
    p.has_macs = False
    if shape == ETHERNET_SHAPE:
        fate = ethernet(self, at, p)
    elif shape == WIRELESS_SHAPE:
        fate = wireless(self, at, p)
    elif shape == TYPE_SHAPE:
        fate = tagged(self, kind, at, p)
    else:
        fate = ip(self, at, p)
    self.depth -= 1
    self.limit = limit
    self.reach = reach
    return fate

cdef int exact(Kernel self, Py_ssize_t at, Py_ssize_t end) except -1 nogil:
    """How the IP packet at `at` fits in what was captured up to `end`: 0 exactly, 1 there is more, 2 less, 3 no IP."""
    cdef Py_ssize_t room = min(end, self.limit) - at, size
    if room < 20:
        return 3
    if self.octets[at] >> 4 == 4:
        size = two(self, at + 2)
    elif self.octets[at] >> 4 == 6:
        if room < 40:
            return 2
        size = two(self, at + 4) + 40
    else:
        return 3
    return 0 if size == room else (1 if size < room else 2)

cdef int ip_in_ip(Kernel self, Py_ssize_t at, Py_ssize_t end, Packet* p, int version, uint32_t kind) except -1 nogil:
    """RFC 2003, 4213, and IP in PPTP: the packet inside fills the one outside."""
    cdef int fits = exact(self, at, end)
    if self.depth >= self.deepest:
        odd_packet(self, DEEP_IP, p)
        return FOLLOWED
    if fits == 3 or self.octets[at] >> 4 != version:
        return odd_packet(self, INNER_VERSION, p)
    if fits:
        return odd_packet(self, INNER_LENGTH if fits == 1 else INNER_TRUNCATED, p)
    enter_pair(self, p, kind)
    return inside(self, at, end, p, IP_SHAPE, 0)

cdef int enter_pair(Kernel self, Packet* p, uint32_t kind) noexcept nogil:
    """The next layer is a tunnel between the addresses of this packet, whichever of both sent it."""
    cdef uint64_t key = mix(p.src_lo ^ self.seed_b, p.src_hi + self.seed_c) + mix(p.dst_lo ^ self.seed_b, p.dst_hi + self.seed_c)
    cdef uint32_t i, place, first = <uint32_t>(key & (PAIRS - 1))
    cdef Pair* pair
    for i in range(PAIR_RUN):
        place = <uint32_t>((key + i) & (PAIRS - 1))
        pair = &self.pairs[place]
        if pair.serial and (
            (pair.src_lo == p.src_lo and pair.dst_lo == p.dst_lo and pair.src_hi == p.src_hi and pair.dst_hi == p.dst_hi)
            or (pair.src_lo == p.dst_lo and pair.dst_lo == p.src_lo and pair.src_hi == p.dst_hi and pair.dst_hi == p.src_hi)
        ):
            if self.now - pair.seen < PAIR_IDLE * SECOND:
                break
            first = place
            pair = NULL
            break
        if pair.seen < self.pairs[first].seen:
            first = place
        pair = NULL
    if pair == NULL:
        pair = &self.pairs[first]
        if pair.found:
            tunnel_line(self, &self.pairs[first], NULL, pair.kind, b"EXPIRE")
        pair.src_hi, pair.src_lo, pair.dst_hi, pair.dst_lo = p.src_hi, p.src_lo, p.dst_hi, p.dst_lo
        pair.serial = next_serial(self)
        pair.kind = kind
        pair.v6 = p.version == 6
        pair.found = False
        place = first
    pair.seen = self.now
    self.levels[self.depth].serial = pair.serial
    self.levels[self.depth].place = place
    self.levels[self.depth].pair = True
    self.levels[self.depth].kind = kind
    return 0

cdef int enter_conversation(Kernel self, uint32_t slot, uint32_t kind, uint8_t service) noexcept nogil:
    """The next layer is a tunnel that this conversation is."""
    self.levels[self.depth].serial = self.slab[slot].serial
    self.levels[self.depth].place = slot
    self.levels[self.depth].pair = False
    self.levels[self.depth].kind = kind
    self.slab[slot].service = service
    return 0

cdef int find_tunnels(Kernel self) noexcept nogil:
    """A conversation begins here, or goes on: the tunnels around it are in use."""
    cdef int i
    for i in range(self.depth):
        if self.levels[i].pair:
            use_pair(self, &self.pairs[self.levels[i].place])
        elif self.slab[self.levels[i].place].serial == self.levels[i].serial:
            use_conversation(self, &self.slab[self.levels[i].place], self.levels[i].kind)
    return 0

cdef int use_pair(Kernel self, Pair* pair) noexcept nogil:
    pair.used = self.now
    if not pair.found:
        pair.found = True
        tunnel_line(self, pair, NULL, pair.kind, b"DISCOVER")
    return 0

cdef int use_conversation(Kernel self, Conversation* c, uint32_t kind) noexcept nogil:
    cdef uint32_t side = find_side(self, c, TUNNEL_USE)
    if side == NOWHERE:
        side = take_side(self, c, TUNNEL_USE)
        if side == NOWHERE:
            return 0
    (<Use*>self.sides[side].text).used = self.now
    (<Use*>self.sides[side].text).kind = kind
    if not c.flags & CARRIES:
        c.flags |= CARRIES
        tunnel_line(self, NULL, c, kind, b"DISCOVER")
    return 0

cdef int close_tunnel(Kernel self, Conversation* c, bint expired) noexcept nogil:
    """The conversation of a tunnel ends; or (`expired`) goes on, where none began inside for an hour."""
    cdef uint32_t side = find_side(self, c, TUNNEL_USE)
    cdef Use* use
    if side == NOWHERE:
        return 0
    use = <Use*>self.sides[side].text
    if expired and self.now - use.used < TUNNEL_IDLE * SECOND:
        return 0
    c.flags &= ~CARRIES
    return tunnel_line(self, NULL, c, use.kind, b"EXPIRE" if expired else b"CLOSE")

cdef int expire_pairs(Kernel self) noexcept nogil:
    cdef uint32_t i
    for i in range(PAIRS):
        if self.pairs[i].found and self.now - self.pairs[i].used >= TUNNEL_IDLE * SECOND:
            self.pairs[i].found = False
            tunnel_line(self, &self.pairs[i], NULL, self.pairs[i].kind, b"EXPIRE")
    return 0

cdef const char* tunnel_name(uint32_t kind) noexcept nogil:
    if kind == IP_TUNNEL:
        return b"IP"
    if kind == AYIYA_TUNNEL:
        return b"AYIYA"
    if kind == TEREDO_TUNNEL:
        return b"TEREDO"
    if kind == GTP_TUNNEL:
        return b"GTPv1"
    if kind == GRE_TUNNEL:
        return b"GRE"
    return b"VXLAN" if kind == VXLAN_TUNNEL else b"GENEVE"

cdef int tunnel_line(
    Kernel self, const Pair* pair, const Conversation* c, uint32_t kind, const char* action
) noexcept nogil:
    """A line of tunnel.log, of a pair or of a conversation."""
    cdef Lines* o = &self.logs[TUNNEL_LOG]
    if not self.wants[TUNNEL_LOG] or not room_for_line(o):
        return 0
    o.count += 1
    text(o, b'{"ts":')
    stamp_text(self, o, self.now)
    text(o, b',"uid":"')
    uid_text(self, o, c.serial if c != NULL else pair.serial)
    text(o, b'",')
    if c != NULL:
        ends_text(o, c.orig_hi, c.orig_lo, c.orig_port, c.resp_hi, c.resp_lo, c.resp_port, c.flags & IS_V6 != 0)
    else:
        ends_text(o, pair.src_hi, pair.src_lo, 0, pair.dst_hi, pair.dst_lo, 0, pair.v6)
    text(o, b',"tunnel_type":"Tunnel::')
    text(o, tunnel_name(kind))
    text(o, b'","action":"Tunnel::')
    text(o, action)
    return text(o, b'"}\n')
