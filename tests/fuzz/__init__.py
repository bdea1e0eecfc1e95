"""Coverage-guided fuzzing of what reads hostile bytes: decoder, reassembly, streams, readers of captures."""
