# Decoder: what can be said from the bytes of one packet alone. A Scout says it of the packets of a capture file, ahead
# of the kernel that follows them, and so in another thread: it has no conversations, fragments or tunnels, and writes
# no lines. A Portion is what one hands to the other.

cdef class Decoder:
    cdef const uint8_t[::1] octets
    cdef uint64_t seed_a, seed_b, seed_c
    cdef Py_ssize_t limit, reach
    cdef int checksums, depth
    cdef uint32_t hardware_vlan
    cdef bint scouting, left


cdef int look_into(Decoder self, whole) except -1:
    """Read these bytes from now on."""
    self.octets = whole
    return 0


@cython.final
cdef class Portion:
    """Bytes of a capture, and what was found in them."""

    cdef object store
    cdef Py_ssize_t end
    cdef Found* found
    cdef uint32_t count, followed

    def __cinit__(self, store):
        self.store = memoryview(store)
        self.found = <Found*>malloc(FOUND_MOST * sizeof(Found))
        if self.found == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.found)

    @property
    def data(self):
        """The bytes that are there."""
        return self.store[: self.end]

    @property
    def room(self):
        """Where more bytes may be put, which `add` then makes part of the data."""
        return self.store[self.end :]

    @property
    def full(self):
        """Whether more packets than are found may stand in the data."""
        return self.count == FOUND_MOST

    def begin(self, rest):
        """Anew, with these bytes of another portion; it grows where they would leave no room."""
        size = len(rest)
        if size >= len(self.store):
            self.store = memoryview(bytearray(2 * size))
        self.store[:size] = rest
        self.end, self.count, self.followed = size, 0, 0

    def add(self, Py_ssize_t size):
        """So many bytes were put into the room."""
        if not 0 <= size <= len(self.store) - self.end:
            raise ValueError("outside of the buffer")
        self.end += size


@cython.final
cdef class Scout(Decoder):
    cdef Portion portion
    cdef Found* found
    cdef uint32_t count, interface_count
    cdef bint big
    cdef int[INTERFACES] interface_link
    cdef uint64_t[INTERFACES] interface_resolution
    cdef int64_t[INTERFACES] interface_offset
    cdef uint32_t[INTERFACES] interface_snap
    cdef int[INTERFACES] interface_filter
    cdef Instruction[FILTERS][FILTER_MOST] filters
    cdef uint32_t[FILTERS] filter_sizes
    cdef int[FILTERS] filter_links
    cdef int filter_count
    cdef object program_of

    def __cinit__(self, Kernel kernel, program_of=None):
        """It goes ahead of this kernel. `program_of` gives the packet filter for a link type, as Linux has it."""
        self.program_of = program_of
        self.seed_a, self.seed_b, self.seed_c = kernel.seed_a, kernel.seed_b, kernel.seed_c
        self.checksums = kernel.checksums
        self.scouting = True

    def open(self, Portion portion not None):
        """Look into this portion from now on."""
        look_into(self, portion.data)
        self.portion, self.found, self.count = portion, portion.found, portion.count

    def pcap(self, Py_ssize_t at, Py_ssize_t end, *, bint big, int link, bint nanoseconds):
        """Walk pcap records; where it stopped: `end`, a record that is not whole, or the portion is full."""
        cdef int64_t unit = 1 if nanoseconds else 1000
        if not 0 <= at <= end <= self.octets.shape[0]:
            raise ValueError("outside of the buffer")
        self.big = big
        self.interface_filter[0] = self._filter(link)
        with nogil:
            at = pcap_records(self, at, end, link, unit)
        self.portion.count = self.count
        return at

    cdef int _filter(self, int link) except -2:
        """The number of the filter for a link type, made when it is needed; -1: none is asked for."""
        cdef int i
        cdef bytes code
        if self.program_of is None:
            return -1
        for i in range(self.filter_count):
            if self.filter_links[i] == link:
                return i
        code = self.program_of(link)
        if self.filter_count == FILTERS or len(code) > sizeof(Instruction) * FILTER_MOST:
            raise ValueError("too many link types for a filter")
        i = self.filter_count
        memcpy(self.filters[i], <const char*>code, len(code))
        self.filter_links[i] = link
        self.filter_sizes[i] = <uint32_t>(len(code) // sizeof(Instruction))
        self.filter_count += 1
        return i

    def section(self, *, bint big):
        """A pcapng section begins: no interfaces are known."""
        self.big = big
        self.interface_count = 0

    def add_interface(self, int link, uint64_t resolution, int64_t offset, uint32_t snap):
        """An interface of the section: ticks a second, and nanoseconds to add."""
        if self.interface_count == INTERFACES or resolution == 0:
            raise ValueError("too many interfaces, or a clock without ticks")
        self.interface_filter[self.interface_count] = self._filter(link)
        self.interface_link[self.interface_count] = link
        self.interface_resolution[self.interface_count] = resolution
        self.interface_offset[self.interface_count] = offset
        self.interface_snap[self.interface_count] = snap
        self.interface_count += 1

    def pcapng(self, Py_ssize_t at, Py_ssize_t end):
        """Walk packet blocks; where it stopped: as `pcap`, or a block that is not a packet."""
        if not 0 <= at <= end <= self.octets.shape[0]:
            raise ValueError("outside of the buffer")
        with nogil:
            at = pcapng_blocks(self, at, end)
        self.portion.count = self.count
        return at
