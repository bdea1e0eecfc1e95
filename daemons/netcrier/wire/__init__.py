"""What crosses the network by UDP: kinds, messages, limits, codec, crypto envelope. Pure."""
