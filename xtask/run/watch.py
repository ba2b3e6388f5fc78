"""What became of a program that runs in a guest: events in, an outcome out. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from .. import exitcodes
from ..guest.events import Defect, Event
from ..guest.session import Ended, Stop

PANIC_REPORT_S = 1.0
POWEROFF_S = 3.0


@dataclass(frozen=True)
class Outcome:
    exit_code: int
    reason: str  # exit, poweroff, reboot, timeout, panic, lost


@dataclass
class Watcher:
    """Follows one guest from its start to the program's exit status."""

    started: float
    timeout_s: float | None
    outcome: Outcome | None = None
    begin: Event | None = None
    exit: Event | None = None
    begin_at: float | None = None
    exit_at: float | None = None
    panic: Event | None = None
    panic_at: float = 0.0
    announced: str = ""  # poweroff or reboot: the machine is to stop, and said so
    backtraces: list[Event] = field(default_factory=list)
    defects: list[Defect] = field(default_factory=list)

    def event(self, item: Event | Defect, now: float) -> None:
        if self.panic is not None:
            self.panic_at = now  # the report goes on
        if isinstance(item, Defect):
            self.defects.append(item)
        elif item.type == "run_begin" and self.begin is None:
            self.begin, self.begin_at = item, now
        elif item.type == "run_exit" and self.exit is None:
            self.exit, self.exit_at = item, now
        elif item.type == "panic" and self.panic is None:
            self.panic, self.panic_at = item, now
        elif item.type == "backtrace":
            self.backtraces.append(item)
        elif item.type in ("poweroff", "reboot"):
            self.announced = item.type
        elif item.type == "refused":
            self.refused(item)
        elif item.type == "panic_end":
            self.settle_panic()

    def refused(self, item: Event) -> None:
        """The kernel was asked for something on its command line that it does not have."""
        wrong, known = f"{item.text('parameter')}={item.text('value')}", item.text("known")
        self.outcome = self.outcome or Outcome(exitcodes.USAGE, f"the kernel does not know {wrong}; there are: {known}")

    def settle_panic(self) -> None:
        self.outcome = self.outcome or Outcome(exitcodes.PANIC, "panic")

    def settle(self, lost: str) -> None:
        """The machine is gone: by what it said before, or lost without a word."""
        if self.panic is not None:
            self.settle_panic()
        elif self.exit is not None:
            self.outcome = self.outcome or Outcome(self.exit.number("status") & 255, "exit")
        elif self.announced:  # the program itself asked for it
            self.outcome = self.outcome or Outcome(exitcodes.OK, self.announced)
        else:
            self.outcome = self.outcome or Outcome(exitcodes.INFRA, lost)

    def stop(self, item: Stop | Ended) -> None:
        if isinstance(item, Ended):
            self.settle(f"lost: QEMU ended by itself with status {item.status}")
        elif item.kind == "reset" and self.announced != "reboot":
            self.settle("lost: the machine reset itself unannounced (a triple fault)")
        else:
            self.settle(f"lost: the machine stopped ({item.kind}) before the program's end")

    def deadline(self) -> float | None:
        if self.panic is not None:
            return self.panic_at + PANIC_REPORT_S
        if self.exit_at is not None:
            return self.exit_at + POWEROFF_S
        return None if self.timeout_s is None else self.started + self.timeout_s

    def tick(self, now: float) -> None:
        deadline = self.deadline()
        if self.outcome is not None or deadline is None or now < deadline:
            return
        if self.panic is not None or self.exit is not None:
            self.settle("")
        else:
            self.outcome = Outcome(exitcodes.TIMEOUT, "timeout")
