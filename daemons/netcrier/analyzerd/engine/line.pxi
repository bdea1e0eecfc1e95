# A conn line: the record of a conversation as one line of JSON, straight from the struct.
#
# Zeek's fields in Zeek's order, unset ones left out; then ours (the table of them is in logs/conn.py).

cdef int write_line(Kernel self, uint32_t slot, bint partial) noexcept nogil:
    """The record as it stands; `partial` for one of a conversation that goes on."""
    cdef const Conversation* c = &self.slab[slot]
    cdef Lines* o = &self.logs[CONN_LOG]
    cdef uint64_t sent = end_bytes(c, &c.orig, &c.resp), received = end_bytes(c, &c.resp, &c.orig)
    if not self.wants[CONN_LOG] or not room_for_line(o):
        return 0
    o.count += 1
    text(o, b'{"ts":')
    stamp_text(self, o, c.start)
    text(o, b',"uid":"')
    uid_text(self, o, c.serial)
    text(o, b'",')
    ends_text(o, c.orig_hi, c.orig_lo, c.orig_port, c.resp_hi, c.resp_lo, c.resp_port, c.flags & IS_V6 != 0)
    text(o, b',"proto":"')
    text(o, proto_name(c.protocol))
    text(o, b'"')
    if c.service:
        text(o, b',"service":"')
        text(o, service_name(c.service))
        text(o, b'"')
    if c.last > c.start:
        text(o, b',"duration":')
        time_text(o, c.last - c.start)
        counted(o, b',"orig_bytes":', sent)
        counted(o, b',"resp_bytes":', received)
    text(o, b',"conn_state":"')
    text(o, conn_state(c))
    text(o, b'","local_orig":true' if is_local(c.orig_hi, c.orig_lo) else b'","local_orig":false')
    text(o, b',"local_resp":true' if is_local(c.resp_hi, c.resp_lo) else b',"local_resp":false')
    counted(o, b',"missed_bytes":', c.orig.lost + c.resp.lost)
    if c.history_length:
        history_text(self, o, c)
    counted(o, b',"orig_pkts":', c.orig.packets)
    counted(o, b',"orig_ip_bytes":', c.orig.ip_bytes)
    counted(o, b',"resp_pkts":', c.resp.packets)
    counted(o, b',"resp_ip_bytes":', c.resp.ip_bytes)
    if c.parent:
        text(o, b',"tunnel_parents":["')
        uid_text(self, o, c.parent)
        text(o, b'"]')
    counted(o, b',"ip_proto":', c.protocol)
    if c.protocol != SCTP:  # its ports belong to the id, and no conversation has them
        text(o, b',"community_id":"')
        o.written += community(c, o.data + o.written)
        text(o, b'"')
    link_text(self, o, c)
    if c.protocol == TCP:
        tcp_text(o, c)
    measures_text(self, o, c)
    if partial:
        text(o, b',"partial":true')
    if c.flags & HAD_PARTIAL:
        deltas_text(self, o, c, sent, received)
    text(o, b"}\n")
    return 0

cdef inline int counted(Lines* o, const char* name, uint64_t value) noexcept nogil:
    text(o, name)
    return number_text(o, value)

cdef inline int where_any(Lines* o, const char* name, uint64_t value) noexcept nogil:
    """A counter that is left out where it is 0."""
    return counted(o, name, value) if value else 0

cdef int history_text(Kernel self, Lines* o, const Conversation* c) noexcept nogil:
    """All letters; of a history longer than a line's room what fits."""
    cdef uint32_t side = c.sides
    text(o, b',"history":"')
    memcpy(o.data + o.written, c.history, c.history_length)
    o.written += c.history_length
    while side != NOWHERE:
        if self.sides[side].kind == LETTERS:
            memcpy(o.data + o.written, self.sides[side].text, self.sides[side].length)
            o.written += self.sides[side].length
            if not room_for_line(o):
                break
        side = self.sides[side].next
    return text(o, b'"')

