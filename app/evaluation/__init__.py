"""Methods and metrics over the pictures of a folder: what they say on average, and how sure that is."""
