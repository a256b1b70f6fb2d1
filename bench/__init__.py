"""Measures how much of the machine the pipeline leaves to the work itself. `python -m bench` prints JSON lines."""
