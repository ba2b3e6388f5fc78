"""The screen and the keyboard, on both ports: what a program draws is compared with what the font's table says, pixel by
pixel; what is typed comes through the terminal to the program."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from xtask.guest import launch
from xtask.guest.machine import SERIAL, GuestSpec, find_machine
from xtask.guest.session import Chunk, Session
from xtask.run import root

from . import screen
from .conftest import BUILD, PYTHON, REPO, Runner
from .screen import BRIGHT, DARK, GREY, Image

LIMIT_S = 40.0
PORTS = [("x86_64", "q35"), ("aarch64", "virt"), ("aarch64", "virt-gic2")]
STAGES = ["pci_bus", "msi_alloc", "virtio_disk", "screen_device", "keyboard_device"]
BLUE, ORANGE = 0x0000FF, 0xFF8700


class Guest:
    """A guest with a screen, and what its serial line has said."""

    def __init__(self, session: Session, directory: Path) -> None:
        self.session = session
        self.qmp = session.qmp
        self.serial = b""
        self.shot = directory / "screen.ppm"

    def until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + LIMIT_S
        while not condition():
            if time.monotonic() > deadline or self.session.ended:
                pytest.fail(f"no {what}; serial line: {self.serial[-2000:]!r}")
            for item in self.session.wait(0.05):
                if isinstance(item, Chunk) and item.channel == SERIAL:
                    self.serial += item.data

    def said(self, words: bytes) -> None:
        self.until(lambda: words in self.serial, repr(words))

    def marked(self, name: str) -> None:
        self.said(b"\033]0;%s\007" % name.encode())

    def look(self) -> Image:
        return screen.screenshot(self.qmp, self.shot)

    def shows(self, expected: Image) -> None:
        """Now, or when the next frames have been drawn."""
        end = time.monotonic() + 3
        while (wrong := self.look().differences(expected)) and time.monotonic() < end:
            time.sleep(0.05)
        assert not wrong, f"cells (row, column) that differ: {wrong[:20]}; see {self.shot}\n" + "\n".join(self.look().read())

    def reads(self, wanted: Callable[[list[str]], bool], what: str) -> list[str]:
        lines: list[str] = []

        def found() -> bool:
            lines[:] = self.look().read()
            return wanted(lines)

        self.until(found, what)
        return lines


@pytest.fixture
def boot(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[..., object]:
    @contextmanager
    def start(port: tuple[str, str], words: str, *, tty: bool = True) -> Iterator[Guest]:
        arch, machine = port
        build = request.getfixturevalue("aarch64") if arch == "aarch64" else REPO / BUILD
        archive, path = root.compose(build / "user/init", None, [], str(build / "user/screen"))
        archive.file(".cairn/spec", root.spec_bytes(root.Program(path, [], {"TERM": "linux"}, tty=tty)), 0o600)
        archive.write(tmp_path / "root.cpio")
        cmdline = f"run nonce=00 {words}"
        spec = GuestSpec(find_machine(arch, machine), build / "cairn.elf", tmp_path / "root.cpio", cmdline, smp=2)
        spec.graphics = True
        guest = launch.launch(spec, tmp_path)
        with launch.ended_at_exit(guest):
            session = Session(guest, tmp_path)
            try:
                yield Guest(session, tmp_path)
            finally:
                session.close()

    return start


def expected_drawing() -> Image:
    """What userspace/programs/screen.c draws."""
    image = Image.blank(1280, 800)
    image.text(0, 0, "50 rows, 160 columns, 1280x800")
    for i in range(8):
        image.text(1, 3 * i, str(i), DARK[i])
        image.text(1, 3 * i + 1, str(i), BRIGHT[i])
        image.text(1, 3 * i + 2, " ", 0, DARK[i])
    image.text(2, 0, "bold", BRIGHT[7])
    image.text(2, 5, "line", line=14)
    image.text(2, 10, "reverse", 0, GREY)
    image.text(2, 18, "dim", 0x555555)
    image.text(2, 22, "orange", ORANGE)
    image.text(2, 28, "blue", ORANGE, BLUE)
    image.text(3, 0, "café Über ┌─┐ ┌─┐ \ufffd \ufffd  €")
    for i in range(3):
        image.text(9 + i, 0, f"scrolled {4 + i}")
    image.text(13, 0, ">abefgh")
    image.text(14, 0, "er")
    return image


def cursor(image: Image, row: int, column: int) -> None:
    image.text(row, column, " ", 0, GREY)


@pytest.mark.parametrize("port", PORTS, ids="-".join)
def test_drawing_and_typing(boot: Callable[..., object], port: tuple[str, str]) -> None:
    with boot(port, "loglevel=3") as guest:  # type: ignore[attr-defined]
        guest.marked("drawn")
        image = expected_drawing()
        cursor(image, 15, 0)
        guest.shows(image)

        # Echo and editing are the line discipline's; the same line comes in by both ways.
        screen.type_text(guest.qmp, "Hello, tty_1!x")
        screen.press(guest.qmp, "backspace")
        guest.said(b"tty_1!x\b \b")
        guest.session.guest.channels[SERIAL].send(b" serial\n")
        guest.marked("line read")
        assert b"line: Hello, tty_1! serial\r\n" in guest.serial
        image.text(15, 0, "Hello, tty_1! serial")
        image.text(16, 0, "line: Hello, tty_1! serial")

        guest.marked("raw")
        for keys in (["up"], ["ctrl", "c"], ["alt", "x"], ["f1"], ["delete"], ["shift", "tab"], ["kp_5"], ["q"]):
            screen.press(guest.qmp, *keys)
        guest.marked("done")
        image.text(17, 0, "1b 5b 41 03 1b 78 1b 5b 5b 41 1b 5b 33 7e 1b 5b 5a 35 ")
        cursor(image, 16, 1)
        image.text(16, 1, "i", 0, GREY)
        guest.shows(image)


def test_screen_alone(boot: Callable[..., object]) -> None:
    """console=tty0: the screen is /dev/console, the serial line another terminal, without the log."""
    with boot(PORTS[0], "console=tty0") as guest:  # type: ignore[attr-defined]
        image = expected_drawing()
        cursor(image, 15, 0)
        guest.until(lambda: not guest.look().differences(image), "drawing")
        screen.type_text(guest.qmp, "alone\n")
        guest.reads(lambda lines: "line: alone" in lines, "line on the screen")
        assert b"alone" not in guest.serial and b"drawn" not in guest.serial


@pytest.mark.parametrize("port", PORTS[:2], ids="-".join)
def test_panic_is_shown(boot: Callable[..., object], port: tuple[str, str]) -> None:
    """The beginning of the log, and a panic's report up to its backtrace; nothing behind that."""
    with boot(port, "crash_test=null") as guest:  # type: ignore[attr-defined]
        guest.said(b"the machine has stopped")
        lines = guest.reads(lambda all_lines: any(": panic: " in line for line in all_lines), "panic on the screen")
        text = "\n".join(lines)
        assert "virtio-gpu: 1280x800" in text
        assert "die_null" in text
        assert "backtrace of cpu" in text
        assert "the machine has stopped" not in text


