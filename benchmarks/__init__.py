"""Benchmarks and studies, each behind a target of the Makefile: `python -m benchmarks.latency`, from the root."""
