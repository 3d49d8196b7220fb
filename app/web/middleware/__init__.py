"""The edge towards HTTP: who may ask, how much, and how slowly."""
