"""Checks and generators that are not tests, behind targets of the Makefile: `python -m tools.pins`, from the root."""