@pytest.mark.parametrize("port", [*PORTS, ("x86_64", "microvm"), ("aarch64", "virt-pci")], ids="-".join)
def test_stages_of_the_devices(request: pytest.FixtureRequest, tmp_path: Path, port: tuple[str, str]) -> None:
    """What the stages skip where there are no such devices."""
    arch, machine = port
    build = request.getfixturevalue("aarch64") if arch == "aarch64" else REPO / BUILD
    disk, report = tmp_path / "disk.img", tmp_path / "report.json"
    disk.write_bytes(b"disk" * 4096)
    command = [PYTHON, "-m", "xtask", "boot-stages", "--no-build", "--arch", arch, "--machine", machine, "--smp", "2"]
    command += ["--build-dir", str(build), "--graphics", "--disk", str(disk), "--json", str(report)]
    done = subprocess.run(
        [*command, "--only", ",".join(STAGES)], cwd=REPO, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    ends = {row["id"]: row["status"] for row in json.loads(report.read_text())["stages"]}
    assert {name for name in STAGES if ends[name] != "PASS"} == ({"pci_bus"} if machine == "microvm" else set()), ends


def test_run_without_a_display(guest: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """The console is the program's terminal, as large as the screen; the end of our input is not the line's."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    result = guest(["/bin/busybox", "sh", "-c", "echo $TERM; stty size; tty"], "--graphics")
    assert result.status == 0, result.explain()
    assert b"linux\r\n50 160\r\n/dev/console\r\n" in result.out, result.explain()
    assert b"the screen is drawn and not shown" in result.err, result.explain()
