"""What a newcomer copies must run: the README's library example and the notebooks."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def test_library_example_of_the_readme_runs(capsys):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(blocks) == 1
    lines = [
        line for line in blocks[0].splitlines() if line and not line.startswith(("import", "from"))
    ]
    assert len(lines) <= 10
    exec(compile(blocks[0], "README.md", "exec"), {})
    score = float(capsys.readouterr().out)
    assert 0 < score < 0.5  # the constant capacity costs .75 on this series, an oracle 0


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_at_a_small_size(path, monkeypatch):
    monkeypatch.setenv("LPO_NOTEBOOK", "small")
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": path.parent}})
    client.execute()
