"""The live view of a run on this machine's own address: one page, which asks for news, and becomes the report when the run ends."""

from __future__ import annotations

import hashlib
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from typing import Any

from shoal.errors import OptionError, Problem, ShoalError
from shoal.live_record import LiveRecord, read_state, version_of
from shoal.records import Run
from shoal.report.html import report_page
from shoal.report.live_page import live_page

HERE = "127.0.0.1"
MOST = 65535
HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class WatchedRun:
    """The page of a run as it is now, written again only when there is something new.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._lock = folder, threading.Lock()
        self._key: tuple[object, str] | None = None
        self._tag, self._state, self._page = "", "", b""

    def page(self) -> tuple[str, str, bytes]:
        """A tag that changes with the page, ``working``, ``ended`` or ``complete``, and the page.

        Raises:
            ShoalError: nothing is known of the run any more.
        """
        with self._lock:  # several windows may ask at once
            version, known = version_of(self._folder), read_state(self._folder)
            live = known if isinstance(known, LiveRecord) else None
            key = (version, live.ended if live else "")  # a run falls silent without a new version
            if key != self._key:
                text = report_page(known) if isinstance(known, Run) else live_page(known, watched=True)
                self._key, self._page = key, text.encode(errors="backslashreplace")
                self._state = "complete" if live is None else "ended" if live.ended else "working"
                self._tag = f'"{hashlib.sha256(self._page).hexdigest()[:32]}"'
            return self._tag, self._state, self._page


class WatchServer(ThreadingHTTPServer):
    """Serves the page to this machine alone.

    Args:
        folder: of the run.
        port: where; 0 for any that is free.

    Raises:
        OptionError: the port cannot be had.
    """

    daemon_threads = True

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.run = WatchedRun(folder)
        try:
            super().__init__((HERE, port), _Handler)
        except OSError as error:
            remedy = "Choose another one, or none: one that is free is found."
            raise OptionError(Problem("--port is free on this machine", f"{port}: {error.strerror}", remedy)) from error

    def server_bind(self) -> None:
        """Take the port, without asking a name server what this machine is called."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = HERE, self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A window that was closed in the middle of an answer is no error."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    @property
    def address(self) -> str:
        """What to open in a browser."""
        return f"http://{HERE}:{self.server_port}/"


class _Handler(BaseHTTPRequestHandler):
    protocol_version, server_version, sys_version, timeout = "HTTP/1.1", "shoal", "", 30

    def do_GET(self) -> None:
        """The page, or that there is nothing new."""
        assert isinstance(self.server, WatchServer)
        port = self.server.server_port
        if self.headers.get("Host") not in (f"{HERE}:{port}", f"localhost:{port}"):
            # a page of somewhere else whose name was made to mean this machine
            return self._answer(421, b"This address is that of another host.")
        if self.path != "/":
            return self._answer(404, b"There is one page here: /")
        try:
            tag, state, page = self.server.run.page()
        except ShoalError as error:
            return self._answer(503, str(error).encode())
        said = {"ETag": tag, "X-Shoal-State": state}
        return self._answer(304, b"", said) if self.headers.get("If-None-Match") == tag else self._answer(200, page, said)

    do_HEAD = do_GET

    def _answer(self, status: int, body: bytes, said: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (HEADERS | (said or {})).items():
            self.send_header(name, value)
        if status >= 400:
            self.send_header("Connection", "close")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is said about requests."""
