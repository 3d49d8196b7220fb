"""The attribution methods. Each is a folder, and is registered when it is imported; the modules beside the folders are
what several methods share."""
