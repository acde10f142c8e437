"""The interactive box in a browser: it draws, turns, hides what it is told to, changes views."""

import math
import re
import shutil
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread
from playwright.sync_api import Page, sync_playwright

from lpo.runs import Report, ResultTable, RunFolder, write_report
from lpo.runs.box_scenes import Box
from lpo.runs.pictures import box_picture

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium")

# WebGL where there is no GPU, also as root
FLAGS = ["--no-sandbox", "--enable-unsafe-swiftshader"]
PATIENCE_MS = 120_000  # a busy machine draws slowly
CAMERA = "() => document.getElementById('picture-0')._fullLayout.scene._scene.getCamera()"
LABELS = {"x": "cost, $", "y": "time, s", "z": "accuracy", "k": "passes k", "score": "cube"}


class Opened(NamedTuple):
    """The open report, what its console and its errors said, and what it fetched."""

    page: Page
    said: list[str]
    fetched: list[str]


def make_view(name: str, limits: tuple[float, float, float]) -> Box:
    k = np.arange(1, 21)
    points = pd.DataFrame({"x": 0.02 * k, "y": 2.0 * k, "z": 1.0 - 0.1 / k, "k": k, "score": 1 / k})
    inside = (points["x"] <= limits[0]) & (points["y"] <= limits[1]) & (points["z"] >= limits[2])
    markers = points.loc[[1, 3], ["x", "y", "z", "k"]].assign(method=["max_cube", "utopia"])
    return Box(name, points.assign(feasible=inside), limits, markers)


VIEWS = [make_view("wide", (0.3, 32.0, 0.92)), make_view("narrow", (0.2, 15.0, 0.95))]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = RunFolder(tmp_path_factory.mktemp("run"))
    folder.write_config({"seed": 0})
    folder.record(command="boxes", seed=0)
    table = ResultTable("Selections", "By method.", VIEWS[0].markers)
    picture = box_picture("Feasible box", "Every k.", VIEWS, LABELS)
    return write_report(folder, Report("Boxes", "Two views.", [table], [picture]))


@pytest.fixture(scope="module")
def opened(report: Path) -> Iterator[Opened]:
    said: list[str] = []
    fetched: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=FLAGS, timeout=PATIENCE_MS
        )
        page = browser.new_page(viewport={"width": 1000, "height": 800}, offline=True)
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: said.append(f"error: {error}"))
        page.on("request", lambda request: fetched.append(request.url))
        page.goto(report.as_uri())
        page.wait_for_function(CAMERA)
        page.locator("#picture-0").scroll_into_view_if_needed()
        yield Opened(page, said, fetched)
        browser.close()


def trace(page: Page, name: str) -> list[dict[str, Any]]:
    """What the drawn traces of a name are."""
    code = """name => document.getElementById('picture-0')._fullData
        .filter(trace => trace.name === name)
        .map(trace => ({x: Array.from(trace.x || []), visible: trace.visible}))"""
    return page.evaluate(code, name)


def wait_until(page: Page, name: str, visible: bool | str) -> None:
    code = """([name, visible]) => document.getElementById('picture-0')._fullData
        .some(trace => trace.name === name && trace.visible === visible)"""
    page.wait_for_function(code, arg=[name, visible])


def choose(page: Page, name: str) -> None:
    """Choose a view, and wait until it has its limit of x."""
    limit = next(view.limits[0] for view in VIEWS if view.name == name)
    page.locator("#picture-0 .updatemenu-header").click()
    page.locator("#picture-0 .updatemenu-dropdown-button", has_text=name).click()
    wait_until(page, f"cost, $ ≤ {limit:g}", True)


def picture(page: Page) -> np.ndarray:
    """The colours of the scene [height, width, 3], in [0, 1]."""
    canvas = page.locator("#picture-0 .gl-container canvas").first
    return imread(BytesIO(canvas.screenshot()), format="png")[..., :3]


def wait_for_picture(page: Page, wanted: Callable[[np.ndarray], bool]) -> None:
    """Wait for a picture as it is wanted: the scene is drawn some time after it has changed."""
    until = monotonic() + PATIENCE_MS / 1000
    while not wanted(picture(page)):
        assert monotonic() < until, "the picture is not the one that is wanted"
        page.wait_for_timeout(100)


def test_the_scene_is_drawn(opened):
    # the colours of the edges of the box, and of the diamond
    colours = np.array([[0.0, 0.62, 0.45], [0.89, 0.10, 0.11]])

    def everything_there(image: np.ndarray) -> bool:
        far = np.abs(image[:, :, None] - colours).max(axis=-1)
        white = (image > 0.99).all(axis=-1).mean()
        return bool(((far < 0.12).sum(axis=(0, 1)) > 30).all() and 0.1 < white < 0.9)

    wait_for_picture(opened.page, everything_there)


def test_dragging_turns_the_scene(opened):
    page = opened.page
    before, still = page.evaluate(CAMERA), picture(page)
    place = page.locator("#picture-0 .gl-container canvas").first.bounding_box()
    x, y = place["x"] + 0.5 * place["width"], place["y"] + 0.6 * place["height"]
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 80, y, steps=3)
    page.mouse.up()
    # what is drawn, and what plotly has told the page
    page.wait_for_function(
        """before => { const div = document.getElementById('picture-0');
        return [div._fullLayout.scene._scene.getCamera(), div.layout.scene.camera]
        .every(camera => Math.abs(camera.eye.x - before.eye.x) > 0.1) }""",
        arg=before,
    )
    after = page.evaluate(CAMERA)
    assert distance(after) == pytest.approx(distance(before), rel=0.02)  # it comes no nearer
    wait_for_picture(page, lambda image: bool(np.abs(image - still).max() > 0.3))


def distance(camera: dict[str, dict[str, float]]) -> float:
    """From the eye to what it looks at."""
    return math.dist(*([camera[part][axis] for axis in "xyz"] for part in ("eye", "center")))


def test_the_legend_hides_and_shows(opened):
    page = opened.page
    entry = page.locator("#picture-0 .legend .traces").filter(has_text=re.compile("^feasible$"))
    points = trace(page, "feasible")
    assert {each["visible"] for each in points} == {True} and len(points) == 2
    entry.locator(".legendtoggle").click()
    wait_until(page, "feasible", "legendonly")
    assert [each["visible"] for each in trace(page, "not feasible")] == [True]
    choose(page, "narrow")
    assert {each["visible"] for each in trace(page, "feasible")} == {"legendonly"}
    entry.locator(".legendtoggle").click()
    wait_until(page, "feasible", True)


@pytest.mark.parametrize("view", [*VIEWS, VIEWS[0]], ids=lambda view: view.name)
def test_the_drop_down_changes_the_view(opened, view):
    choose(opened.page, view.name)
    points = trace(opened.page, "feasible")[0]["x"]
    wanted = view.points.loc[view.points["feasible"], "x"]
    np.testing.assert_allclose(points, wanted, rtol=1e-5)
    ends = opened.page.evaluate(
        "() => document.getElementById('picture-0')._fullLayout.scene.xaxis.range"
    )
    assert ends[0] < 0 and view.limits[0] < ends[1] < 1.8 * view.limits[0]


def test_nothing_is_fetched_and_nothing_goes_wrong(opened):
    choose(opened.page, "narrow")
    schemes = {address.split(":")[0] for address in opened.fetched}
    assert "file" in schemes and schemes <= {"file", "data", "blob"}
    # plotly writes its own warnings as traces
    assert [line for line in opened.said if line.startswith(("error", "trace"))] == []
