"""What the repository promises: locks without addresses, conf in the wheel, imports one way."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOCKS = sorted(ROOT.glob("requirements*.lock"))
PIN = re.compile(r"[a-z0-9][a-z0-9.-]*==[A-Za-z0-9.+!]+( ; [a-z_]+ [a-zA-Z0-9_ '.<>=!()-]+)?")


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_locks_hold_names_versions_and_markers_only(lock):
    lines = lock.read_text().splitlines()
    assert [line for line in lines if not PIN.fullmatch(line)] == []


def test_lock_names_every_direct_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = {
        line.partition("==")[0] for line in (ROOT / "requirements.lock").read_text().splitlines()
    }
    wanted = [*project["dependencies"]]
    for extra in ("dev", "slurm", "report"):
        wanted += project["optional-dependencies"][extra]
    names = {re.split(r"[\[<>=]", item)[0] for item in wanted} - {"lpo"}
    assert names - locked == set()


def test_wheel_carries_conf_and_an_installed_package_finds_it(tmp_path):
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    subprocess.run([*build, "-d", str(tmp_path)], cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    configs = {str(path.relative_to(ROOT / "conf")) for path in (ROOT / "conf").rglob("*.yaml")}
    assert {
        str(p.relative_to(installed / "lpo/conf")) for p in installed.rglob("*.yaml")
    } == configs
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); "
        "from lpo.runs.experiments import find_conf; print(find_conf())"
    )
    found = subprocess.run(
        [sys.executable, "-c", code, str(installed)],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    assert Path(found.stdout.strip()) == installed / "lpo" / "conf"


@pytest.mark.parametrize(
    ("importer", "imported", "contract"),
    [
        ("workload", "forecast", "Imports go one way"),
        ("optim", "workload", "Imports go one way"),
        ("diffusion", "forecast", "Imports go one way"),
        ("provision", "robust", "Imports go one way"),
        ("robust", "train", "Imports go one way"),
        ("robust", "runs", "Only commands import lpo.runs"),
    ],
)
def test_an_import_against_the_direction_is_found(tmp_path, importer, imported, contract):
    package = tmp_path / "lpo"
    for source in (ROOT / "lpo").rglob("__init__.py"):
        target = package / source.relative_to(ROOT / "lpo")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    (package / "errors.py").touch()
    (package / "workload" / "__main__.py").write_text("import lpo.runs\n")  # a command may
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    assert lint_imports(tmp_path).count("BROKEN") == 0
    (package / importer / "new.py").write_text(f"import lpo.{imported}\n")
    assert f"{contract} BROKEN" in lint_imports(tmp_path)


def lint_imports(folder: Path) -> str:
    linter = Path(sys.executable).parent / "lint-imports"
    arguments = ["--no-cache", "--no-logo"]
    done = subprocess.run([linter, *arguments], cwd=folder, capture_output=True, text=True)
    return done.stdout
