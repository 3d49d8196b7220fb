"""Gradient flow: how large the score's gradient is at each layer, and what blocks it."""
