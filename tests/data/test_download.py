import hashlib
import http.server
import logging
import re
import socket
import sys
import threading
from importlib import import_module

import pytest

from minigan.data import DataError, download, fetch

module = import_module("minigan.data.download")  # its name in the package is the function
CONTENT = b"a dataset, of a kind\n" * 1000
CHECKSUM = "sha256:" + hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server(monkeypatch):
    """A server on this machine with one file; it notes what it was asked for."""
    pytest.importorskip("pooch", reason="the extra `download` is not installed")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    logging.getLogger("pooch").setLevel(logging.ERROR)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.asked.append(self.path)
            known = self.path.startswith("/file")
            self.send_response(200 if known else 404)
            self.send_header("Content-Length", str(len(CONTENT) if known else 0))
            self.end_headers()
            if known:
                self.wfile.write(CONTENT)

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.asked = []
        running.url = f"http://127.0.0.1:{running.server_port}"
        thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_the_right_checksum(server, tmp_path):
    path = download(f"{server.url}/file.bin?v=1", CHECKSUM, tmp_path / "new" / "folder")
    assert path == tmp_path / "new" / "folder" / "file.bin"
    assert path.read_bytes() == CONTENT
    assert download(f"{server.url}/file.bin?v=1", CHECKSUM, path.parent) == path
    assert len(server.asked) == 1, "what is there and right is not fetched again"


@pytest.mark.parametrize("old", [None, b"what was there before"])
def test_the_wrong_checksum_changes_nothing(server, tmp_path, old):
    if old is not None:
        (tmp_path / "file").write_bytes(old)
    wrong = "sha256:" + "0" * 64
    with pytest.raises(DataError, match=f"/file: what came has not the checksum {wrong}: not kept"):
        download(f"{server.url}/file", wrong, tmp_path)
    assert [p.read_bytes() for p in tmp_path.iterdir()] == ([] if old is None else [old])


def test_a_file_that_is_not_there(server, tmp_path):
    with pytest.raises(DataError, match=r"/absent: cannot be fetched: 404") as failure:
        download(f"{server.url}/absent", CHECKSUM, tmp_path)
    assert "\n" not in str(failure.value)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_not_there(server, tmp_path):
    with socket.socket() as bound:  # but does not listen
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}/file"
        with pytest.raises(DataError, match=r"/file: cannot be fetched: .*refused"):
            download(url, CHECKSUM, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_more_than_the_most_is_not_kept(server, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_MOST_BYTES", len(CONTENT) - 1)
    with pytest.raises(DataError, match="more than 20,999 bytes: not kept"):
        download(f"{server.url}/file", CHECKSUM, tmp_path)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(module, "_MOST_BYTES", len(CONTENT))
    assert download(f"{server.url}/file", CHECKSUM, tmp_path).is_file()


def test_a_set_by_its_name(server, tmp_path, monkeypatch):
    files = {f"{server.url}/file-{k}": CHECKSUM for k in "ab"}
    monkeypatch.setitem(module.KNOWN, "letters", files)
    assert fetch("letters", tmp_path) == tmp_path
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file-a", "file-b"]
    with pytest.raises(DataError, match="no download is called 'leters'.*did you mean 'letters'"):
        fetch("leters", tmp_path)


def test_every_known_file_has_a_checksum_and_is_fetched_over_tls():
    for name, files in module.KNOWN.items():
        assert len(files) == len(set(files.values())) == 4, name
        for url, checksum in files.items():
            assert url.startswith("https://")
            assert re.fullmatch(r"sha256:[0-9a-f]{64}", checksum)


@pytest.mark.parametrize(
    ("url", "checksum", "name", "message"),
    [
        ("ftp://a.org/x", CHECKSUM, None, "only http and https addresses are fetched"),
        ("file:///etc/hostname", CHECKSUM, None, "only http and https"),
        ("http://a.org/x", None, None, "the checksum is None: give 'sha256:'"),
        ("http://a.org/x", "", None, "the checksum is '': give 'sha256:'"),
        ("http://a.org/x", "md5:" + "0" * 32, None, "the checksum is 'md5:0"),
        ("http://a.org/x", CHECKSUM[:-1], None, "and 64 hex digits"),
        ("http://a.org/", CHECKSUM, None, "'' cannot be a file's name: give a `name`"),
        ("http://a.org/..", CHECKSUM, None, "'..' cannot be a file's name"),
        ("http://a.org/x", CHECKSUM, "../x", "'../x' cannot be a file's name"),
    ],
)
def test_what_is_refused_before_anything_is_fetched(tmp_path, url, checksum, name, message):
    with pytest.raises(DataError, match=message):
        download(url, checksum, tmp_path, name=name)
    assert list(tmp_path.iterdir()) == []


def test_without_pooch_one_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(
        DataError, match=r"^downloads need pooch: pip install 'minigan\[download\]'$"
    ):
        download("http://127.0.0.1/x", CHECKSUM, tmp_path)
