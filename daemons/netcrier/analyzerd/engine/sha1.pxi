# SHA-1 (FIPS 180-4) of one block, from the initial state: enough for the at most 40 bytes of a community id.
#
# By the processor's own instructions where it has them (Intel's SHA extensions, which AMD has too), which is asked for
# once; else in plain C.

cdef extern from *:
    """
    #if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
    #include <cpuid.h>
    #include <immintrin.h>
    #define NETCRIER_FOUR(number, kind) \\
        if (number >= 4) \\
            w[number & 3] = _mm_sha1msg2_epu32(_mm_xor_si128(_mm_sha1msg1_epu32(w[number & 3], \\
                w[(number + 1) & 3]), w[(number + 2) & 3]), w[(number + 3) & 3]); \\
        e = number ? _mm_sha1nexte_epu32(before, w[number & 3]) : _mm_add_epi32(e, w[0]); \\
        before = abcd; \\
        abcd = _mm_sha1rnds4_epu32(abcd, e, kind);
    #define NETCRIER_TWENTY(first, kind) \\
        NETCRIER_FOUR(first, kind) NETCRIER_FOUR(first + 1, kind) NETCRIER_FOUR(first + 2, kind) \\
        NETCRIER_FOUR(first + 3, kind) NETCRIER_FOUR(first + 4, kind)
    __attribute__((target("sha,sse4.1,ssse3")))
    static void netcrier_sha1_fast(const uint8_t* block, uint32_t* h) {
        const __m128i turned = _mm_set_epi64x(0x0001020304050607LL, 0x08090A0B0C0D0E0FLL);
        const __m128i begun = _mm_set_epi32(0x67452301, (int)0xEFCDAB89u, (int)0x98BADCFEu, 0x10325476);
        const __m128i last = _mm_set_epi32((int)0xC3D2E1F0u, 0, 0, 0);
        __m128i w[4], abcd = begun, e = last, before = begun;
        for (int i = 0; i < 4; i++)
            w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i*)(block + 16 * i)), turned);
        NETCRIER_TWENTY(0, 0)
        NETCRIER_TWENTY(5, 1)
        NETCRIER_TWENTY(10, 2)
        NETCRIER_TWENTY(15, 3)
        e = _mm_sha1nexte_epu32(before, last);
        abcd = _mm_add_epi32(abcd, begun);
        h[0] = (uint32_t)_mm_extract_epi32(abcd, 3);
        h[1] = (uint32_t)_mm_extract_epi32(abcd, 2);
        h[2] = (uint32_t)_mm_extract_epi32(abcd, 1);
        h[3] = (uint32_t)_mm_extract_epi32(abcd, 0);
        h[4] = (uint32_t)_mm_extract_epi32(e, 3);
    }
    /* Leaf 1: SSSE3 and SSE4.1; leaf 7: SHA. */
    static int netcrier_has_sha1(void) {
        unsigned a, b, c, d;
        if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & 1u << 9) || !(c & 1u << 19))
            return 0;
        return __get_cpuid_count(7, 0, &a, &b, &c, &d) && b & 1u << 29;
    }
    #else
    static void netcrier_sha1_fast(const uint8_t* block, uint32_t* h) {
        (void)block;
        (void)h;
    }
    static int netcrier_has_sha1(void) { return 0; }
    #endif
    """
    void sha1_fast "netcrier_sha1_fast"(const uint8_t* block, uint32_t* h) noexcept nogil
    bint has_sha1 "netcrier_has_sha1"() noexcept nogil

cdef bint SHA1_FAST = has_sha1()

cdef inline void sha1(const uint8_t* block, uint32_t* h) noexcept nogil:
    if SHA1_FAST:
        sha1_fast(block, h)
    else:
        sha1_plain(block, h)

def sha1_of(bytes data, *, bint plain):
    """The digest of up to 55 bytes, for tests: in plain C, or as this machine does it."""
    cdef uint8_t[64] block
    cdef uint32_t[5] h
    if len(data) > 55:
        raise ValueError("more than one block")
    memset(block, 0, 64)
    memcpy(block, <const char*>data, len(data))
    block[len(data)] = 0x80
    block[62], block[63] = len(data) >> 5, (len(data) << 3) & 0xFF
    if plain:
        sha1_plain(block, h)
    else:
        sha1(block, h)
    return b"".join(part.to_bytes(4, "big") for part in h)

cdef inline uint32_t turn(uint32_t value, int bits) noexcept nogil:
    return (value << bits) | (value >> (32 - bits))

cdef inline uint32_t widen(uint32_t* w, int i) noexcept nogil:
    """The next word of the schedule, in a window of the last 16."""
    if i >= 16:
        w[i & 15] = turn(w[(i - 3) & 15] ^ w[(i - 8) & 15] ^ w[(i - 14) & 15] ^ w[i & 15], 1)
    return w[i & 15]

cdef void sha1_plain(const uint8_t* block, uint32_t* h) noexcept nogil:
    cdef uint32_t[16] w
    cdef uint32_t a = 0x67452301, b = 0xEFCDAB89U, c = 0x98BADCFEU, d = 0x10325476, e = 0xC3D2E1F0U, t
    cdef int i
    for i in range(16):
        w[i] = (
            (<uint32_t>block[4 * i] << 24) | (<uint32_t>block[4 * i + 1] << 16)
            | (<uint32_t>block[4 * i + 2] << 8) | block[4 * i + 3]
        )
    for i in range(20):
        t = (d ^ (b & (c ^ d))) + 0x5A827999 + turn(a, 5) + e + widen(w, i)
        e, d, c, b, a = d, c, turn(b, 30), a, t
    for i in range(20, 40):
        t = (b ^ c ^ d) + 0x6ED9EBA1 + turn(a, 5) + e + widen(w, i)
        e, d, c, b, a = d, c, turn(b, 30), a, t
    for i in range(40, 60):
        t = ((b & c) | (d & (b | c))) + 0x8F1BBCDCU + turn(a, 5) + e + widen(w, i)
        e, d, c, b, a = d, c, turn(b, 30), a, t
    for i in range(60, 80):
        t = (b ^ c ^ d) + 0xCA62C1D6U + turn(a, 5) + e + widen(w, i)
        e, d, c, b, a = d, c, turn(b, 30), a, t
    h[0] = a + 0x67452301
    h[1] = b + 0xEFCDAB89U
    h[2] = c + 0x98BADCFEU
    h[3] = d + 0x10325476
    h[4] = e + 0xC3D2E1F0U
