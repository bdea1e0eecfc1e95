"""Packet sources: TPACKET_V3 ring, pcap, pcapng."""
