"""The attribution methods: a family a file, each registers itself."""
