"""Gradoscope from Python: a server's client, and the same call without a server. Needs no torch until it computes."""
