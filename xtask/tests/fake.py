"""A played guest: the channels of a real one, and a script in place of QEMU."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xtask.guest.launch import Guest
from xtask.guest.machine import GuestSpec

REGISTERS = "\nCPU#0\nRAX=0000000000000001 RBX=0000000000000002\nRIP=ffffffff80001234 RFL=00000002\n"


@dataclass(frozen=True)
class Say:
    channel: str
    data: bytes


@dataclass(frozen=True)
class Sleep:
    seconds: float


@dataclass(frozen=True)
class Halt:
    reason: str  # as in QMP: guest-shutdown, guest-reset


@dataclass(frozen=True)
class Die:
    status: int


@dataclass(frozen=True)
class Echo:
    """Copies one channel to another until the first ends."""

    source: str
    target: str


Step = Say | Sleep | Halt | Die | Echo


class FakeGuest:
    """Plays its steps in a thread. Answers every QMP command."""

    def __init__(self, channels: list[str], steps: list[Step]) -> None:
        self.pid = os.getpid()
        self.channels: dict[str, socket.socket] = {}
        self.theirs: dict[str, socket.socket] = {}
        for name in channels:
            self.channels[name], self.theirs[name] = socket.socketpair()
            self.channels[name].setblocking(False)
        self.status: int | None = None
        self.asked: list[str] = []
        self.ended = False
        self._exit_read, self._exit_write = os.pipe()
        self._threads = [
            threading.Thread(target=self.play, args=(steps,), daemon=True),
            threading.Thread(target=self.answer, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def play(self, steps: list[Step]) -> None:
        try:
            for step in steps:
                self.step(step)
        except OSError:
            pass

    def step(self, step: Step) -> None:
        if isinstance(step, Say):
            self.theirs[step.channel].sendall(step.data)
        elif isinstance(step, Sleep):
            time.sleep(step.seconds)
        elif isinstance(step, Halt):
            self.qmp({"event": "SHUTDOWN", "data": {"guest": True, "reason": step.reason}})
        elif isinstance(step, Echo):
            while data := self.theirs[step.source].recv(4096):
                self.theirs[step.target].sendall(data)
        else:
            self.status = step.status
            for sock in self.theirs.values():
                sock.close()
            os.write(self._exit_write, b"x")

    def qmp(self, message: dict[str, Any]) -> None:
        self.theirs["qmp"].sendall(json.dumps(message).encode() + b"\r\n")

    def answer(self) -> None:
        buffer = b""
        try:
            self.qmp({"QMP": {"version": {}}})
            while data := self.theirs["qmp"].recv(4096):
                buffer += data
                *lines, buffer = buffer.split(b"\n")
                for line in lines:
                    self.reply(json.loads(line))
        except OSError:
            pass

    def reply(self, question: dict[str, Any]) -> None:
        self.asked.append(question["execute"])
        text = question.get("arguments", {}).get("command-line", "")
        value: Any = {}
        if question["execute"] == "human-monitor-command":
            value = REGISTERS if text.startswith("info registers") else "Cannot access memory"
        self.qmp({"return": value, "id": question["id"]})

    def poll(self) -> int | None:
        return self.status

    def exit_fd(self) -> int:
        return self._exit_read

    def end(self) -> None:
        self.ended = True
        for sock in (*self.channels.values(), *self.theirs.values()):
            sock.close()


class Played:
    """A launcher that plays what a function of the nonce says, and remembers its guests."""

    def __init__(self, script: Callable[[str], list[Step]]) -> None:
        self.script = script
        self.guests: list[FakeGuest] = []
        self.specs: list[GuestSpec] = []

    def __call__(self, spec: GuestSpec, directory: Path) -> Guest:
        nonce = next(w[len("nonce=") :] for w in spec.cmdline.split() if w.startswith("nonce="))
        self.specs.append(spec)
        self.guests.append(FakeGuest(spec.channels(), self.script(nonce)))
        return self.guests[-1]
