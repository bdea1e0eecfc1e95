# What weird.log can say: Zeek's names, the analyzer that says it, and how often it is said.
#
# EVERY: once in ten minutes for the same conversation, or pair of addresses, or (without either) name.
# HOST: once a day for the same originator. PAIR: as EVERY, but once a day. NOTED: as HOST, and marked as a notice.

cdef enum Scope:
    EVERY = 0
    HOST = 1
    PAIR = 2
    NOTED = 3

cdef enum:
    ABOVE_HOLE, ACK_UNDERFLOW, ACTIVE_REUSE, AYIYA_EMPTY, BAD_HOME, BAD_ICMP, BAD_IP, BAD_MH, BAD_SYN_ACK, BAD_TCP, BAD_TCP_LENGTH, BAD_UDP
    BAROQUE_SYN, CHRISTMAS, DATA_AFTER_RESET, DATA_BEFORE, DEEP_AYIYA, DEEP_GENEVE, DEEP_GTP, DEEP_IP
    DEEP_TEREDO, DEEP_VXLAN, EGRE_TYPE, ENCAP_NOT_IP, EXCESSIVE_DATA, FIN_ADVANCED, FIN_STORM, FRAGMENT_CHANGED, FRAGMENT_DF
    FRAGMENT_LARGE, FRAGMENT_OVERLAP, FRAGMENT_PROTOCOL, FRAGMENT_SIZE, FRAGMENT_SMALL, GENEVE_EMPTY, GENEVE_VERSION
    GRE_FLAGS, GRE_ROUTING, GRE_VERSION, HEADER_ZERO, IN_FIN, INNER_LENGTH, INNER_TRUNCATED, INNER_VERSION, IP_HEADER
    IP_MIN, MANY_HOMES, MH_PIGGYBACK, NO_NEXT6, NFLOG_NO_PAYLOAD, NFLOG_TLV, NFLOG_VERSION, NULL_SHORT, ORIG_SYN_ACK, PENDING_CLOSED, PPPOE_LESS, PPPOE_MORE
    PREMATURE_REUSE, REPEATED_REPLY, REPEATED_SYN_ACK, RST_STORM, ROUTE_HEADER, ROUTE_LENGTH, ROUTE_TYPE, ROUTE2_LENGTH, SCALE_RANGE, SEQ_UNDERFLOW, SIMULTANEOUS, SPLIT_ROUTING
    SYN_AFTER_CLOSE, SYN_AFTER_PARTIAL, SYN_AFTER_RESET, SYN_DATA, SYN_INSIDE, SYN_JUMP, SYN_JUMP_REUSE
    TEREDO_AUTH, TEREDO_BUBBLE, TEREDO_INNER, TEREDO_ORIGIN, TEREDO_SHORT, TRIPLE_VLAN, TWICE_ROUTED, SHORT_AMSDU_HEADER, SHORT_AMSDU, SHORT_ARP
    SHORT_CFP, SHORT_COOKED, SHORT_COOKED2, SHORT_ETHERNET, SHORT_FRAGMENT, SHORT_GRE, SHORT_HEADER_ICMP
    SHORT_HEADER_TCP, SHORT_HEADER_UDP, SHORT_IP, SHORT_IP_INNER, SHORT_IP_LENGTH, SHORT_LLC, SHORT_LLC80211, SHORT_MPLS
    SHORT_NFLOG, SHORT_PBB, SHORT_PPP, SHORT_PPPOE, SHORT_RADIOTAP, SHORT_SNAP, SHORT_SNAP_LLC, SHORT_VLAN, SHORT_VNTAG
    SHORT_WIRELESS, TRIM_ICMP, TRIM_TCP, TRIM_UDP, UDP_LENGTH, UNDEFINED_ETHER, UNDEFINED_VLAN, UNKNOWN_IP, VXLAN_EMPTY, WINDOW_RECISION
    ODDS

