# Checksums (RFC 1071), summed eight bytes at a time, or more where the processor can.

cdef extern from *:
    """
    #if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
    #define NETCRIER_WIDE __attribute__((target_clones("avx2", "default")))
    #else
    #define NETCRIER_WIDE
    #endif
    /* The 32-bit halves of so many words, added; fewer than 2^32 of them. */
    NETCRIER_WIDE static uint64_t netcrier_sum(const uint64_t* words, size_t count) {
        uint64_t low = 0, high = 0;
        for (size_t i = 0; i < count; i++) {
            low += words[i] & 0xFFFFFFFFu;
            high += words[i] >> 32;
        }
        return (low & 0xFFFFFFFFu) + (low >> 32) + (high & 0xFFFFFFFFu) + (high >> 32);
    }
    """
    uint64_t sum_of_words "netcrier_sum"(const uint64_t* words, size_t count) noexcept nogil

cdef uint32_t pseudo(Decoder self, Packet* p, Py_ssize_t size) noexcept nogil:
    """The sum of the pseudo header, not yet folded to 16 bits."""
    cdef uint64_t total = <uint64_t>size + p.protocol
    total += halves(p.src_lo & (0xFFFFFFFFU if p.version == 4 else 0xFFFFFFFFFFFFFFFFULL)) + halves(p.src_hi)
    total += halves(p.dst_lo & (0xFFFFFFFFU if p.version == 4 else 0xFFFFFFFFFFFFFFFFULL)) + halves(p.dst_hi)
    return <uint32_t>total

cdef uint32_t ones(Decoder self, Py_ssize_t at, Py_ssize_t size, uint32_t start) except 0xFFFFFFFFU nogil:
    """The one's complement sum of `size` bytes, with `start` added: 0xFFFF where a checksum is right.

    Words stand at multiples of eight from the buffer's start (little endian); an odd `at` swaps the sum's bytes.
    """
    cdef Py_ssize_t stop = at + size, word = at >> 3, last = stop >> 3, i
    cdef uint64_t total = 0, first = <uint64_t>0xFFFFFFFFFFFFFFFFULL << ((at & 7) << 3)
    cdef uint64_t rest = ((<uint64_t>1) << ((stop & 7) << 3)) - 1
    if size <= 0:
        return <uint32_t>fold(start)
    if last > word:
        total = parts(self.words[word] & first)
        first = 0xFFFFFFFFFFFFFFFFULL
        word += 1
        if last - word < WORDS_MANY:
            for i in range(word, last):
                total += parts(self.words[i])
        else:
            total += parts(self.words[last - 1])  # the first and the last are in bounds: so is what lies between
            total += sum_of_words(&self.words[word], last - word - 1)
    if last < self.words.shape[0]:
        total += parts(self.words[last] & first & rest)
    else:
        for i in range(max(at, last << 3), stop):
            total += <uint64_t>self.octets[i] << ((i & 1) << 3)
    total = fold(parts(total))
    if not at & 1:
        total = ((total & 0xFF) << 8) | (total >> 8)
    return <uint32_t>fold(total + start)

cdef inline uint64_t parts(uint64_t word) noexcept nogil:
    """Both halves of a word, added."""
    return (word & 0xFFFFFFFFU) + (word >> 32)
