"""Downloading from a server on this machine: whole files with the right checksum or none."""

import functools
import hashlib
import http.server
import threading

import pytest

from lpo.errors import InputError
from lpo.workload.azure import AZURE_FILES
from lpo.workload.download import (
    PUBLICATIONS,
    DownloadError,
    Part,
    Publication,
    download,
    mirror,
)

COMBINED = b"ContextTokens\n1\n2\n3\n4\n5\n"
CODE, CONV = b"ContextTokens\n1\n2\n", b"ContextTokens\n3\n4\n5\n"
RAW = b"TIMESTAMP,ContextTokens\r\n0,1"


def digest(content):
    return hashlib.sha256(content).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Keeps the paths that it was asked for."""

    def __init__(self, handler):
        super().__init__(("127.0.0.1", 0), handler)
        self.asked = []
        self.address = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder; breaks off in the middle of `broken.csv`."""

    def do_GET(self):
        assert isinstance(self.server, Server)
        self.server.asked.append(self.path)
        if self.path == "/broken.csv":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(RAW)
            self.close_connection = True
        else:
            super().do_GET()

    def log_message(self, format, *args):
        pass


@pytest.fixture
def server(tmp_path):
    folder = tmp_path / "published"
    folder.mkdir()
    (folder / "combined.csv").write_bytes(COMBINED)
    (folder / "raw.csv").write_bytes(RAW)
    handler = functools.partial(Handler, directory=str(folder))
    with Server(handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def table(server):
    return (
        Publication(
            f"{server.address}/combined.csv",
            (Part("code.csv", digest(CODE), (0, 2)), Part("conv.csv", digest(CONV), (2, None))),
        ),
        Publication(f"{server.address}/raw.csv", (Part("raw.csv", digest(RAW)),)),
    )


def contents(root):
    return {path.name: path.read_bytes() for path in root.iterdir()}


def test_files_are_fetched_split_and_checked(server, tmp_path):
    root, events = tmp_path / "new" / "root", []
    paths = download(root, table(server), report=lambda *event: events.append(event))
    assert contents(root) == {"code.csv": CODE, "conv.csv": CONV, "raw.csv": RAW}
    assert paths == [root / "code.csv", root / "conv.csv", root / "raw.csv"]
    assert events == [("code.csv", "fetched"), ("conv.csv", "fetched"), ("raw.csv", "fetched")]


def test_what_is_there_is_not_fetched_again(server, tmp_path):
    root = tmp_path / "root"
    download(root, table(server))
    (root / "conv.csv").unlink()
    server.asked.clear()
    events = []
    download(root, table(server), report=lambda *event: events.append(event))
    assert server.asked == ["/combined.csv"]
    assert sorted(events) == [
        ("code.csv", "present"),
        ("conv.csv", "fetched"),
        ("raw.csv", "present"),
    ]
    server.asked.clear()
    download(root, table(server))
    assert server.asked == []


def test_other_content_is_not_kept(server, tmp_path):
    publication = Publication(f"{server.address}/raw.csv", (Part("raw.csv", digest(b"else")),))
    with pytest.raises(DownloadError, match=f"has SHA-256 {digest(RAW)}, expected"):
        download(tmp_path / "root", [publication])
    assert contents(tmp_path / "root") == {}


@pytest.mark.parametrize(
    ("file", "problem"), [("broken.csv", "broken.csv"), ("none.csv", "HTTP Error 404")]
)
def test_a_broken_or_missing_file_leaves_nothing_but_the_files_before_it(
    server, tmp_path, file, problem
):
    bad = Publication(f"{server.address}/{file}", (Part("bad.csv", digest(RAW + b",2")),))
    with pytest.raises(DownloadError, match=problem):
        download(tmp_path / "root", [*table(server), bad])
    assert contents(tmp_path / "root") == {"code.csv": CODE, "conv.csv": CONV, "raw.csv": RAW}


def test_a_file_of_the_users_is_not_overwritten(server, tmp_path):
    (tmp_path / "raw.csv").write_text("mine")
    with pytest.raises(InputError, match=r"raw.csv: is there but is not the published file"):
        download(tmp_path, table(server))
    assert (tmp_path / "raw.csv").read_text() == "mine"


def test_no_server_gives_one_line(tmp_path):
    publication = Publication("http://127.0.0.1:9/raw.csv", (Part("raw.csv", digest(RAW)),))
    with pytest.raises(
        DownloadError, match=r"cannot fetch http://127\.0\.0\.1:9/raw\.csv: "
    ) as error:
        download(tmp_path, [publication])
    assert "\n" not in str(error.value)
    with pytest.raises(DownloadError, match="unknown url type"):
        download(tmp_path, [publication._replace(url="raw.csv")])


def test_a_root_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot make this folder"):
        download(tmp_path / "file" / "root", [])


def test_the_published_table_makes_every_azure_file_once():
    parts = [part for publication in PUBLICATIONS for part in publication.parts]
    expected = sorted((entry.file, entry.sha256) for entry in AZURE_FILES.values())
    assert sorted((part.file, part.sha256) for part in parts) == expected
    assert all(publication.url.startswith("https://") for publication in PUBLICATIONS)


def test_the_split_of_the_published_2024_file_gives_the_two_series(azure_root, tmp_path):
    code, conv = (
        (azure_root / AZURE_FILES[name].file).read_bytes() for name in ("code_2024", "conv_2024")
    )
    header, _, rows = conv.partition(b"\n")
    assert code.startswith(header + b"\n")
    (tmp_path / "combined.csv").write_bytes(code + rows)
    local = PUBLICATIONS[0]._replace(url=(tmp_path / "combined.csv").as_uri())
    download(tmp_path / "root", [local])
    assert contents(tmp_path / "root") == {
        AZURE_FILES["code_2024"].file: code,
        AZURE_FILES["conv_2024"].file: conv,
    }


def test_a_mirror_serves_the_files_under_their_names(azure_root, tmp_path):
    download(tmp_path / "root", mirror(azure_root.resolve().as_uri()))
    assert set(contents(tmp_path / "root")) == {entry.file for entry in AZURE_FILES.values()}
