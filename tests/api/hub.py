"""A stand-in for the Hugging Face Hub: as much of it as its own client asks for to push a folder and to pull it."""

import base64
import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit


class Hub(ThreadingHTTPServer):
    """Repositories by OWNER/NAME, or OWNER/NAME@REVISION for other ones than the newest: file name → bytes. Large files
    are sent aside first, by their hash, as to Git LFS."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repos, self.aside, self.asked, self.refuses = {}, {}, [], False

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}"

    def files(self, repo, revision):
        """What the repository holds in that revision; None if it has no such revision."""
        newest = self.repos[repo]
        return newest if revision in {"main", commit(newest)} else self.repos.get(f"{repo}@{revision}")


def commit(files):
    """The hash that a repository of these files is known by."""
    return hashlib.sha1(repr(sorted(files.items())).encode()).hexdigest()


@contextmanager
def running():
    """The Hub, for the length of a block."""
    hub = Hub()
    thread = threading.Thread(target=hub.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *parts):
        pass

    def handle_one(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        path = unquote(urlsplit(self.path).path)
        self.server.asked.append((self.command, path, self.headers.get("Authorization")))
        if self.server.refuses and self.command == "POST":
            self.answer({"error": "You may not write here"}, 403)
            return
        self.route(path, body)

    do_GET = do_POST = do_PUT = do_HEAD = handle_one  # noqa: N815  # as the base class asks for them

    def route(self, path, body):
        hub, parts = self.server, path.strip("/").split("/")
        if path == "/api/repos/create":
            asked = json.loads(body)
            repo = f"{asked['organization']}/{asked['name']}" if asked.get("organization") else asked["name"]
            hub.repos.setdefault(repo, {})
            self.answer({"url": f"{hub.address}/{repo}"})
        elif path == "/api/validate-yaml":
            self.answer({"errors": [], "warnings": []})
        elif path.startswith("/aside/"):
            hub.aside[parts[1]] = body
            self.answer({})
        elif parts[:2] == ["api", "models"]:
            self.of_repo("/".join(parts[2:4]), parts[4:], body)
        elif path.endswith(".git/info/lfs/objects/batch"):
            self.large(json.loads(body))
        elif len(parts) > 4 and parts[2] == "resolve":
            self.file("/".join(parts[:2]), parts[3], "/".join(parts[4:]))
        else:
            self.answer({"error": f"not known here: {self.command} {path}"}, 501)

    def of_repo(self, repo, rest, body):
        hub = self.server
        if repo not in hub.repos:
            self.answer({"error": "Repository not found"}, 404, **{"X-Error-Code": "RepoNotFound"})
        elif not rest or rest[0] == "revision":
            files = [{"rfilename": name} for name in hub.repos[repo]]
            self.answer({"id": repo, "sha": commit(hub.repos[repo]), "siblings": files, "private": False})
        elif rest[0] == "preupload":
            files = json.loads(body)["files"]
            kinds = [("lfs" if one["path"].endswith(".safetensors") else "regular") for one in files]
            self.answer(
                {
                    "files": [
                        {"path": one["path"], "uploadMode": kind, "shouldIgnore": False}
                        for one, kind in zip(files, kinds, strict=True)
                    ]
                }
            )
        elif rest[0] == "commit":
            for line in body.splitlines():
                entry = json.loads(line)
                value = entry["value"]
                if entry["key"] == "file":
                    hub.repos[repo][value["path"]] = base64.b64decode(value["content"])
                elif entry["key"] == "lfsFile":
                    hub.repos[repo][value["path"]] = hub.aside[value["oid"]]
            made = commit(hub.repos[repo])
            self.answer({"commitOid": made, "commitUrl": f"{hub.address}/{repo}/commit/{made}", "success": True})
        elif rest[0] == "tree":
            entries = [
                {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
                for name, data in hub.repos[repo].items()
            ]
            self.answer(entries)
        else:
            self.answer({"error": f"not known here: {rest}"}, 501)

    def large(self, asked):
        address = self.server.address
        self.answer(
            {
                "transfer": "basic",
                "objects": [
                    {**one, "actions": {"upload": {"href": f"{address}/aside/{one['oid']}", "header": {}}}}
                    for one in asked["objects"]
                ],
            }
        )

    def file(self, repo, revision, name):
        files = self.server.files(repo, revision) if repo in self.server.repos else None
        if files is None or name not in files:
            what = "Entry" if files is not None else "Revision" if repo in self.server.repos else "Repo"
            self.answer({"error": f"{what} not found"}, 404, **{"X-Error-Code": f"{what}NotFound"})
            return
        data = files[name]
        self.send_response(200)
        self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
        self.send_header("X-Repo-Commit", commit(files))
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def answer(self, value, status=200, **headers):
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, text in headers.items():
            self.send_header(name, text)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
