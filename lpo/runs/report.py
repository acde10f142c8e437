"""One self-contained `report.html` for a run: opens offline, loads nothing."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from html import escape
from importlib import import_module
from io import BytesIO
from pathlib import Path
from string import Template
from threading import Thread
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from lpo.runs.folder import RunFolder
from lpo.runs.terminal import format_cell

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INSTALL = "These pictures are static; <code>pip install lpo[report]</code> gives interactive ones."


class ResultTable(NamedTuple):
    """A table of the report with its title and a sentence that says what it shows."""

    title: str
    caption: str
    data: pd.DataFrame


class Picture(NamedTuple):
    """A picture of the report, drawn by `lpo.runs.figures` and `lpo.runs.interactive`.

    `interactive` builds the plotly figure; it is only called where plotly is installed.
    """

    title: str
    caption: str
    static: Figure
    interactive: Callable[[], Any]


class Report(NamedTuple):
    """What a report says, in plain text; the first table stands above the pictures."""

    title: str
    opening: str
    tables: Sequence[ResultTable]
    pictures: Sequence[Picture]


def prepare_report() -> None:
    """Load matplotlib and, where it is installed, plotly in another thread: more than a second that
    a report need not wait for while something else is compiled."""

    def load() -> None:
        import_module("matplotlib.figure")
        import_module("mpl_toolkits.mplot3d")
        with suppress(ImportError):
            from plotly import graph_objects as go

            go.Figure(go.Scatter3d(x=[0.0]), layout={"template": "plotly_white"}).to_dict()

    Thread(target=load, daemon=True).start()


def write_report(folder: RunFolder, report: Report) -> Path:
    """Write `report.html` of the run in `folder`.

    What ran, its environment, data, timings and configuration are read from the folder's
    `summary.json` and `config.yaml`.
    """
    summary = folder.summary()
    script, pictures = _pictures(report.pictures)
    facts = {key: summary.get(key) for key in ("command", "experiment", "seed")}
    environment = dict(summary.get("environment", {}))
    versions = environment.pop("versions", {})
    page = Template(PAGE).substitute(
        title=escape(report.title),
        opening=escape(report.opening),
        script=script,
        facts=_pairs({**facts, **environment}),
        headline="".join(_table(table) for table in report.tables[:1]),
        tables="".join(_table(table) for table in report.tables[1:]),
        pictures=pictures,
        timings=_pairs(summary.get("timings_s", {}), unit="s"),
        data=_table(ResultTable("Data", "", pd.DataFrame(summary.get("data", [])))),
        versions=_pairs(versions),
        config=escape(folder.config.read_text(encoding="utf-8")),
    )
    return folder.write_text("report.html", page)


def _pictures(pictures: Sequence[Picture]) -> tuple[str, str]:
    """The script (once a page) and the pictures; PNGs where plotly is not installed."""
    try:
        from plotly.io import to_html
        from plotly.offline import get_plotlyjs
    except ImportError:
        sections = [_picture(picture, _png(picture.static)) for picture in pictures]
        return "", "".join([*sections, f"<p>{INSTALL}</p>"])
    sections = [
        _picture(
            picture,
            to_html(
                picture.interactive(),
                full_html=False,
                include_plotlyjs=False,
                div_id=f"picture-{i}",
                config={"displaylogo": False, "responsive": True},
            ),
        )
        for i, picture in enumerate(pictures)
    ]
    return f"<script>{get_plotlyjs()}</script>", "".join(sections)


def _picture(picture: Picture, body: str) -> str:
    heading = f"<h2>{escape(picture.title)}</h2><p>{escape(picture.caption)}</p>"
    return f"<section>{heading}{body}</section>"


def _png(figure: Figure) -> str:
    stream = BytesIO()
    figure.savefig(stream, format="png", dpi=130)
    return f'<img alt="" src="data:image/png;base64,{b64encode(stream.getvalue()).decode()}">'


def _table(table: ResultTable) -> str:
    head = "".join(f"<th>{escape(str(name))}</th>" for name in table.data.columns)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(format_cell(value))}</td>" for value in row) + "</tr>"
        for row in table.data.itertuples(index=False)
    )
    return (
        f"<section><h2>{escape(table.title)}</h2><p>{escape(table.caption)}</p>"
        f'<div class="wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div></section>"
    )


def _pairs(pairs: Mapping[str, Any], unit: str = "") -> str:
    rows = "".join(
        f"<tr><th>{escape(str(key))}</th><td>{escape(format_cell(value))} {unit}</td></tr>"
        for key, value in pairs.items()
    )
    return f'<table class="pairs">{rows}</table>'


PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; color: #1c1c1c; }
body { max-width: 1180px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.7rem; margin-bottom: .3rem; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .2rem; }
p { margin: .3rem 0 .8rem; max-width: 70em; color: #444; }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; }
th, td { padding: .22rem .7rem; text-align: right; white-space: nowrap; }
th, td { border-bottom: 1px solid #e6e6e6; }
thead th { border-bottom: 2px solid #888; }
th:first-child, td:first-child, .pairs td { text-align: left; }
tbody tr:hover { background: #f4f8fb; }
.wide { overflow-x: auto; max-height: 36rem; overflow-y: auto; }
.wide thead th { position: sticky; top: 0; background: white; }
.columns { display: flex; flex-wrap: wrap; gap: 0 3rem; }
img { max-width: 100%; }
pre { background: #f6f6f6; padding: 1rem; overflow-x: auto; font-size: .85rem; }
summary { cursor: pointer; font-weight: 600; margin-top: 1.5rem; }
</style>
$script
</head>
<body>
<h1>$title</h1>
<p>$opening</p>
$facts
$headline
$pictures
$tables
<div class="columns">
<section><h2>Time by stage</h2>$timings</section>
<section><h2>Versions</h2>$versions</section>
</div>
$data
<details><summary>Configuration</summary><pre>$config</pre></details>
</body>
</html>
"""
