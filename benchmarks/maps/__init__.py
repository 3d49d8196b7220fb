"""How fast the maps are made, compared with other libraries: `make bench` and `make bench-growth`.

The two sides of a comparison are Gradoscope and the other libraries, the peers.

subjects.py  the networks and the picture        peers.py    how the other libraries are called
sides.py     how our own methods are called      measure.py  timing, rounds
rounding.py  are the maps right?                 error.py    how many steps for the same error?
floor.py     what the arithmetic alone takes     memory.py   peak memory, in a process for each side
growth.py    time over steps, pictures, size     report.py, plot.py  tables and plots for docs/speed.md
"""
