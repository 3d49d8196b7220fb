"""The attribution methods: a folder each, which registers itself; the modules beside them are what several share."""
