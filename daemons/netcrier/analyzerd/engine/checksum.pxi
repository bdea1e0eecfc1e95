# Checksums (RFC 1071), summed eight bytes at a time.

cdef uint32_t pseudo(Kernel self, Packet* p, Py_ssize_t size) noexcept nogil:
    """The sum of the pseudo header, not yet folded to 16 bits."""
    cdef uint64_t total = <uint64_t>size + p.protocol
    total += halves(p.src_lo & (0xFFFFFFFFU if p.version == 4 else 0xFFFFFFFFFFFFFFFFULL)) + halves(p.src_hi)
    total += halves(p.dst_lo & (0xFFFFFFFFU if p.version == 4 else 0xFFFFFFFFFFFFFFFFULL)) + halves(p.dst_hi)
    return <uint32_t>total

cdef uint32_t ones(Kernel self, Py_ssize_t at, Py_ssize_t size, uint32_t start) except 0xFFFFFFFFU nogil:
    """The one's complement sum of `size` bytes, with `start` added: 0xFFFF where a checksum is right.

    Whole words stand at multiples of eight from the buffer's start; an odd `at` swaps the sum's bytes.
    """
    cdef Py_ssize_t stop = at + size, word = (at + 7) >> 3, last = stop >> 3, i, head
    cdef uint64_t low = 0, high = 0, value
    cdef const uint64_t[::1] words
    if last > self.words.shape[0]:
        last = self.words.shape[0]
    head = min(word << 3, stop)
    for i in range(at, head):
        low += <uint64_t>self.octets[i] << ((i & 1) << 3)
    if word < last:
        if last - word < WORDS_MANY:
            for i in range(word, last):
                value = self.words[i]
                low += value & 0xFFFFFFFFU
                high += value >> 32
        else:
            words = self.words[word:last]  # its own bounds are the loop's, so the compiler sums several at a time
            for i in range(words.shape[0]):
                low += words[i] & 0xFFFFFFFFU
                high += words[i] >> 32
        head = last << 3
    for i in range(head, stop):
        low += <uint64_t>self.octets[i] << ((i & 1) << 3)
    low = fold((low & 0xFFFFFFFFU) + (low >> 32) + (high & 0xFFFFFFFFU) + (high >> 32))
    if not at & 1:
        low = ((low & 0xFF) << 8) | (low >> 8)
    return <uint32_t>fold(low + start)
