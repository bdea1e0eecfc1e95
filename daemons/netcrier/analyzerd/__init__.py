"""The analyzer's daemon: captures packets, follows conversations, writes JSON logs."""
