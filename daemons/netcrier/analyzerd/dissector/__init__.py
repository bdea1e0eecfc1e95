# SPDX-License-Identifier: GPL-2.0-only
"""scapy, in a process of its own: run as a program, imported by nothing. See __main__.py."""
