"""A publisher's server in a thread: it can cut connections, ignore ranges, be busy, and remembers what it was asked."""

import hashlib
import io
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

import pytest

from maskwright.datasets import DatasetCard, Download, transfer


class Publisher(HTTPServer):
    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {}
        self.asked = []  # (path, headers) of every request
        self.sent = 0  # bytes of bodies
        self.cuts = []  # the next answers end after so many bytes
        self.codes = []  # the next answers are these errors
        self.ranges = True
        self.etag = '"one"'
        self.extra = {}  # more headers
        self.shift = 0  # a broken server begins a range elsewhere

    def url(self, path):
        return f"http://127.0.0.1:{self.server_port}/{path}"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *words):
        pass

    def do_GET(self):
        server, path = self.server, self.path.lstrip("/")
        server.asked.append((path, dict(self.headers)))
        if server.codes and (code := server.codes.pop(0)):
            self.send_error(code)
            return
        if path not in server.files:
            self.send_error(404)
            return
        body, start = server.files[path], self.start()
        if start and start >= len(body):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(body)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            start += server.shift
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        if server.etag:
            self.send_header("ETag", server.etag)
        for key, value in server.extra.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        piece = body[start:][: server.cuts.pop(0) if server.cuts else None]
        server.sent += len(piece)
        self.wfile.write(piece)

    def start(self):
        wanted, condition = self.headers.get("Range"), self.headers.get("If-Range")
        if not wanted or not self.server.ranges or self.changed(condition):
            return 0
        return int(wanted.removeprefix("bytes=").removesuffix("-"))

    def changed(self, condition):
        return condition and condition not in {self.server.etag, self.server.extra.get("Last-Modified")}


@pytest.fixture
def publisher(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Publisher() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    """Nobody waits; what would have been waited is noted."""
    noted = []
    monkeypatch.setattr(transfer, "time", SimpleNamespace(sleep=noted.append))
    return noted


@pytest.fixture
def full_disk(monkeypatch):
    """The disk says that so many bytes are free."""

    def pretend(free):
        monkeypatch.setattr(transfer.shutil, "disk_usage", lambda path: SimpleNamespace(free=free))

    return pretend


FILES = {"set/images/a.png": b"a picture" * 4000, "set/masks/a.png": b"its mask" * 300, "set/names.txt": b"cat\n"}


def packed_tar(files, mode="w:gz"):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def packed_zip(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture
def archives():
    """The two packers, and the files of a tiny data set."""
    return SimpleNamespace(tar=packed_tar, zip=packed_zip, files=FILES)


@pytest.fixture
def card_of(publisher):
    """A card of one archive that the publisher offers; `published=False` leaves its checksum and size away."""

    def make(archive, published=True, file="set.tar.gz", **given):
        publisher.files[file] = archive
        known = {"md5": hashlib.md5(archive).hexdigest(), "bytes": len(archive)} if published else {}
        kind = "zip" if file.endswith("zip") else "tar"
        download = Download(**{"url": publisher.url(file), "unpack": kind, "drop": "set", **known, **given})
        return DatasetCard(**about(), downloads=(download,))

    return make


def about():
    return {
        "name": "tiny",
        "title": "Tiny",
        "images": "one",
        "classes": "one",
        "terms": "Public domain.",
        "homepage": "https://example.org",
        "citation": "Nobody.",
        "layout": "tiny/\n└── images/\n",
        "contains": ("images", "masks"),
        "recipes": ("pets-unet",),
    }


@pytest.fixture
def by_hand_card():
    return DatasetCard(**about(), steps=("Ask the author.", "Put the answer into {folder}."))
