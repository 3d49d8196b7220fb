"""Sphinx's configuration. The site loads nothing from other hosts."""

project = "Gradoscope"
copyright = "the authors of Gradoscope, Apache-2.0"
extensions = ["myst_parser"]
myst_heading_anchors = 3
myst_enable_extensions = ["strikethrough"]
html_theme = "furo"
html_title = "Gradoscope"
html_favicon = "icon.svg"
html_static_path = ["_own"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
templates_path: list[str] = []
exclude_patterns = [".doctrees"]
