"""Notebooks run from top to bottom without a warning, and are stored without output."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
# The others take half a minute and more.
QUICK = ("01_first_butterfly",)


def test_there_are_notebooks():
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_stored_without_output(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    assert "jax_enable_x64" in code[0].source


@pytest.mark.notebook
@pytest.mark.parametrize(
    "path",
    [pytest.param(path, id=path.stem, marks=[] if path.stem in QUICK else [pytest.mark.slow]) for path in NOTEBOOKS],
)
def test_notebook_runs(path, tmp_path, monkeypatch):
    """Every plotting cell shows its picture: with MPLBACKEND unset, a kernel draws as it does for a user."""
    monkeypatch.delenv("MPLBACKEND", raising=False)
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    written = [output.text for cell in code for output in cell.outputs if output.get("name") == "stderr"]
    assert not [text for text in written if "Warning" in text]  # the kernel writes there about its transport too
    plotting = [cell for cell in code if "hof.plots." in cell.source]
    assert plotting
    for cell in plotting:
        assert ["image/png" in output.get("data", {}) for output in cell.outputs] == [True], cell.source
