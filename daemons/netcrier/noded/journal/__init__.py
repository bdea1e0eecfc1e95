"""What the node keeps on disk: every message once, and beside them what is still to be told or run."""
