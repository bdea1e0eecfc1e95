"""The compiled kernel: decode, conversations, TCP state, conn lines."""
