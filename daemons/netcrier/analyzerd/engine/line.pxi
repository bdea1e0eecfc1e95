# A conn line: the record of a conversation as one line of JSON, straight from the struct.
#
# Zeek's fields in Zeek's order, unset ones left out; then ours. Numbers as decimal, times with six places.

cdef inline int text(Kernel self, const char* letters) noexcept nogil:
    cdef size_t n = strlen(letters)
    memcpy(self.out + self.written, letters, n)
    self.written += n
    return 0

cdef inline int number_text(Kernel self, uint64_t value) noexcept nogil:
    cdef char[20] digits
    cdef int n = 20
    while True:
        n -= 1
        digits[n] = 48 + <char>(value % 10)
        value //= 10
        if value == 0:
            break
    memcpy(self.out + self.written, &digits[n], 20 - n)
    self.written += 20 - n
    return 0

cdef int time_text(Kernel self, int64_t nanoseconds) noexcept nogil:
    """Seconds with six places, rounded."""
    cdef uint64_t micro
    cdef uint64_t rest
    cdef int i
    if nanoseconds < 0:
        self.out[self.written] = c"-"
        self.written += 1
        nanoseconds = -nanoseconds
    micro = (<uint64_t>nanoseconds + 500) // 1000
    number_text(self, micro // 1000000)
    rest = micro % 1000000
    self.out[self.written] = c"."
    for i in range(6):
        self.out[self.written + 6 - i] = 48 + <char>(rest % 10)
        rest //= 10
    self.written += 7
    return 0

cdef inline int padded(Kernel self, uint64_t value, int width, char after) noexcept nogil:
    cdef int i
    for i in range(width):
        self.out[self.written + width - 1 - i] = 48 + <char>(value % 10)
        value //= 10
    self.out[self.written + width] = after
    self.written += width + 1
    return 0

cdef int date_text(Kernel self, int64_t nanoseconds) noexcept nogil:
    """RFC 3339 in UTC with six places, quoted. The civil date counts years from March, in eras of 400."""
    cdef uint64_t micro = (<uint64_t>nanoseconds + 500) // 1000, seconds = micro // 1000000
    cdef uint64_t day = seconds // 86400 + 719468, era = day // 146097, of_era = day % 146097
    cdef uint64_t year = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    cdef uint64_t of_year = of_era - (365 * year + year // 4 - year // 100), month = (5 * of_year + 2) // 153
    cdef uint64_t of_month = of_year - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9
    text(self, b'"')
    padded(self, year + era * 400 + (1 if month <= 2 else 0), 4, c"-")
    padded(self, month, 2, c"-")
    padded(self, of_month, 2, c"T")
    padded(self, seconds % 86400 // 3600, 2, c":")
    padded(self, seconds % 3600 // 60, 2, c":")
    padded(self, seconds % 60, 2, c".")
    padded(self, micro % 1000000, 6, c"Z")
    text(self, b'"')
    return 0

cdef int address_text(Kernel self, uint64_t hi, uint64_t lo, bint v6) noexcept nogil:
    """Dotted for IPv4, RFC 5952 for IPv6."""
    cdef int i, n, best = -1, best_size = 1, size
    cdef uint16_t[8] parts
    if not v6:
        for i in range(4):
            number_text(self, (lo >> (24 - 8 * i)) & 0xFF)
            if i < 3:
                self.out[self.written] = c"."
                self.written += 1
        return 0
    for i in range(4):
        parts[i] = <uint16_t>(hi >> (48 - 16 * i))
        parts[4 + i] = <uint16_t>(lo >> (48 - 16 * i))
    if hi == 0 and lo >> 32 == 0xFFFF:
        text(self, b"::ffff:")
        return address_text(self, 0, lo, False)
    i = 0
    while i < 8:
        size = 0
        while i + size < 8 and parts[i + size] == 0:
            size += 1
        if size > best_size:
            best, best_size = i, size
        i += size if size else 1
    i = 0
    while i < 8:
        if i == best:
            text(self, b"::")
            i += best_size
            continue
        if i and i != best + best_size:
            self.out[self.written] = c":"
            self.written += 1
        elif i and best < 0:
            self.out[self.written] = c":"
            self.written += 1
        n = 12
        while n and parts[i] >> n == 0:
            n -= 4
        while n >= 0:
            self.out[self.written] = HEX[(parts[i] >> n) & 15]
            self.written += 1
            n -= 4
        i += 1
    return 0

cdef int mac_text(Kernel self, const uint8_t* mac) noexcept nogil:
    cdef int i
    for i in range(6):
        self.out[self.written] = HEX[mac[i] >> 4]
        self.out[self.written + 1] = HEX[mac[i] & 15]
        self.out[self.written + 2] = c":"
        self.written += 3
    self.written -= 1
    return 0

cdef int room_for_line(Kernel self) noexcept nogil:
    cdef char* wider
    cdef size_t size
    if self.written + LINE_MOST <= self.out_size:
        return 1
    size = self.out_size * 2
    wider = <char*>realloc(self.out, size)
    if wider == NULL:
        self.lines_lost += 1
        return 0
    self.out = wider
    self.out_size = size
    return 1

cdef int write_line(Kernel self, uint32_t slot) noexcept nogil:
    cdef const Conversation* c = &self.slab[slot]
    cdef bint v6 = c.flags & IS_V6 != 0
    cdef uint64_t a, b
    cdef uint32_t chunk
    if not self.wants_lines or not room_for_line(self):
        return 0
    self.lines += 1
    text(self, b'{"ts":')
    if self.iso:
        date_text(self, c.start)
    else:
        time_text(self, c.start)
    text(self, b',"uid":"C')
    a = mix(c.serial ^ self.seed_a, self.seed_b ^ 0x9E3779B97F4A7C15ULL) ^ self.seed_c
    b = mix(c.serial ^ self.seed_c, self.seed_a ^ 0xD1B54A32D192ED03ULL) ^ self.seed_b
    self.written += base62(<uint32_t>(a >> 32), <uint32_t>a, <uint32_t>b, self.out + self.written)
    text(self, b'","id.orig_h":"')
    address_text(self, c.orig_hi, c.orig_lo, v6)
    text(self, b'","id.orig_p":')
    number_text(self, c.orig_port)
    text(self, b',"id.resp_h":"')
    address_text(self, c.resp_hi, c.resp_lo, v6)
    text(self, b'","id.resp_p":')
    number_text(self, c.resp_port)
    text(self, b',"proto":"')
    text(self, proto_name(c.protocol))
    text(self, b'"')
    if c.service:
        text(self, b',"service":"')
        text(self, service_name(c.service))
        text(self, b'"')
    if c.last > c.start:
        text(self, b',"duration":')
        time_text(self, c.last - c.start)
        text(self, b',"orig_bytes":')
        number_text(self, end_bytes(c, &c.orig, &c.resp))
        text(self, b',"resp_bytes":')
        number_text(self, end_bytes(c, &c.resp, &c.orig))
    text(self, b',"conn_state":"')
    text(self, conn_state(c))
    text(self, b'","local_orig":')
    text(self, b"true" if is_local(c.orig_hi, c.orig_lo) else b"false")
    text(self, b',"local_resp":')
    text(self, b"true" if is_local(c.resp_hi, c.resp_lo) else b"false")
    text(self, b',"missed_bytes":')
    number_text(self, c.missed)
    if c.history_length:
        text(self, b',"history":"')
        memcpy(self.out + self.written, c.history, c.history_length)
        self.written += c.history_length
        chunk = c.more
        while chunk != NOWHERE and self.written + LINE_MOST // 2 < self.out_size:
            memcpy(self.out + self.written, self.letters[chunk].text, self.letters[chunk].length)
            self.written += self.letters[chunk].length
            if self.written + LINE_MOST // 2 >= self.out_size and not room_for_line(self):
                break
            chunk = self.letters[chunk].next
        room_for_line(self)
        text(self, b'"')
    text(self, b',"orig_pkts":')
    number_text(self, c.orig.packets)
    text(self, b',"orig_ip_bytes":')
    number_text(self, c.orig.ip_bytes)
    text(self, b',"resp_pkts":')
    number_text(self, c.resp.packets)
    text(self, b',"resp_ip_bytes":')
    number_text(self, c.resp.ip_bytes)
    text(self, b',"ip_proto":')
    number_text(self, c.protocol)
    text(self, b',"community_id":"')
    self.written += community(c, self.out + self.written)
    text(self, b'"')
    if any_octet(c.orig.mac) or any_octet(c.resp.mac):
        text(self, b',"orig_l2_addr":"')
        mac_text(self, c.orig.mac)
        text(self, b'","resp_l2_addr":"')
        mac_text(self, c.resp.mac)
        text(self, b'"')
    if c.vlan:
        text(self, b',"vlan":')
        number_text(self, c.vlan)
    if c.inner_vlan:
        text(self, b',"inner_vlan":')
        number_text(self, c.inner_vlan)
    if self.interface[0]:
        text(self, b',"interface":"')
        text(self, self.interface)
        text(self, b'"')
    text(self, b"}\n")
    return 0
