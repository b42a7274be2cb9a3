"""Serve the board of a folder on this machine alone."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from ..errors import MarssegError, RequestError
from ..experiments.board import read_board, runs_of_board
from .board import board_page

# What the page leads to: reports and figures. Plans, logs and networks are not handed out.
_SERVED: Final = (".html", ".png")


def serve_board(folder: Path, port: int) -> ThreadingHTTPServer:
    """Return a server of the board, which listens on 127.0.0.1 only. The page is made anew whenever it is loaded.

    Args:
        folder: the folder with the runs
        port: the port; 0 is any that is free

    Raises:
        RequestError: there is no run, it is a pack, or the port cannot be used
    """
    runs_of_board(folder)
    try:
        return ThreadingHTTPServer(("127.0.0.1", port), partial(_Handler, directory=str(folder)))
    except (OSError, OverflowError) as cause:
        raise RequestError(f"The port {port} cannot be used: {cause}.", where="--port") from cause


class _Handler(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        """Answer with the board, a report or a figure."""
        if self.path == "/":
            self._answer_with_board()
        else:
            super().do_GET()

    def send_head(self) -> Any:
        """Open a report or a figure, for GET and HEAD. Of all other files not even the size is told."""
        if self.translate_path(self.path).endswith(_SERVED):
            return super().send_head()
        self.send_error(HTTPStatus.NOT_FOUND)
        return None

    def _answer_with_board(self) -> None:
        try:
            content = board_page(read_board(Path(self.directory))).encode()
        except MarssegError as error:
            # Not as the message: that is a part of the status line, which has Latin-1 letters only.
            self.send_error(HTTPStatus.INTERNAL_SERVER_ERROR, explain=error.what)
            return
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing for each request."""
