"""Compares methods by metrics over the pictures of a folder: means with confidence intervals."""
