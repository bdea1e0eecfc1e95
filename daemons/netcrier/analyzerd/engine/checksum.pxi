# Checksums (RFC 1071), summed eight bytes at a time, or more where the processor can.

cdef extern from *:
    """
    #include <string.h>
    #if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
    #define NETCRIER_WIDE __attribute__((target_clones("avx2", "default")))
    #else
    #define NETCRIER_WIDE
    #endif
    static inline uint64_t netcrier_word(const uint8_t* bytes) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        return word;
    }
    /* Both halves of so many words, added. */
    NETCRIER_WIDE static uint64_t netcrier_sum_many(const uint8_t* bytes, size_t words) {
        uint64_t low = 0, high = 0;
        for (size_t i = 0; i < words; i++) {
            low += netcrier_word(bytes + 8 * i) & 0xFFFFFFFFu;
            high += netcrier_word(bytes + 8 * i) >> 32;
        }
        return low + high;
    }
    /* The 16-bit parts of so many bytes in the machine's order (little endian), modulo 2^16 - 1; fewer than 2^32. */
    static inline uint64_t netcrier_sum(const uint8_t* bytes, size_t size) {
        uint64_t total = 0, rest = 0;
        const size_t left = size & 7;
        if (size >= 64) {
            total = netcrier_sum_many(bytes, size / 8);
            bytes += size & ~(size_t)7;
        } else
            for (size_t i = size / 8; i; i--, bytes += 8)
                total += (netcrier_word(bytes) & 0xFFFFFFFFu) + (netcrier_word(bytes) >> 32);
        if (left && size >= 8)
            rest = netcrier_word(bytes + left - 8) >> (64 - 8 * left);
        else
            for (size_t i = 0; i < left; i++)
                rest |= (uint64_t)bytes[i] << (8 * i);
        total += (rest & 0xFFFFFFFFu) + (rest >> 32);
        return (total & 0xFFFFFFFFu) + (total >> 32);
    }
    """
    uint64_t sum_of "netcrier_sum"(const uint8_t* bytes, size_t size) noexcept nogil

cdef uint32_t pseudo(Decoder self, Packet* p, Py_ssize_t size) noexcept nogil:
    """The sum of the pseudo header, not yet folded to 16 bits."""
    cdef uint64_t total = <uint64_t>size + p.protocol
    total += halves(p.src_lo & (0xFFFFFFFFU if p.version == 4 else 0xFFFFFFFFFFFFFFFFULL)) + halves(p.src_hi)
    total += halves(p.dst_lo & (0xFFFFFFFFU if p.version == 4 else 0xFFFFFFFFFFFFFFFFULL)) + halves(p.dst_hi)
    return <uint32_t>total

cdef uint32_t ones(Decoder self, Py_ssize_t at, Py_ssize_t size, uint32_t start) except 0xFFFFFFFFU nogil:
    """The one's complement sum of `size` bytes, with `start` added: 0xFFFF where a checksum is right."""
    if size <= 0:
        return <uint32_t>fold(start)
    return <uint32_t>fold((sum_of(span(self, at, size), size) << 8) + start)  # times 256 turns the bytes of the sum
