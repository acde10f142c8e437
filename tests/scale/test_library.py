"""What a user of the library copies from docs/scale.md must run, and choose as the command does."""

import re
from pathlib import Path

from lpo.scale import select

ROOT = Path(__file__).parents[2]
CHOSEN = """\
accuracy_max nvidia-nemotron-nano-9b-v2 84
max_cube nvidia-nemotron-nano-9b-v2 4
utopia nvidia-nemotron-nano-9b-v2 8
knee_curvature nvidia-nemotron-nano-9b-v2 4
knee_chord nvidia-nemotron-nano-9b-v2 12
"""


def test_example_of_the_page_chooses_as_the_command(tmp_path, monkeypatch, capsys):
    page = (ROOT / "docs" / "scale.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 1
    reference = ROOT / "conf" / "scale" / "models" / "reference.yaml"
    (tmp_path / "mine.yaml").write_bytes(reference.read_bytes())
    monkeypatch.chdir(tmp_path)
    exec(compile(blocks[0], "scale.md", "exec"), {})
    assert capsys.readouterr().out == CHOSEN


def test_the_package_of_choices_keeps_its_name():
    assert select.select.__module__ == "lpo.scale.select.selections"
