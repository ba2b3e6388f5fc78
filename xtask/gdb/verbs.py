"""What a session does when asked: a request (a JSON object) in, a reply out, always by its deadline.

Replies have seq, status, stop_reason, pc, output, serial_delta, truncated, and where, thread, error where they say
something. status: stopped, running (at the deadline), busy (GDB itself is), error (GDB refused the command), ended
(the guest switched itself off; it can still be looked at), disconnected, gdb-died, qemu-died."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .core import Core, Place
from .mi import Record
from .target import resumes, unusable

Request = dict[str, Any]
Reply = dict[str, Any]
OUTPUT_MAX = 64 << 10
TIMEOUT_S = 10.0


@dataclass
class Entry:
    """A line of the transcript."""

    verb: str
    text: str
    timeout_s: float
    reply: Reply


@dataclass
class Book:
    """What the replies count and remember."""

    seq: int = 0
    serial_at: int = 0  # of the last reply that had a delta
    new_at: int = 0  # of the last `serial --new`
    entries: list[Entry] = field(default_factory=list)

    def number(self) -> int:
        self.seq += 1
        return self.seq


class Verbs:
    def __init__(self, core: Core) -> None:
        self.core = core
        self.book = Book()
        self.table: dict[str, Callable[[Request, float], Reply]] = {
            "cmd": self.cmd,
            "wait": self.wait,
            "interrupt": self.interrupt,
            "serial": self.serial,
            "status": self.status,
            "transcript": self.transcript,
        }

    def serve(self, request: Request) -> Reply:
        with self.core.cond:
            seq = self.book.number()
        verb = str(request.get("verb"))
        timeout_s = request.get("timeout_s")
        if not isinstance(timeout_s, (int, float)) or not 0 <= timeout_s <= 86400:
            timeout_s = TIMEOUT_S
        if verb not in self.table:
            return {"seq": seq, "status": "error", "error": f"no verb {verb!r}"}
        reply = {"seq": seq, **self.table[verb](request, time.monotonic() + timeout_s)}
        if verb in ("cmd", "wait", "interrupt"):
            self.book.entries.append(Entry(verb, str(request.get("text", "")), float(timeout_s), reply))
        return reply

    # --- replies ---

    def reply(self, stops_before: int, request: Request, error: str = "", busy: bool = False) -> Reply:
        """The state as it is now, with what was put out since the last reply."""
        core = self.core
        # An answer for the place must not wait for a busy GDB; its own output stays for when it is done.
        place = Place() if busy else core.place()
        limit = output_limit(request)
        with core.cond:
            target = core.target
            status = target.status()
            if error and status in ("stopped", "running", "ended", "disconnected"):
                status = "error"
            stopped = target.stops != stops_before or target.guest_end or target.lost()
            output, cut = ("", False) if busy else target.text.take()
            serial, serial_cut = core.serial.since(self.book.serial_at, limit)
            self.book.serial_at = core.serial.end
            reason = target.stop_reason() if stopped and status != "running" else ""
            complaints, core.errors = core.errors, []
        if error and error.strip() not in output:
            output += error + "\n"
        reply: Reply = {
            "status": status,
            "stop_reason": reason,
            "pc": place.pc,
            "output": output[:limit],
            "serial_delta": serial,
            "truncated": cut or serial_cut or len(output) > limit,
        }
        extra = {"where": place.where, "thread": place.thread, "error": error, "notes": complaints}
        return reply | {name: value for name, value in extra.items() if value}

    # --- verbs ---

    def cmd(self, request: Request, deadline: float) -> Reply:
        core, text = self.core, str(request.get("text", "")).strip()
        with core.cond:
            stops = core.target.stops
        problem = unusable(text)
        if core.target.guest_end and resumes(text):
            problem = f"the guest has ended ({core.target.guest_end}): it can be looked at, but not continued"
        if problem:
            return self.reply(stops, request, problem)
        if not core.turn.acquire(timeout=max(0.0, deadline - time.monotonic())):
            return self.reply(stops, request, busy=True)
        try:
            if core.target.pending is not None:
                core.wait_for(lambda: core.target.pending is None, deadline)
            if core.target.pending is not None or core.target.lost():
                return self.reply(stops, request, busy=True)
            with core.cond:
                earlier, _ = core.target.text.take()
                stops = core.target.stops
            reply = self.run(text, stops, request, deadline)
        finally:
            core.turn.release()
        return reply | {"earlier": earlier} if earlier else reply

    def run(self, text: str, stops: int, request: Request, deadline: float) -> Reply:
        core = self.core
        result = core.console(text, deadline)
        if result is None:
            return self.reply(stops, request, busy=True)
        error = error_of(result)
        if core.target.running or core.target.stops != stops:
            core.settle(deadline)
        return self.reply(stops, request, error)

    def wait(self, request: Request, deadline: float) -> Reply:
        """Until the pending command is done and the target stands."""
        core = self.core
        with core.cond:
            token, stops = core.target.pending, core.target.stops
            if token is None and not core.target.running:
                stops -= 1  # it has stopped already: say why
        done = core.finish(token, deadline)
        result = core.target.results.get(token) if token is not None else None
        busy = not done and core.target.pending is not None
        return self.reply(stops, request, error_of(result) if result else "", busy)

    def interrupt(self, request: Request, deadline: float) -> Reply:
        core = self.core
        with core.cond:
            token, stops = core.target.pending, core.target.stops
        done = core.interrupt(deadline)
        result = core.target.results.get(token) if token is not None else None
        return self.reply(stops, request, error_of(result) if result else "", not done)

    def serial(self, request: Request, deadline: float) -> Reply:
        core = self.core
        keys = str(request.get("send", "")).encode()
        if keys:
            core.send_serial(keys, deadline)
        with core.cond:
            limit = output_limit(request)
            start = self.book.new_at if request.get("new") else 0
            text, cut = core.serial.since(start, limit)
            if request.get("new"):
                self.book.new_at = core.serial.end
            status = core.target.status()
        return {"status": status, "output": text, "truncated": cut}

    def status(self, request: Request, deadline: float) -> Reply:
        """Never waits for anybody who may be busy."""
        core = self.core
        free = core.turn.acquire(blocking=False)
        try:
            place = core.place() if free else Place()
        finally:
            if free:
                core.turn.release()
        with core.cond:
            reply: Reply = {"status": core.target.status(), "stop_reason": "", "pc": place.pc, "where": place.where}
            if reply["status"] not in ("running", "busy"):
                reply["stop_reason"] = core.target.stop_reason()
            return reply | {"attached": bool(core.attached), "serial_bytes": core.serial.end}

    def transcript(self, request: Request, deadline: float) -> Reply:
        entries = [entry.__dict__ for entry in self.book.entries]
        return {"status": self.core.target.status(), "entries": entries}


def error_of(result: Record) -> str:
    return (result.word("msg") or "GDB refused") if result.cls == "error" else ""


def output_limit(request: Request) -> int:
    limit = request.get("max_output")
    return limit if isinstance(limit, int) and 0 < limit <= 1 << 20 else OUTPUT_MAX
