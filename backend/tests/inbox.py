"""Servers that hear whatever is sent to them: by HTTP, by mail."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import StreamRequestHandler, TCPServer
from typing import ClassVar

from rosetta.tests.serving import served


@dataclass
class Inbox:
    """`heard`: path, body and headers of each request, oldest first; each is answered with `status` and `location`."""

    url: str = ""
    status: int = 200
    location: str = ""
    heard: list[tuple[str, bytes, Message]] = field(default_factory=list)


@dataclass
class Mailbox:
    """`said`: every line of the clients, with what stands in their mails."""

    url: str = ""
    said: list[str] = field(default_factory=list)


@contextmanager
def open_mailbox() -> Iterator[Mailbox]:
    """A mail server that knows one user and takes everything from them."""
    mailbox = Mailbox()

    class Handler(StreamRequestHandler):
        answers: ClassVar = {
            "EHLO": "250-here\r\n250 AUTH PLAIN",
            "AUTH": "235 welcome",
            "DATA": "354 go on",
            ".": "250 ok",
        }

        def handle(self) -> None:
            self._answer("220 here")
            in_mail = False
            for raw in self.rfile:
                line = raw.decode().rstrip("\r\n")
                mailbox.said.append(line)
                if in_mail and line != ".":
                    continue
                word = line.split(" ")[0].upper()
                in_mail = word == "DATA"
                self._answer("221 bye" if word == "QUIT" else self.answers.get(word, "250 ok"))
                if word == "QUIT":
                    return

        def _answer(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

    server = TCPServer(("127.0.0.1", 0), Handler)
    mailbox.url = f"smtp://ada:p%40ss@127.0.0.1:{server.server_address[1]}"
    with served(server):
        yield mailbox


@contextmanager
def open_inbox() -> Iterator[Inbox]:
    inbox = Inbox()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            inbox.heard.append((self.path, body, self.headers))
            self.send_response(inbox.status)
            self.send_header("Content-Length", "0")
            if inbox.location:
                self.send_header("Location", inbox.location)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    inbox.url = f"http://127.0.0.1:{server.server_port}"
    with served(server):
        yield inbox
