"""Does everything come out on a GPU as it does on the CPU, and how quickly? `make check-gpu` prints the answer.

card.py      what only CUDA can do, and its stand-in on the CPU      report.py    sections, bounds, Markdown, JSON
subjects.py  networks and pictures                                   maps.py      six maps of a picture, and of 32
passes.py    memory that runs out, CUDA graphs and torch.compile     precision.py TF32 off and on
agreement.py every method against the CPU
"""