ctypedef struct Oddity:
    const char* name
    const char* source
    int scope
    int same      # the first of its name

ODDITIES = (
    (ABOVE_HOLE, b"above_hole_data_without_any_acks", b"TCP", EVERY),
    (ACK_UNDERFLOW, b"TCP_ack_underflow_or_misorder", b"TCP", EVERY),
    (ACTIVE_REUSE, b"active_connection_reuse", b"TCP", EVERY),
    (AYIYA_EMPTY, b"ayiya_empty_packet", b"AYIYA", EVERY),
    (BAD_HOME, b"bad_home_addr_len", b"", EVERY),
    (BAD_ICMP, b"bad_ICMP_checksum", b"ICMP", HOST),
    (BAD_IP, b"bad_IP_checksum", b"IP", HOST),
    (BAD_MH, b"bad_MH_checksum", b"IP", EVERY),
    (BAD_SYN_ACK, b"bad_SYN_ack", b"TCP", EVERY),
    (BAD_TCP, b"bad_TCP_checksum", b"TCP", HOST),
    (BAD_TCP_LENGTH, b"bad_TCP_header_len", b"TCP", EVERY),
    (BAD_UDP, b"bad_UDP_checksum", b"UDP", HOST),
    (BAROQUE_SYN, b"baroque_SYN", b"TCP", EVERY),
    (CHRISTMAS, b"TCP_christmas", b"TCP", EVERY),
    (DATA_AFTER_RESET, b"data_after_reset", b"TCP", EVERY),
    (DATA_BEFORE, b"data_before_established", b"TCP", EVERY),
    (DEEP_AYIYA, b"exceeded_tunnel_max_depth", b"AYIYA", EVERY),
    (DEEP_GENEVE, b"exceeded_tunnel_max_depth", b"GENEVE", EVERY),
    (DEEP_GTP, b"tunnel_depth", b"GTPV1", EVERY),
    (DEEP_IP, b"exceeded_tunnel_max_depth", b"IPTUNNEL", EVERY),
    (DEEP_TEREDO, b"exceeded_tunnel_max_depth", b"TEREDO", EVERY),
    (DEEP_VXLAN, b"exceeded_tunnel_max_depth", b"VXLAN", EVERY),
    (EGRE_TYPE, b"egre_protocol_type", b"GRE", EVERY),
    (ENCAP_NOT_IP, b"non_ip_packet_in_encap", b"GRE", EVERY),
    (EXCESSIVE_DATA, b"excessive_data_without_further_acks", b"TCP", EVERY),
    (FIN_ADVANCED, b"FIN_advanced_last_seq", b"TCP", EVERY),
    (FIN_STORM, b"FIN_storm", b"TCP", EVERY),
    (FRAGMENT_CHANGED, b"fragment_inconsistency", b"", HOST),
    (FRAGMENT_DF, b"fragment_with_DF", b"", EVERY),
    (FRAGMENT_LARGE, b"excessively_large_fragment", b"", EVERY),
    (FRAGMENT_OVERLAP, b"fragment_overlap", b"", HOST),
    (FRAGMENT_PROTOCOL, b"fragment_protocol_inconsistency", b"", EVERY),
    (FRAGMENT_SIZE, b"fragment_size_inconsistency", b"", HOST),
    (FRAGMENT_SMALL, b"excessively_small_fragment", b"", HOST),
    (GENEVE_EMPTY, b"geneve_empty_packet", b"GENEVE", EVERY),
    (GENEVE_VERSION, b"geneve_invalid_version", b"GENEVE", EVERY),
    (GRE_FLAGS, b"unknown_gre_flags", b"GRE", EVERY),
    (GRE_ROUTING, b"gre_routing", b"GRE", EVERY),
    (GRE_VERSION, b"unknown_gre_version", b"GRE", EVERY),
    (HEADER_ZERO, b"ip_hdr_len_zero", b"IP", EVERY),
    (IN_FIN, b"inappropriate_FIN", b"TCP", EVERY),
    (INNER_LENGTH, b"inner_IP_payload_length_mismatch", b"IPTUNNEL", EVERY),
    (INNER_TRUNCATED, b"truncated_inner_IP", b"IPTUNNEL", EVERY),
    (INNER_VERSION, b"invalid_inner_IP_version", b"IPTUNNEL", EVERY),
    (IP_HEADER, b"invalid_IP_header_size", b"IP", EVERY),
    (IP_MIN, b"IPv4_min_header_size", b"IP", EVERY),
    (MANY_HOMES, b"multiple_home_addr_opts", b"", EVERY),
    (MH_PIGGYBACK, b"mobility_piggyback", b"IP", EVERY),
    (NO_NEXT6, b"ipv6_no_next", b"IP", EVERY),
    (NFLOG_NO_PAYLOAD, b"nflog_no_pcap_payload", b"NFLOG", EVERY),
    (NFLOG_TLV, b"nflog_bad_tlv_len", b"NFLOG", EVERY),
    (NFLOG_VERSION, b"unknown_nflog_version", b"NFLOG", EVERY),
    (NULL_SHORT, b"null_analyzer_failed", b"NULL", EVERY),
    (ORIG_SYN_ACK, b"connection_originator_SYN_ack", b"TCP", HOST),
    (PENDING_CLOSED, b"pending_data_when_closed", b"TCP", EVERY),
    (PPPOE_LESS, b"pppoe_truncated_payload", b"PPPOE", EVERY),
    (PPPOE_MORE, b"pppoe_extra_data_after_payload", b"PPPOE", EVERY),
    (PREMATURE_REUSE, b"premature_connection_reuse", b"TCP", EVERY),
    (REPEATED_REPLY, b"repeated_SYN_reply_wo_ack", b"TCP", EVERY),
    (REPEATED_SYN_ACK, b"repeated_SYN_with_ack", b"TCP", EVERY),
    (RST_STORM, b"RST_storm", b"TCP", EVERY),
    (ROUTE_HEADER, b"routing0_hdr", b"", EVERY),
    (ROUTE_LENGTH, b"odd_routing0_len", b"", EVERY),
    (ROUTE_TYPE, b"unknown_routing_type", b"", EVERY),
    (ROUTE2_LENGTH, b"bad_routing2_len", b"", EVERY),
    (SCALE_RANGE, b"TCP_scale_range", b"TCP", EVERY),
    (SEQ_UNDERFLOW, b"TCP_seq_underflow_or_misorder", b"TCP", EVERY),
    (SIMULTANEOUS, b"simultaneous_open", b"TCP", PAIR),
    (SPLIT_ROUTING, b"possible_split_routing", b"", EVERY),
    (SYN_AFTER_CLOSE, b"SYN_after_close", b"TCP", EVERY),
    (SYN_AFTER_PARTIAL, b"SYN_after_partial", b"TCP", NOTED),
    (SYN_AFTER_RESET, b"SYN_after_reset", b"TCP", EVERY),
    (SYN_DATA, b"SYN_with_data", b"TCP", HOST),
    (SYN_INSIDE, b"SYN_inside_connection", b"", EVERY),
    (SYN_JUMP, b"SYN_seq_jump", b"", EVERY),
    (SYN_JUMP_REUSE, b"SYN_seq_jump", b"TCP", EVERY),
    (TEREDO_AUTH, b"truncated_Teredo_authentication", b"TEREDO", EVERY),
    (TEREDO_BUBBLE, b"Teredo_bubble_with_payload", b"TEREDO", EVERY),
    (TEREDO_INNER, b"truncated_IPv6_in_Teredo", b"TEREDO", EVERY),
    (TEREDO_ORIGIN, b"truncated_Teredo_origin_indication", b"TEREDO", EVERY),
    (TEREDO_SHORT, b"truncated_Teredo", b"TEREDO", EVERY),
    (TRIPLE_VLAN, b"triple_tagged_vlan_unsupported", b"VLAN", EVERY),
    (TWICE_ROUTED, b"multiple_routing_headers", b"", EVERY),
    (SHORT_AMSDU_HEADER, b"truncated_802_11_amsdu_header", b"IEEE802_11", EVERY),
    (SHORT_AMSDU, b"truncated_802_11_amsdu_packet", b"IEEE802_11", EVERY),
    (SHORT_ARP, b"truncated_ARP", b"ARP", EVERY),
    (SHORT_CFP, b"truncated_link_header_cfp", b"ETHERNET", EVERY),
    (SHORT_COOKED, b"truncated_Linux_SLL_header", b"LINUXSLL", EVERY),
    (SHORT_COOKED2, b"truncated_Linux_SLL2_header", b"LINUXSLL2", EVERY),
    (SHORT_ETHERNET, b"truncated_ethernet_frame", b"ETHERNET", EVERY),
    (SHORT_FRAGMENT, b"incompletely_captured_fragment", b"IP", EVERY),
    (SHORT_GRE, b"truncated_GRE", b"GRE", EVERY),
    (SHORT_HEADER_ICMP, b"truncated_header", b"ICMP", EVERY),
    (SHORT_HEADER_TCP, b"truncated_header", b"TCP", EVERY),
    (SHORT_HEADER_UDP, b"truncated_header", b"UDP", EVERY),
    (SHORT_IP, b"truncated_IP", b"IP", EVERY),
    (SHORT_IP_INNER, b"internally_truncated_header", b"IP", EVERY),
    (SHORT_IP_LENGTH, b"truncated_IP_len", b"IP", EVERY),
    (SHORT_LLC, b"truncated_llc_header", b"LLC", EVERY),
    (SHORT_LLC80211, b"truncated_802_11_llc_header", b"IEEE802_11", EVERY),
    (SHORT_MPLS, b"truncated_link_header", b"MPLS", EVERY),
    (SHORT_NFLOG, b"truncated_nflog_header", b"NFLOG", EVERY),
    (SHORT_PBB, b"truncated_PBB_header", b"PBB", EVERY),
    (SHORT_PPP, b"truncated_ppp_serial_header", b"PPPSERIAL", EVERY),
    (SHORT_PPPOE, b"truncated_pppoe_header", b"PPPOE", EVERY),
    (SHORT_RADIOTAP, b"truncated_radiotap_header", b"IEEE802_11_RADIO", EVERY),
    (SHORT_SNAP, b"truncated_snap_header", b"SNAP", EVERY),
    (SHORT_SNAP_LLC, b"truncated_snap_llc_header", b"SNAP", EVERY),
    (SHORT_VLAN, b"truncated_VLAN_header", b"VLAN", EVERY),
    (SHORT_VNTAG, b"truncated_vntag_header", b"VNTAG", EVERY),
    (SHORT_WIRELESS, b"truncated_802_11_header", b"IEEE802_11", EVERY),
    (TRIM_ICMP, b"internally_truncated_header", b"ICMP", EVERY),
    (TRIM_TCP, b"internally_truncated_header", b"TCP", EVERY),
    (TRIM_UDP, b"internally_truncated_header", b"UDP", EVERY),
    (UDP_LENGTH, b"UDP_datagram_length_mismatch", b"UDP", HOST),
    (UNDEFINED_ETHER, b"undefined_ether_type", b"ETHERNET", EVERY),
    (UNDEFINED_VLAN, b"undefined_vlan_protocol", b"VLAN", EVERY),
    (UNKNOWN_IP, b"unknown_ip_version", b"IP", EVERY),
    (VXLAN_EMPTY, b"vxlan_empty_packet", b"VXLAN", EVERY),
    (WINDOW_RECISION, b"window_recision", b"TCP", EVERY),
)
