"""The master's daemon: signs, broadcasts, collects receipts, repairs."""
