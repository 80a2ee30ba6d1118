"""A deployment of another minor version of Python."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import tidemill as tm

TAGS = b"""<?xml version="1.0" encoding="UTF-8"?>
<Tagging><TagSet><Tag><Key>tidemill:python</Key><Value>python3.9</Value></Tag></TagSet></Tagging>"""


class Bucket(BaseHTTPRequestHandler):
    """One that only tells its tags, and keeps what it was asked."""

    asked: list[str]

    def answer(self) -> None:
        self.asked.append(f"{self.command} {self.path}")
        self.rfile.read(int(self.headers.get("content-length") or 0))
        is_tagging = "tagging" in self.path
        body = TAGS if is_tagging else b""
        self.send_response(200 if is_tagging else 404)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_HEAD = do_PUT = do_POST = answer

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    requests: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Ours", (Bucket,), {"asked": requests}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "any")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    yield requests
    server.shutdown()


def test_it_is_refused_before_anything_is_uploaded(asked: list[str]) -> None:
    refused = pytest.raises(tm.EnvironmentMismatch, match=r"have 3\.9: use the same minor version")
    with tm.Executor("bucket") as there, refused:
        there.submit(lambda data: len(data), bytes(1_000_000)).result(30)
    assert [request for request in asked if request.startswith(("PUT", "POST"))] == []
