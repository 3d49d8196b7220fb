"""Explanations on disk or in a bucket: one interface, two stores."""
