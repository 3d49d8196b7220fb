"""How fast the maps are made, compared with other libraries: `make bench` and `make bench-growth`.

Gradoscope is compared with the other libraries, the peers. A `side` is a peer, or Gradoscope with one of its engines.

subjects.py     the networks and the picture     peers.py    how the other libraries are called
own_methods.py  how our own methods are called   measure.py  timing, rounds
rounding.py     are the maps right?              error.py    how many steps for the same error?
floor.py        what the arithmetic alone takes  memory.py   peak memory, in a process for each library
growth.py       time over steps, pictures, size  report.py, plot.py  tables and plots for docs/speed.md
"""
