"""QMP: one JSON object a line, both ways. QmpLines is pure (bytes in, messages out); Qmp talks.

Replies carry the id of their question, so one that comes late is never taken for another's."""

from __future__ import annotations

import json
import select
import socket
import time
from typing import Any

Message = dict[str, Any]


class QmpError(Exception):
    """QEMU refused, or did not answer in time."""


class QmpLines:
    def __init__(self) -> None:
        self.buffer = b""

    def feed(self, data: bytes) -> list[Message]:
        self.buffer += data
        *lines, self.buffer = self.buffer.split(b"\n")
        messages: list[Message] = []
        for line in lines:
            try:
                message = json.loads(line)
            except ValueError:
                continue
            if isinstance(message, dict):
                messages.append(message)
        return messages


class Qmp:
    """Our side of a QMP socket that is negotiated (by the launcher). Events met on the way are kept for take_events()."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.lines = QmpLines()
        self.events: list[Message] = []
        self.replies: dict[int, Message] = {}
        self.next_id = 1
        self.closed = False

    def _send(self, message: Message) -> None:
        data = json.dumps(message).encode() + b"\n"
        try:
            while data:
                select.select([], [self.sock], [], 1.0)
                data = data[self.sock.send(data) :]
        except OSError:
            pass  # it is gone: reading will find its last words, then the end

    def feed(self, data: bytes) -> None:
        for message in self.lines.feed(data):
            if "event" in message:
                self.events.append(message)
            elif isinstance(message.get("id"), int):
                self.replies[message["id"]] = message

    def post(self, command: str) -> None:
        """Asks and does not wait; the answer is dropped."""
        self._send({"execute": command})

    def take_events(self) -> list[Message]:
        taken, self.events = self.events, []
        return taken

    def read_ready(self) -> None:
        """Takes what is there, without waiting."""
        while not self.closed:
            try:
                data = self.sock.recv(65536)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self.closed = True
                return
            self.feed(data)

    def execute(self, command: str, arguments: Message | None = None, timeout_s: float = 2.0) -> Any:
        """Asks and waits for the answer; QmpError when there is none."""
        number, self.next_id = self.next_id, self.next_id + 1
        self._send({"execute": command, "arguments": arguments or {}, "id": number})
        deadline = time.monotonic() + timeout_s
        while number not in self.replies:
            left = deadline - time.monotonic()
            if self.closed or left <= 0:
                raise QmpError(f"no answer to {command}")
            select.select([self.sock], [], [], left)
            self.read_ready()
        reply = self.replies.pop(number)
        if "error" in reply:
            raise QmpError(f"{command}: {reply['error'].get('desc', reply['error'])}")
        return reply.get("return")

    def monitor(self, line: str, cpu: int | None = None) -> str:
        """A command of the human monitor; its text."""
        arguments: Message = {"command-line": line}
        if cpu is not None:
            arguments["cpu-index"] = cpu
        answer = self.execute("human-monitor-command", arguments)
        return str(answer).replace("\r", "")
