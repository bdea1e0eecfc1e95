"""What the engine's logs say: every field of conn.log, tunnel.log and weird.log, in the order in which it is written.

Fields that Zeek has bear Zeek's names and meaning. A field that is not set is left out. Times are epoch seconds with
six decimals, or RFC 3339 with `log.time = "iso"`; intervals are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its type in Zeek's words, and what it says."""

    name: str
    kind: str
    text: str


_ID = (
    Field("id.orig_h", "addr", "originator's address"),
    Field("id.orig_p", "port", "originator's port; ICMP: the type of the first message"),
    Field("id.resp_h", "addr", "responder's address"),
    Field("id.resp_p", "port", "responder's port; ICMP: the type that answers, or the code"),
)

CONN = (
    Field("ts", "time", "first packet"),
    Field("uid", "string", "of this conversation, the same in every log"),
    *_ID,
    Field("proto", "enum", "tcp, udp, icmp or unknown_transport"),
    Field("service", "string", "what was recognised inside"),
    Field("duration", "interval", "from the first packet to the last"),
    Field("orig_bytes", "count", "payload bytes; TCP: from sequence numbers"),
    Field("resp_bytes", "count", "likewise"),
    Field("conn_state", "string", "S0 S1 SF REJ S2 S3 RSTO RSTR RSTOS0 RSTRH SH SHR OTH"),
    Field("local_orig", "bool", "the address is of a private network"),
    Field("local_resp", "bool", "likewise"),
    Field("missed_bytes", "count", "bytes of gaps, of both directions"),
    Field("history", "string", "s h a d f r c g t w i q ^ x; upper case: the originator"),
    Field("orig_pkts", "count", "packets"),
    Field("orig_ip_bytes", "count", "bytes by the IP headers"),
    Field("resp_pkts", "count", "packets"),
    Field("resp_ip_bytes", "count", "bytes by the IP headers"),
    Field("tunnel_parents", "set[string]", "uid of the tunnel in which it began"),
    Field("ip_proto", "count", "protocol number of the IP header"),
    Field("community_id", "string", "Community ID, version 1, seed 0; none of SCTP"),
    Field("orig_l2_addr", "string", "MAC address on the originator's side, at the first packet"),
    Field("resp_l2_addr", "string", "likewise of the responder's side"),
    Field("vlan", "count", "outer VLAN, at the first packet"),
    Field("inner_vlan", "count", "inner VLAN"),
    Field("interface", "string", "where it was captured"),
    Field("orig_rtt", "interval", "handshake: from SYN-ACK to ACK, the round trip on the originator's side"),
    Field("resp_rtt", "interval", "handshake: from SYN to SYN-ACK; neither where one of them was repeated"),
    Field("orig_retransmits", "count", "segments with nothing new"),
    Field("resp_retransmits", "count", "likewise"),
    Field("orig_out_of_order", "count", "segments that came after a later one and had something new"),
    Field("resp_out_of_order", "count", "likewise"),
    Field("orig_dup_acks", "count", "acknowledgements that say the same again while data is outstanding"),
    Field("resp_dup_acks", "count", "likewise"),
    Field("orig_zero_windows", "count", "segments that closed the window; stops at 65535"),
    Field("resp_zero_windows", "count", "likewise"),
    Field("orig_lost_bytes", "count", "bytes of gaps in what the originator sent"),
    Field("resp_lost_bytes", "count", "likewise"),
    Field("orig_mss", "count", "maximum segment size that it announced"),
    Field("resp_mss", "count", "likewise"),
    Field("orig_tcp_flags", "string", "flags seen, of FSRPAUEC"),
    Field("resp_tcp_flags", "string", "likewise"),
    Field("orig_ttl_min", "count", "least time to live or hop limit"),
    Field("orig_ttl_max", "count", "most, where it is another"),
    Field("resp_ttl_min", "count", "least"),
    Field("resp_ttl_max", "count", "most, where it is another"),
    Field("first_payload", "time", "first packet with payload; to a millisecond beyond 35 minutes after ts"),
    Field("last_payload", "time", "last one, likewise"),
    Field("partial", "bool", "true: it goes on (log.interim); a later record bears the same uid"),
    Field("orig_bytes_delta", "count", "of a conversation with partial records: what came since the one before"),
    Field("resp_bytes_delta", "count", "likewise"),
    Field("orig_pkts_delta", "count", "likewise"),
    Field("orig_ip_bytes_delta", "count", "likewise"),
    Field("resp_pkts_delta", "count", "likewise"),
    Field("resp_ip_bytes_delta", "count", "likewise"),
)

TUNNEL = (
    Field("ts", "time", "when it was found or ended"),
    Field("uid", "string", "of the tunnel's conversation, or of the pair of addresses"),
    *_ID,
    Field("tunnel_type", "enum", "Tunnel::IP, GRE, VXLAN, GENEVE, GTPv1, TEREDO or AYIYA"),
    Field("action", "enum", "Tunnel::DISCOVER, CLOSE, or EXPIRE after an hour in which nothing began inside"),
)

WEIRD = (
    Field("ts", "time", "when it was seen"),
    Field("uid", "string", "of the conversation, if one is concerned"),
    *_ID,
    Field("name", "string", "Zeek's name of it; ends in _in_tunnel where it was met inside one"),
    Field("addl", "string", "a detail"),
    Field("notice", "bool", "whether Zeek would raise a notice"),
    Field("source", "string", "which analyzer says so"),
)

LOGS = {"conn": CONN, "tunnel": TUNNEL, "weird": WEIRD}
