"""The lab: experiments on gradients where networks learn, each a folder of `experiments/`.

Importing it imports no PyTorch, so that a process that only serves pages can list experiments and check parameters.
"""
