"""Ports that servers listen on: who is the responder where the beginning of a conversation was not seen.

The ports that Zeek's protocol analyzers register by default. Left out: ports that only a site would know.
"""

from __future__ import annotations

TCP_SERVERS = frozenset(
    {21, 22, 25, 53, 79, 80, 81, 88, 110, 111, 135, 139, 143, 389, 443, 445, 502, 563, 585, 587, 614, 631, 636}
    | {989, 990, 992, 993, 995, 1080, 1434, 1883, 2811, 3128, 3268, 3306, 3389, 5222, 5223, 5269, 5432, 6379}
    | {6666, 6667, 6668, 6669, 8000, 8080, 8888, 20000}
)
UDP_SERVERS = frozenset(
    {53, 67, 68, 88, 111, 123, 137, 161, 162, 389, 443, 514, 1812, 2123, 2152, 3544, 4011, 4789, 5060, 5072}
    | {5353, 5355, 6081, 12345, 12346, 20000}
)
