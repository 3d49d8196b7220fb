"""Runs: what `gradoscope.watch` records of a training loop of the user's own, and what the record says.

`watch`, `hooks`, `layers`, `norms`, `activations` and `noise` look at a model while it learns, and import PyTorch.
`writer` writes the file, `record` reads it, `figures`, `findings` and `report` make of it what an experiment makes of
its computation; none of these five imports PyTorch, so that a process without it can read a run.
"""
