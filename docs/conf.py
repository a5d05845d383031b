"""How the documentation is built. Every page is checked, every tutorial is executed, and nothing asks the network."""

import hashlib
import os
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
SOURCE = HERE.parent / "src" / "art_training"
sys.path.insert(0, str(HERE / "_extensions"))

import art_training  # noqa: E402

project = "ART"
author = "The ART maintainers"
copyright = author
version = release = art_training.__version__
html_title = f"ART {version}"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "docstrings",
    "commands",
]
exclude_patterns = ["_build", "jupyter_execute", "**.ipynb_checkpoints"]

html_theme = "furo"
html_theme_options = {"navigation_with_keys": True}
html_show_sourcelink = False
html_static_path = ["_css"]
html_css_files = ["outputs.css"]

myst_enable_extensions = ["colon_fence", "deflist", "attrs_inline"]
myst_heading_anchors = 3

# Tutorials run at each build, each in a temporary folder, so that nothing is left behind and no result is old.
nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 240
nb_merge_streams = True
os.environ["NO_COLOR"] = "1"
# Kernels neither read nor write the settings of whoever builds; and they do not warn that they listen on this machine.
KERNELS = tempfile.TemporaryDirectory(prefix="art-docs-")
os.environ["IPYTHONDIR"] = KERNELS.name
(profile := Path(KERNELS.name) / "profile_default").mkdir()
(profile / "ipython_kernel_config.py").write_text("c = get_config()\nc.IPKernelApp.log_level = 40\n")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # small models; and two tutorials may share a machine of two cores
os.environ["TQDM_DISABLE"] = "1"
os.environ["PYTHONWARNINGS"] = "ignore:IProgress not found"  # of a notebook without widgets; it tells a path
os.environ.pop("ART_STORE", None)

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autoclass_content = "both"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
default_role = "literal"  # docstrings write `name` for code
nitpicky = False
python_use_unqualified_type_names = True


def _digest_of_source() -> str:
    """Changes whenever the package changes; pages of an earlier build are then made anew."""
    digest = hashlib.sha256()
    for path in sorted(SOURCE.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def setup(app):
    app.add_config_value("art_source", "", "env", types=[str])
    app.connect("config-inited", lambda _, config: setattr(config, "art_source", _digest_of_source()))
