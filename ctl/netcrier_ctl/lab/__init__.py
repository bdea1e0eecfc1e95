"""A private network of namespaces on one machine: hosts with an interface each, joined by a bridge.

`Lab` is the whole of it. Nothing of it reaches another network: the bridge has no port but the hosts'.
Left out: delay and reordering (they need a kernel module that small machines lack), IPv6 addresses,
more than 254 hosts.
"""

from netcrier_ctl.lab.network import HUB, Lab
from netcrier_ctl.lab.nursery import Nursery
from netcrier_ctl.lab.process import Process

__all__ = ["HUB", "Lab", "Nursery", "Process"]
