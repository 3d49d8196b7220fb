"""Gradoscope from Python: clients of a server, and `explain` without a server. Imports no torch until it computes."""
