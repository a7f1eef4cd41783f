"""What holds for every notebook in git; `make notebooks` runs them."""

import importlib.util
import json
import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(ROOT.glob("*.ipynb"))
every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def runner():
    spec = importlib.util.spec_from_file_location("notebooks_run", ROOT / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_five_notebooks_are_there():
    """A new user finds chat, agents, images, LlamaIndex and other back ends, in that order."""
    assert [path.stem[:2] for path in NOTEBOOKS] == ["01", "02", "03", "04", "05"]


@every_notebook
def test_outputs_stay_out_of_git(path):
    """No output, no execution count, no widget state and no machine's name is committed."""
    notebook = json.loads(path.read_text(encoding="utf-8"))

    assert [cell for cell in notebook["cells"] if cell.get("outputs") or cell.get("execution_count")] == []
    assert [cell["metadata"] for cell in notebook["cells"] if cell["metadata"]] == []
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"}
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"


@every_notebook
def test_notebooks_are_sound_and_begin_without_a_key(path):
    """Each is valid, its first code needs no key, and it contains no key."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    first = next(cell.source for cell in notebook.cells if cell.cell_type == "code")

    assert "from rivya_sandbox import serve" in first
    assert notebook.cells[0].source.startswith("# ")
    assert "rvya_sk_" not in path.read_text(encoding="utf-8").replace("rvya_sk_wrong", "")


@every_notebook
def test_the_gallery_has_every_notebook(path):
    """A reader of the site finds it, to read and to run."""
    gallery = (ROOT.parent / "docs" / "notebooks.md").read_text(encoding="utf-8")

    assert gallery.count(f"rivya-integrations/blob/main/notebooks/{path.name})") == 2


@every_notebook
def test_a_notebook_works_alone_in_colab(path):
    """It names itself in the link, installs the package where there is none, and reads and writes nothing elsewhere."""
    notebook = nbformat.read(path, as_version=4)
    first = next(cell.source for cell in notebook.cells if cell.cell_type == "code")
    extras = re.search(r'%pip install --quiet "rivya-integrations\[([\w,]+)\] @ git\+https://', first)[1]
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")

    assert f"https://colab.research.google.com/github/rivya/rivya-integrations/blob/main/notebooks/{path.name}" in (
        notebook.cells[0].source
    )
    assert "../" not in code
    assert {"sandbox", "notebooks"} < set(extras.split(","))
    assert [each for each in ("langchain", "llamaindex") if f"{each}_rivya" in code and each not in extras] == []


@pytest.mark.parametrize(
    ("source", "told"),
    [("print('well')", None), ("1 / 0", "ZeroDivisionError"), ("import time; time.sleep(60)", "timed out")],
)
def test_the_runner_tells_what_failed(source, told, tmp_path, monkeypatch):
    """A cell that raises or takes too long fails the run; what came out is kept where it is wanted."""
    run = runner()
    monkeypatch.setattr(run, "SECONDS", 3)
    path = tmp_path / "one.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)]), path)

    failure = run.run(path, tmp_path / "out", real=False)

    assert failure is None if told is None else told in failure
    assert (tmp_path / "out" / "one.ipynb").exists()
    assert "well" not in path.read_text().replace(source, "")


def test_notebooks_never_see_the_developers_keys(monkeypatch):
    """Unless the services are wanted, the kernel's environment has no key and no URL."""
    run = runner()
    for name in ("RIVYA_API_KEY", "GMI_BASE_URL", "EVOLINK_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "x")

    assert not [name for name in run.environment(real=False) if name.endswith(("_API_KEY", "_BASE_URL"))]
    assert run.environment(real=True)["RIVYA_API_KEY"] == "x"
