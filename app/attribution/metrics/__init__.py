"""The metrics: a folder each, which registers itself; the modules beside them are what several share."""
