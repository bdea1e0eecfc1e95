# Packet filters over the frames of a capture file: the machine of classic BPF (McCanne and Jacobson, 1993; Linux's
# filter.txt). Live, the kernel of the machine runs the same programs.
#
# A program comes from libpcap and is not believed all the same: jumps go forward and stay inside, a load outside of what
# was captured ends it with "no", as a division by zero does.

cdef bint lets_pass(
    Scout self, const Instruction* code, uint32_t count, Py_ssize_t at, uint32_t have, uint32_t wire
) except? False nogil:
    """Whether a program takes a frame."""
    cdef uint32_t a = 0, x = 0, operand, where = 0, kind, size
    cdef uint32_t[16] memory
    cdef uint64_t place
    cdef const Instruction* one
    cdef bint holds
    memset(memory, 0, sizeof(memory))
    while where < count:
        one = &code[where]
        where += 1
        kind = one.code & 0x07
        operand = x if one.code & 0x08 else one.k
        if kind == 0 or kind == 1:  # load into A or X
            size = 4 >> ((one.code >> 3) & 3)
            if one.code & 0xE0 == 0x00:
                place = one.k
            elif one.code & 0xE0 == 0x60:
                place = memory[one.k & 15]
            elif one.code & 0xE0 == 0x80:
                place = wire
            else:
                place = one.k
                if one.code & 0xE0 == 0x40:
                    place += x
                elif one.code & 0xE0 == 0xA0:
                    size = 1
                if size == 0 or place + size > have:
                    return False
                if one.code & 0xE0 == 0xA0:
                    place = (self.octets[at + <Py_ssize_t>place] & 15) * 4
                elif size == 4:
                    place = four(self, at + <Py_ssize_t>place)
                elif size == 2:
                    place = two(self, at + <Py_ssize_t>place)
                else:
                    place = self.octets[at + <Py_ssize_t>place]
            if kind == 0:
                a = <uint32_t>place
            else:
                x = <uint32_t>place
        elif kind == 2:
            memory[one.k & 15] = a
        elif kind == 3:
            memory[one.k & 15] = x
        elif kind == 4:
            kind = one.code & 0xF0
            if (kind == 0x30 or kind == 0x90) and operand == 0:
                return False
            if kind == 0x00:
                a += operand
            elif kind == 0x10:
                a -= operand
            elif kind == 0x20:
                a *= operand
            elif kind == 0x30:
                a //= operand
            elif kind == 0x40:
                a |= operand
            elif kind == 0x50:
                a &= operand
            elif kind == 0x60:
                a = a << operand if operand < 32 else 0
            elif kind == 0x70:
                a = a >> operand if operand < 32 else 0
            elif kind == 0x80:
                a = 0 - a
            elif kind == 0x90:
                a %= operand
            elif kind == 0xA0:
                a ^= operand
            else:
                return False
        elif kind == 5:
            kind = one.code & 0xF0
            if kind == 0x00:
                if one.k >= count:
                    return False
                where += one.k
                continue
            if kind == 0x10:
                holds = a == operand
            elif kind == 0x20:
                holds = a > operand
            elif kind == 0x30:
                holds = a >= operand
            elif kind == 0x40:
                holds = a & operand != 0
            else:
                return False
            where += one.jt if holds else one.jf
        elif kind == 6:
            return (a if one.code & 0x18 == 0x10 else one.k) != 0
        elif one.code & 0x80:
            a = x
        else:
            x = a
    return False
