"""Gradoscope: see, by six attribution methods side by side, why a pretrained CNN says what it says."""

__version__ = "0.1.0"
