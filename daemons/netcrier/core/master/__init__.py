"""The machine of the master: numbers, signs, sends, repairs, and collects receipts."""
