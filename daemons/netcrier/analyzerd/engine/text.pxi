# Text of the logs: numbers, times, addresses as JSON into a buffer of whole lines, one buffer for each log.

cdef inline int text(Lines* o, const char* letters) noexcept nogil:
    cdef size_t n = strlen(letters)
    memcpy(o.data + o.written, letters, n)
    o.written += n
    return 0

cdef const char* HUNDRED = (
    b"0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849"
    b"5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899"
)

cdef inline int number_text(Lines* o, uint64_t value) noexcept nogil:
    """In place, from the last digit: what is copied has a fixed size."""
    cdef char* at
    cdef uint64_t power = 10
    cdef int n = 1
    while n < 20 and value >= power:
        n += 1
        power *= 10
    o.written += n
    at = o.data + o.written
    while value >= 100:
        at -= 2
        memcpy(at, HUNDRED + 2 * (value % 100), 2)
        value //= 100
    if value >= 10:
        memcpy(at - 2, HUNDRED + 2 * value, 2)
    else:
        (at - 1)[0] = 48 + <char>value
    return 0

cdef int time_text(Lines* o, int64_t nanoseconds) noexcept nogil:
    """Seconds with six places, rounded."""
    cdef uint64_t micro
    cdef uint64_t rest
    if nanoseconds < 0:
        o.data[o.written] = c"-"
        o.written += 1
        nanoseconds = -nanoseconds
    micro = (<uint64_t>nanoseconds + 500) // 1000
    number_text(o, micro // 1000000)
    rest = micro % 1000000
    o.data[o.written] = c"."
    memcpy(o.data + o.written + 1, HUNDRED + 2 * (rest // 10000), 2)
    memcpy(o.data + o.written + 3, HUNDRED + 2 * (rest // 100 % 100), 2)
    memcpy(o.data + o.written + 5, HUNDRED + 2 * (rest % 100), 2)
    o.written += 7
    return 0

cdef inline int padded(Lines* o, uint64_t value, int width, char after) noexcept nogil:
    cdef int i
    for i in range(width):
        o.data[o.written + width - 1 - i] = 48 + <char>(value % 10)
        value //= 10
    o.data[o.written + width] = after
    o.written += width + 1
    return 0

cdef int date_text(Lines* o, int64_t nanoseconds) noexcept nogil:
    """RFC 3339 in UTC with six places, quoted. The civil date counts years from March, in eras of 400."""
    cdef uint64_t micro = (<uint64_t>nanoseconds + 500) // 1000, seconds = micro // 1000000
    cdef uint64_t day = seconds // 86400 + 719468, era = day // 146097, of_era = day % 146097
    cdef uint64_t year = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    cdef uint64_t of_year = of_era - (365 * year + year // 4 - year // 100), month = (5 * of_year + 2) // 153
    cdef uint64_t of_month = of_year - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9
    text(o, b'"')
    padded(o, year + era * 400 + (1 if month <= 2 else 0), 4, c"-")
    padded(o, month, 2, c"-")
    padded(o, of_month, 2, c"T")
    padded(o, seconds % 86400 // 3600, 2, c":")
    padded(o, seconds % 3600 // 60, 2, c":")
    padded(o, seconds % 60, 2, c".")
    padded(o, micro % 1000000, 6, c"Z")
    text(o, b'"')
    return 0

cdef int address_text(Lines* o, uint64_t hi, uint64_t lo, bint v6) noexcept nogil:
    """Dotted for IPv4, RFC 5952 for IPv6."""
    cdef int i, n, best = -1, best_size = 1, size
    cdef uint16_t[8] parts
    if not v6:
        for i in range(4):
            number_text(o, (lo >> (24 - 8 * i)) & 0xFF)
            if i < 3:
                o.data[o.written] = c"."
                o.written += 1
        return 0
    for i in range(4):
        parts[i] = <uint16_t>(hi >> (48 - 16 * i))
        parts[4 + i] = <uint16_t>(lo >> (48 - 16 * i))
    if hi == 0 and lo >> 32 == 0xFFFF:
        text(o, b"::ffff:")
        return address_text(o, 0, lo, False)
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
            text(o, b"::")
            i += best_size
            continue
        if i and i != best + best_size:
            o.data[o.written] = c":"
            o.written += 1
        elif i and best < 0:
            o.data[o.written] = c":"
            o.written += 1
        n = 12
        while n and parts[i] >> n == 0:
            n -= 4
        while n >= 0:
            o.data[o.written] = HEX[(parts[i] >> n) & 15]
            o.written += 1
            n -= 4
        i += 1
    return 0

cdef int mac_text(Lines* o, const uint8_t* mac) noexcept nogil:
    cdef int i
    for i in range(6):
        o.data[o.written] = HEX[mac[i] >> 4]
        o.data[o.written + 1] = HEX[mac[i] & 15]
        o.data[o.written + 2] = c":"
        o.written += 3
    o.written -= 1
    return 0

cdef int room_for_line(Lines* o) noexcept nogil:
    """Whether LINE_MOST bytes more fit; the buffer grows as it must. A line without room is counted."""
    cdef char* wider
    if o.written + LINE_MOST <= o.size:
        return 1
    wider = <char*>realloc(o.data, o.size * 2)
    if wider == NULL:
        o.lost += 1
        return 0
    o.data = wider
    o.size *= 2
    return 1

cdef int stamp_text(Kernel self, Lines* o, int64_t time) noexcept nogil:
    """A time as the logs are configured: epoch seconds, or RFC 3339."""
    return date_text(o, time) if self.iso else time_text(o, time)

cdef int uid_text(Kernel self, Lines* o, uint32_t serial) noexcept nogil:
    """"C" and 96 bits in base62; `serial` is one of the last 2**32 that were given out."""
    cdef uint64_t whole = self.serial - <uint32_t>(<uint32_t>self.serial - serial)
    cdef uint64_t a = mix(whole ^ self.seed_a, self.seed_b ^ 0x9E3779B97F4A7C15ULL) ^ self.seed_c
    cdef uint64_t b = mix(whole ^ self.seed_c, self.seed_a ^ 0xD1B54A32D192ED03ULL) ^ self.seed_b
    o.data[o.written] = c"C"
    o.written += 1
    o.written += base62(<uint32_t>(a >> 32), <uint32_t>a, <uint32_t>b, o.data + o.written)
    return 0

cdef int ends_text(
    Lines* o, uint64_t src_hi, uint64_t src_lo, uint16_t src_port, uint64_t dst_hi, uint64_t dst_lo, uint16_t dst_port,
    bint v6,
) noexcept nogil:
    """Zeek's `id` with its four fields."""
    text(o, b'"id.orig_h":"')
    address_text(o, src_hi, src_lo, v6)
    text(o, b'","id.orig_p":')
    number_text(o, src_port)
    text(o, b',"id.resp_h":"')
    address_text(o, dst_hi, dst_lo, v6)
    text(o, b'","id.resp_p":')
    return number_text(o, dst_port)

def spelled(uint64_t value, *, bint nanoseconds=False):
    """A number, or a time in seconds, as the logs have it: for tests."""
    cdef char[64] letters
    cdef Lines lines
    lines.data, lines.written = letters, 0
    if nanoseconds:
        time_text(&lines, <int64_t>value)
    else:
        number_text(&lines, value)
    return letters[: lines.written].decode()

def base62_of(uint32_t high, uint32_t middle, uint32_t low):
    """96 bits as uids have them: for tests."""
    cdef char[20] letters
    return letters[: base62(high, middle, low, letters)].decode()
