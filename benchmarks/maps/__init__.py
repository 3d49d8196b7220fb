"""How fast the maps are made, beside other libraries: `make bench` and `make bench-growth`.

subjects.py  the networks and the picture        peers.py    how the other libraries are asked
sides.py     how our own methods are asked       measure.py  timing, rounds
rounding.py  are the maps right?                 error.py    how many steps for the same error?
floor.py     what the arithmetic alone takes     memory.py   peak memory, in a process for each side
growth.py    time over steps, pictures, size     report.py, plot.py  tables and plots for docs/speed.md
"""
