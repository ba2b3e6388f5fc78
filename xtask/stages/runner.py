"""The boot-stages runner: events in, verdicts out. Pure: no QEMU, no clock of its own.

It believes only the event channel: records of this boot (nonce), of this table (hash, number and id), in
order, one begin and one end for each selected stage. Whatever else comes is a problem, is named, and makes
the run fail; what never comes is missing. Deadlines are measured here, in the time the caller passes in.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from .. import exitcodes
from ..gen.stages import Stage, table_hash
from ..guest.events import Defect, Event
from ..guest.session import Ended, Stop

PASS, FAIL, SKIP, TIMEOUT, NOT_RUN = "PASS", "FAIL", "SKIP", "TIMEOUT", "NOT-RUN"
REPORTED = (PASS, FAIL, SKIP)  # what the kernel may say
PANIC_REPORT_S = 1.0
TOOK_SLACK_NS = 1_000_000


@dataclass
class Result:
    """What is known of one stage."""

    stage: Stage
    status: str = NOT_RUN
    took_ms: float | None = None
    detail: str = ""
    begun: bool = False
    ended: bool = False


@dataclass(frozen=True)
class Cause:
    """Why a run ended before its end."""

    kind: str  # panic, triple fault, qemu died, hang, silence, stopped, wrong kernel, timeout
    text: str
    exit_code: int


@dataclass(frozen=True)
class Limits:
    """Times in seconds; factor stretches them all (a slow host, TCG under load)."""

    factor: float = 1.0
    boot_s: float = 10.0  # to the first event
    gap_s: float = 10.0  # without any event, outside a stage
    grace_s: float = 0.25  # a user stage's own deadline is kept by the kernel: let it speak first
    poweroff_s: float = 3.0  # from stages_done to the machine's end
    total_s: float = 120.0

    def of(self, stage: Stage) -> float:
        """A stage's deadline as it is applied, in milliseconds."""
        return stage.deadline_ms * self.factor

    def told(self, stage: Stage) -> str:
        """The same in words: what was applied, and what became of the table's figure."""
        row = "" if self.factor == 1.0 else f" ({self.factor:g} of its {stage.deadline_ms} ms)"
        return f"{self.of(stage):g} ms{row}"


@dataclass
class PanicReport:
    reason: str = ""
    where: str = ""
    text: str = ""
    backtraces: list[Event] = field(default_factory=list)
    complete: bool = False


