"""The experiments: a folder each, found by name."""
