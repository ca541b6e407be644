"""The two pages over HTTP, from a thread of its own: it answers when the event loop hangs, too."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, TypeVar

from prometheus_client import CONTENT_TYPE_LATEST

from bot.errors import MonitoringError

if TYPE_CHECKING:
    from bot.monitoring.monitor import Monitor

T = TypeVar("T")

_POLL = 0.2  # seconds until a server notices that it has to end
PATIENCE = 10.0  # seconds that the event loop has, and a client


@contextmanager
def serving(monitor: Monitor, host: str, port: int) -> Iterator[int]:
    """Answer for the running event loop; yields the port.

    Raises:
        MonitoringError: the address cannot be listened at.
    """
    try:
        server = _Server(monitor, host, port)
    except OSError as error:
        raise MonitoringError(
            f"Nothing can listen at {host} port {port} ({error.strerror}); give another --monitor."
        ) from error
    thread = threading.Thread(
        target=server.serve_forever, args=(_POLL,), name="monitoring", daemon=True
    )
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a slow client must not hold up the end

    def __init__(self, monitor: Monitor, host: str, port: int) -> None:
        if ":" in host:
            self.address_family = socket.AF_INET6
        self.monitor = monitor
        self.loop = asyncio.get_running_loop()
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """Bind without looking up the machine's name, which may take its time."""
        socket_address = self.server_address
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(socket_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "localhost", self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Leave a client that went away; nobody wants to read of it."""

    def ask(self, question: Coroutine[Any, Any, T]) -> T:
        """Have the event loop answer.

        Raises:
            TimeoutError: it does not.
        """
        answer = asyncio.run_coroutine_threadsafe(question, self.loop)
        try:
            return answer.result(PATIENCE)
        finally:
            answer.cancel()


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = PATIENCE
    server_version = "domainbot"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer `/healthz` and `/metrics`."""
        path = self.path.partition("?")[0]
        monitor = self.server.monitor
        try:
            if path == "/healthz":
                self._health(self.server.ask(monitor.problems()))
            elif path == "/metrics":
                self._send(200, CONTENT_TYPE_LATEST, self.server.ask(monitor.text()))
            else:
                self._send(404, "text/plain; charset=utf-8", b"/healthz and /metrics\n")
        except TimeoutError:
            self._health([f"the event loop does not answer within {PATIENCE:.0f} s"])

    do_HEAD = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet: probes come every few seconds."""

    def _health(self, problems: list[str]) -> None:
        status = "failing" if problems else "ok"
        body = json.dumps({"status": status, "problems": problems}) + "\n"
        self._send(503 if problems else 200, "application/json", body.encode())

    def _send(self, code: int, kind: str, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