class Runner:
    """One boot's judge. Feed it event(), stop(), ended(), tick(); done when `over`."""

    def __init__(
        self, table: list[Stage], selected: list[Stage], nonce: str, now: float, limits: Limits | None = None
    ) -> None:
        self.table = {stage.id: stage for stage in table}
        self.hash = table_hash(table)
        self.selected = selected
        self.nonce = nonce
        self.limits = limits or Limits()
        self.results = {stage.id: Result(stage) for stage in selected}
        self.order = {stage.id: place for place, stage in enumerate(selected)}
        self.reached = 0  # place after the furthest stage that began
        self.current: Result | None = None
        self.begin_ns = 0
        self.problems: list[str] = []
        self.kernel_counts: Counter[str] = Counter()  # statuses as stage_end gave them
        self.cause: Cause | None = None
        self.panic: PanicReport | None = None
        self.events = 0
        self.last_step = ""
        self.announced = ""  # poweroff or reboot
        self.done = False  # stages_done came
        self.over = False
        self.started = self.mark = now  # mark: since when the present deadline runs

    # --- what comes in -----------------------------------------------------------------------------

    def event(self, item: Event | Defect, now: float) -> list[Result]:
        """Takes one event. Returns the stages whose result this settled."""
        if self.over:
            return []
        if isinstance(item, Defect):
            self.problem(str(item))
            return []
        self.events += 1
        if self.events == 1 and item.type != "boot":
            self.problem(f"the first event is {item.type!r}, not 'boot'")
        handler = getattr(self, f"on_{item.type}", None)
        settled: list[Result] = handler(item, now) or [] if handler else []
        if self.current is None and self.panic is None and not self.done:
            self.mark = now
        return settled

    def on_boot(self, event: Event, now: float) -> None:
        if self.events > 1:
            self.problem("a second 'boot' event: the machine started again")
        if event.text("nonce") != self.nonce:
            self.end("wrong kernel", "the events are from another boot (other nonce)", exitcodes.FAILED)
        elif event.text("table") != self.hash or event.number("stages") != len(self.table):
            self.end(
                "wrong kernel",
                f"the kernel was built from another stage table ({event.number('stages')} stages, "
                f"hash {event.text('table')}; expected {len(self.table)}, {self.hash})",
                exitcodes.FAILED,
            )

    def on_step(self, event: Event, now: float) -> None:
        self.last_step = event.text("name")

    def on_stage_begin(self, event: Event, now: float) -> list[Result]:
        settled: list[Result] = []
        result = self.believed(event)
        if result is None:
            return settled
        stage = result.stage
        if self.current is not None:
            settled.append(self.blame(self.current, f"never ended: {stage.id} began after it"))
            self.current = None
        if result.begun:
            return [*settled, self.blame(result, "began a second time (duplicated)")]
        place = self.order[stage.id]
        if place < self.reached:
            self.blame(result, "began out of order: a later stage was before it (swapped)")
        result.begun = True
        self.reached = max(self.reached, place + 1)
        self.current, self.mark, self.begin_ns = result, now, event.ns
        return settled

    def on_stage_end(self, event: Event, now: float) -> list[Result]:
        result = self.believed(event)
        if result is None:
            return []
        self.kernel_counts[event.text("status")] += 1
        if result is not self.current:
            early = "ended before it began (printed early)"
            return [self.blame(result, "ended a second time (duplicated)" if result.ended else early)]
        result.ended, self.current = True, None
        self.settle(result, event, now - self.mark)
        return [result]

    def on_stages_done(self, event: Event, now: float) -> list[Result]:
        if event.text("nonce") != self.nonce:
            self.problem("'stages_done' of another boot (other nonce)")
            return []
        settled = []
        if self.current is not None:
            settled.append(self.blame(self.current, "never ended: 'stages_done' came instead"))
            self.current = None
        self.done, self.mark = True, now
        claimed = tuple(event.number(name) for name in ("run", "passed", "failed", "skipped"))
        counts = self.kernel_counts
        seen = (counts.total(), counts[PASS], counts[FAIL], counts[SKIP])
        if claimed != seen:
            self.problem(
                f"'stages_done' counts (run, passed, failed, skipped) {claimed}, but the events say {seen}"
            )
        return settled

    def on_poweroff(self, event: Event, now: float) -> None:
        self.announced = "poweroff"

    def on_reboot(self, event: Event, now: float) -> None:
        self.announced = "reboot"

    def on_panic(self, event: Event, now: float) -> None:
        if self.panic is None:
            self.panic = PanicReport(event.text("reason"), event.text("where"), event.text("text"))
            self.mark = now

    def on_backtrace(self, event: Event, now: float) -> None:
        if self.panic is not None:
            self.panic.backtraces.append(event)

    def on_panic_end(self, event: Event, now: float) -> None:
        if self.panic is not None:
            self.panic.complete = True
            self.end_panic()

    def stop(self, stop: Stop, now: float) -> None:
        """QEMU said why the machine stopped."""
        if self.over:
            return
        if self.panic is not None:
            self.end_panic()
        elif stop.kind == "reset" and self.announced != "reboot":
            self.end("triple fault", "the machine reset itself unannounced (a triple fault)", exitcodes.INFRA)
        elif stop.kind == "host":
            self.end("qemu died", "QEMU was ended from outside", exitcodes.INFRA)
        elif not self.done:
            said = f"announced {self.announced}" if self.announced else "announced nothing"
            self.end("stopped", f"the machine stopped ({stop.kind}, {said}) before its stages", exitcodes.FAILED)
        else:
            if not self.announced:
                self.problem("the machine stopped without announcing it")
            self.finish()

    def ended(self, ended: Ended, now: float) -> None:
        """The QEMU process is gone, without a word on why."""
        if self.over:
            return
        if self.panic is not None:
            self.end_panic()
            return
        how = f"signal {-ended.status}" if ended.status < 0 else f"status {ended.status}"
        self.end("qemu died", f"QEMU ended by itself ({how})", exitcodes.INFRA)

    # --- time ----------------------------------------------------------------------------------------

    def deadline(self) -> float:
        """When tick() will have something to say."""
        limits = self.limits
        total = self.started + limits.total_s
        if self.panic is not None:
            return min(total, self.mark + PANIC_REPORT_S)
        if self.done:
            return min(total, self.mark + limits.poweroff_s * limits.factor)
        if self.current is not None:
            stage = self.current.stage
            grace = limits.grace_s if stage.user else 0.0
            return min(total, self.mark + limits.of(stage) / 1000 + grace)
        if not self.events:
            return min(total, self.mark + limits.boot_s * limits.factor)
        return min(total, self.mark + limits.gap_s * limits.factor)

    def tick(self, now: float) -> None:
        if self.over or now < self.deadline():
            return
        if self.panic is not None:
            self.end_panic()
        elif now >= self.started + self.limits.total_s:
            self.end("timeout", f"the boot took more than {self.limits.total_s:g} s", exitcodes.TIMEOUT)
        elif self.done:
            self.problem("the machine did not power off after its stages")
            self.finish()
        elif self.current is not None:
            self.end("hang", f"no result within {self.limits.told(self.current.stage)}", exitcodes.TIMEOUT)
        elif not self.events:
            self.end("silence", "the kernel never said anything on the event channel", exitcodes.TIMEOUT)
        else:
            after = f" after step {self.last_step!r}" if self.last_step else ""
            self.end("silence", f"no event{after} for {now - self.mark:.1f} s", exitcodes.TIMEOUT)

    # --- judging -------------------------------------------------------------------------------------

    def problem(self, text: str) -> None:
        if text not in self.problems:
            self.problems.append(text)

    def blame(self, result: Result, text: str) -> Result:
        """A stage whose records cannot be believed has failed, whatever it says."""
        self.problem(f"stage {result.stage.n} {result.stage.id}: {text}")
        result.status, result.detail = FAIL, text
        return result

    def blamed(self, result: Result) -> str:
        prefix = f"stage {result.stage.n} {result.stage.id}: "
        return next((text[len(prefix) :] for text in self.problems if text.startswith(prefix)), "")

    def believed(self, event: Event) -> Result | None:
        """The selected stage an event is about; None (and a problem) when it is not to be believed."""
        stage_id, n = event.text("id"), event.number("n")
        if event.text("nonce") != self.nonce:
            self.problem(f"{event.type} of {stage_id!r} is from another boot (other nonce)")
            return None
        stage = self.table.get(stage_id)
        if stage is None or stage.n != n:
            self.problem(f"{event.type} of stage {n} {stage_id!r}: the table has no such row")
            return None
        if self.done:
            self.problem(f"{event.type} of {stage_id!r} after 'stages_done'")
            return None
        if stage_id not in self.results:
            self.problem(f"{event.type} of {stage_id!r}, which was not selected")
            return None
        return self.results[stage_id]

    def settle(self, result: Result, event: Event, wall_s: float) -> None:
        took_ns = event.number("took_ns")
        status = event.text("status")
        result.took_ms = took_ns / 1e6
        result.detail = event.text("detail")
        blamed = self.blamed(result)
        if blamed:
            result.status, result.detail = FAIL, blamed
        elif status not in REPORTED:
            self.blame(result, f"ended with the unknown status {status!r}")
        elif took_ns > event.ns - self.begin_ns + TOOK_SLACK_NS:
            self.blame(result, f"claims {took_ns} ns, but began {event.ns - self.begin_ns} ns before its end")
        elif status == PASS and self.too_late(result.stage, took_ns, wall_s):
            result.status = TIMEOUT
            result.detail = f"passed, but after its deadline of {self.limits.told(result.stage)}"
        else:
            result.status = status

    def too_late(self, stage: Stage, took_ns: int, wall_s: float) -> bool:
        """Late by its own clock and by ours: a host that slept for a while is not the stage's fault."""
        limit_s = self.limits.of(stage) / 1000
        return wall_s > limit_s and took_ns / 1e9 > limit_s

    def count(self, status: str) -> int:
        return sum(result.status == status for result in self.results.values())

    # --- the end -------------------------------------------------------------------------------------

    def end_panic(self) -> None:
        assert self.panic is not None
        short = "" if self.panic.complete else " (the report was cut short)"
        where = f" at {self.panic.where}" if self.panic.where else ""
        self.end("panic", f"kernel panic: {self.panic.reason}{where}{short}", exitcodes.PANIC)

    def end(self, kind: str, text: str, exit_code: int) -> None:
        """The run is over before its end. The stage that was running gets the blame."""
        self.cause = Cause(kind, text, exit_code)
        if self.current is not None:
            late = kind in ("hang", "timeout")
            self.current.status, self.current.detail = (TIMEOUT if late else FAIL), text
        self.name_missing(self.reached)
        self.over = True

    def finish(self) -> None:
        """The machine stopped as it should. What never ran is missing."""
        self.name_missing(len(self.selected))
        self.over = True

    def name_missing(self, end: int) -> None:
        """Names the stages before a place in the order that left no record."""
        for stage in self.selected[:end]:
            result = self.results[stage.id]
            if not result.begun and not result.ended and result.status == NOT_RUN:
                self.problem(f"stage {stage.n} {stage.id}: missing, no record of it")

    def failed_stage(self) -> Result | None:
        """The stage to show: the one that was running at the end, else the first that failed."""
        if self.current is not None:
            return self.current
        bad = [r for r in self.results.values() if r.status in (FAIL, TIMEOUT)]
        return bad[0] if bad else None

    def exit_code(self) -> int:
        if self.cause is not None:
            return self.cause.exit_code
        if self.problems or not self.count(PASS) or self.count(FAIL) or self.count(NOT_RUN):
            return exitcodes.FAILED
        return exitcodes.TIMEOUT if self.count(TIMEOUT) else exitcodes.OK


def select(table: list[Stage], only: list[str], first: str | None) -> list[Stage]:
    """The rows that --only and --from choose. KeyError names an id that the table lacks."""
    known = {stage.id for stage in table}
    for wanted in [*only, *([first] if first else [])]:
        if wanted not in known:
            raise KeyError(wanted)
    if only:
        return [stage for stage in table if stage.id in only]
    if first:
        place = next(index for index, stage in enumerate(table) if stage.id == first)
        return table[place:]
    return table


def selection_word(only: list[str], first: str | None) -> str:
    """The kernel's word for the same choice."""
    if only:
        return "stages=" + ",".join(only)
    return f"stages=from:{first}" if first else "stages=all"
