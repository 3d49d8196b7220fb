"""Gradient flow: how large the score's gradient is at each layer, and what on its way lets nothing through."""
