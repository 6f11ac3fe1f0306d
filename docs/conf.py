"""How Sphinx builds the site: `make docs`. Warnings are errors there, and nothing comes from another host."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_tools"))

from api import write_api_reference  # noqa: E402
from commands import write_command_reference  # noqa: E402

import hashslide  # noqa: E402

project = "hashslide"
author = "the hashslide authors"
version = release = hashslide.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_copybutton",
]
exclude_patterns = ["_tools"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autosummary_generate = False
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings name types, shapes and units
numpydoc_show_class_members = False
default_role = "py:obj"
smartquotes = False  # two hyphens are an option, not a dash

html_theme = "furo"
html_title = "hashslide"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_show_copyright = False
copybutton_exclude = ".linenos, .gp, .go"


def setup(app) -> None:
    """Write the pages that are made from the code; leave out what scikit-learn adds to the estimator."""
    app.connect("builder-inited", write_pages)
    app.connect("autodoc-skip-member", skip_what_is_of_others)


def write_pages(app) -> None:
    """Make the reference pages of the modules and of the command line."""
    write_api_reference(HERE / "reference" / "_api")
    write_command_reference(HERE / "reference" / "commands.md")


def skip_what_is_of_others(app, what, name, obj, skip, options) -> bool | None:
    """Leave out the methods that an estimator has from scikit-learn, and its ``set_..._request``."""
    is_request = name.startswith("set_") and name.endswith("_request")
    is_of_sklearn = (getattr(obj, "__module__", None) or "").startswith("sklearn.")
    return True if is_request or is_of_sklearn else None
