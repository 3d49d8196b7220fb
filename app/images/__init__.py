"""Bytes become upright pixels, and pixels what a model is shown; numbers become colours."""
