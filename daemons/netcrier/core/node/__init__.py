"""The machine of a node: hears a master, trusts it, collects its messages, reports."""