cdef int link_text(Kernel self, Lines* o, const Conversation* c) noexcept nogil:
    if any_octet(c.orig.mac) or any_octet(c.resp.mac):
        text(o, b',"orig_l2_addr":"')
        mac_text(o, c.orig.mac)
        text(o, b'","resp_l2_addr":"')
        mac_text(o, c.resp.mac)
        text(o, b'"')
    where_any(o, b',"vlan":', c.vlan)
    where_any(o, b',"inner_vlan":', c.inner_vlan)
    if self.interface[0]:
        text(o, b',"interface":"')
        text(o, self.interface)
        text(o, b'"')
    return 0

cdef int flags_text(Lines* o, uint8_t flags) noexcept nogil:
    """FSRPAUEC, for the bits from the lowest."""
    cdef int i
    for i in range(8):
        if flags >> i & 1:
            o.data[o.written] = b"FSRPAUEC"[i]
            o.written += 1
    return 0

cdef int tcp_text(Lines* o, const Conversation* c) noexcept nogil:
    """What Zeek lacks about a TCP conversation, each for both ends."""
    if c.orig.rtt:
        text(o, b',"orig_rtt":')
        time_text(o, <int64_t>(c.orig.rtt - 1) * 1000)
    if c.resp.rtt:
        text(o, b',"resp_rtt":')
        time_text(o, <int64_t>(c.resp.rtt - 1) * 1000)
    where_any(o, b',"orig_retransmits":', c.orig.retransmitted - c.orig.out_of_order)
    where_any(o, b',"resp_retransmits":', c.resp.retransmitted - c.resp.out_of_order)
    where_any(o, b',"orig_out_of_order":', c.orig.out_of_order)
    where_any(o, b',"resp_out_of_order":', c.resp.out_of_order)
    where_any(o, b',"orig_dup_acks":', c.orig.dup_acks)
    where_any(o, b',"resp_dup_acks":', c.resp.dup_acks)
    where_any(o, b',"orig_zero_windows":', c.orig.zero_windows)
    where_any(o, b',"resp_zero_windows":', c.resp.zero_windows)
    where_any(o, b',"orig_lost_bytes":', c.orig.lost)
    where_any(o, b',"resp_lost_bytes":', c.resp.lost)
    where_any(o, b',"orig_mss":', c.orig.mss)
    where_any(o, b',"resp_mss":', c.resp.mss)
    if c.orig.tcp_flags:
        text(o, b',"orig_tcp_flags":"')
        flags_text(o, c.orig.tcp_flags)
        text(o, b'"')
    if c.resp.tcp_flags:
        text(o, b',"resp_tcp_flags":"')
        flags_text(o, c.resp.tcp_flags)
        text(o, b'"')
    return 0

cdef int measures_text(Kernel self, Lines* o, const Conversation* c) noexcept nogil:
    if c.orig.packets:
        counted(o, b',"orig_ttl_min":', c.orig.ttl_min)
        if c.orig.ttl_max != c.orig.ttl_min:
            counted(o, b',"orig_ttl_max":', c.orig.ttl_max)
    if c.resp.packets:
        counted(o, b',"resp_ttl_min":', c.resp.ttl_min)
        if c.resp.ttl_max != c.resp.ttl_min:
            counted(o, b',"resp_ttl_max":', c.resp.ttl_max)
    if c.first_payload:
        text(o, b',"first_payload":')
        stamp_text(self, o, c.start + from_offset(c.first_payload))
        text(o, b',"last_payload":')
        stamp_text(self, o, c.start + from_offset(c.last_payload))
    return 0

cdef int deltas_text(
    Kernel self, Lines* o, const Conversation* c, uint64_t sent, uint64_t received
) noexcept nogil:
    """What came since the partial record before this one."""
    cdef const Interim* was = interim_of(self, c)
    if was == NULL:
        return 0
    counted(o, b',"orig_bytes_delta":', sent - was.bytes[0] if sent > was.bytes[0] else 0)
    counted(o, b',"resp_bytes_delta":', received - was.bytes[1] if received > was.bytes[1] else 0)
    counted(o, b',"orig_pkts_delta":', c.orig.packets - was.packets[0])
    counted(o, b',"orig_ip_bytes_delta":', c.orig.ip_bytes - was.ip_bytes[0])
    counted(o, b',"resp_pkts_delta":', c.resp.packets - was.packets[1])
    return counted(o, b',"resp_ip_bytes_delta":', c.resp.ip_bytes - was.ip_bytes[1])
