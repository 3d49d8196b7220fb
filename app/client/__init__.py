"""Gradoscope from Python: clients of a server, and `explain` without one. Only a call of `explain` imports PyTorch."""
