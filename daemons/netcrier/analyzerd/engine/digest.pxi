# Digests and spellings: the keyed hash of the index, community_id, base62 and base64. No state, no packet bytes.

cdef extern from *:
    """
    static inline unsigned long long netcrier_mix(unsigned long long a, unsigned long long b) {
        unsigned __int128 product = (unsigned __int128)a * b;
        return (unsigned long long)product ^ (unsigned long long)(product >> 64);
    }
    """
    uint64_t mix "netcrier_mix"(uint64_t a, uint64_t b) noexcept nogil

cdef inline uint64_t halves(uint64_t value) noexcept nogil:
    """The four 16-bit parts of a number, added."""
    return (value & 0xFFFF) + ((value >> 16) & 0xFFFF) + ((value >> 32) & 0xFFFF) + (value >> 48)

cdef inline uint64_t fold(uint64_t total) noexcept nogil:
    """To 16 bits, carries added back."""
    total = (total & 0xFFFF) + ((total >> 16) & 0xFFFF) + (total >> 32)
    total = (total & 0xFFFF) + (total >> 16)
    return (total & 0xFFFF) + (total >> 16)

cdef inline int counterpart4(int kind) noexcept nogil:
    """The ICMP type that answers `kind`, or -1."""
    if kind == 8:
        return 0
    if kind == 0:
        return 8
    if kind == 13 or kind == 15 or kind == 17:
        return kind + 1
    if kind == 14 or kind == 16 or kind == 18:
        return kind - 1
    if kind == 10:
        return 9
    if kind == 9:
        return 10
    return -1

cdef inline int counterpart6(int kind) noexcept nogil:
    """The ICMPv6 type that answers `kind`, or -1."""
    if kind == 128 or kind == 130 or kind == 133 or kind == 135 or kind == 139 or kind == 144:
        return kind + 1
    if kind == 129 or kind == 131 or kind == 134 or kind == 136 or kind == 140 or kind == 145:
        return kind - 1
    return -1

cdef const char* BASE62 = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
cdef const char* BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

cdef int base62(uint32_t a, uint32_t b, uint32_t c, char* out) noexcept nogil:
    """96 bits as base62, lowest digit first; returns the number of letters (1 to 17).

    Five digits come from one long division, by 62 ** 5: the largest power that 32 bits hold.
    """
    cdef uint32_t[3] parts
    cdef uint32_t five
    cdef uint64_t rest
    cdef int i, n = 0
    parts[0], parts[1], parts[2] = a, b, c
    while True:
        rest = 0
        for i in range(3):
            rest = (rest << 32) | parts[i]
            parts[i] = <uint32_t>(rest // 916132832)
            rest = rest % 916132832
        five = <uint32_t>rest
        for i in range(5):
            out[n] = BASE62[five % 62]
            five //= 62
            n += 1
            if five == 0 and parts[0] == 0 and parts[1] == 0 and parts[2] == 0:
                return n

cdef int put_address(uint8_t* into, uint64_t hi, uint64_t lo, bint v6) noexcept nogil:
    cdef int i
    if not v6:
        for i in range(4):
            into[i] = <uint8_t>(lo >> (24 - 8 * i))
        return 4
    for i in range(8):
        into[i] = <uint8_t>(hi >> (56 - 8 * i))
        into[8 + i] = <uint8_t>(lo >> (56 - 8 * i))
    return 16

cdef int community(const Conversation* c, char* out) noexcept nogil:
    """Community ID, version 1, seed 0: "1:" and base64 of SHA-1 over the ordered five-tuple. 30 letters."""
    cdef uint8_t[64] block
    cdef uint8_t[21] digest
    cdef uint32_t[5] h
    cdef int n = 2, i
    cdef bint v6 = c.flags & IS_V6 != 0, ports = c.protocol == TCP or c.protocol == UDP or c.protocol == 132
    cdef bint icmp = c.protocol == ICMP or c.protocol == ICMP6, swap = False
    cdef uint16_t sport = c.orig_port, dport = c.resp_port
    cdef uint32_t group
    memset(block, 0, 64)
    if not (icmp and c.flags & ONE_WAY):
        if c.orig_hi != c.resp_hi:
            swap = c.orig_hi > c.resp_hi
        elif c.orig_lo != c.resp_lo:
            swap = c.orig_lo > c.resp_lo
        else:
            swap = (ports or icmp) and sport > dport
    if swap:
        n += put_address(&block[n], c.resp_hi, c.resp_lo, v6)
        n += put_address(&block[n], c.orig_hi, c.orig_lo, v6)
        sport, dport = dport, sport
    else:
        n += put_address(&block[n], c.orig_hi, c.orig_lo, v6)
        n += put_address(&block[n], c.resp_hi, c.resp_lo, v6)
    block[n] = c.protocol
    n += 2
    if ports or icmp:
        block[n] = sport >> 8
        block[n + 1] = sport & 0xFF
        block[n + 2] = dport >> 8
        block[n + 3] = dport & 0xFF
        n += 4
    block[n] = 0x80
    block[62] = (n * 8) >> 8
    block[63] = (n * 8) & 0xFF
    sha1(block, h)
    for i in range(20):
        digest[i] = <uint8_t>(h[i >> 2] >> (24 - 8 * (i & 3)))
    digest[20] = 0
    out[0] = c"1"
    out[1] = c":"
    for i in range(7):
        group = (<uint32_t>digest[3 * i] << 16) | (<uint32_t>digest[3 * i + 1] << 8) | digest[3 * i + 2]
        out[2 + 4 * i] = BASE64[group >> 18]
        out[3 + 4 * i] = BASE64[(group >> 12) & 63]
        out[4 + 4 * i] = BASE64[(group >> 6) & 63]
        out[5 + 4 * i] = BASE64[group & 63]
    out[29] = c"="
    return 30
