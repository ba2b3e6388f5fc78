"""Options that several commands have, and how their errors become exit codes."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from . import exitcodes
from .build import Build, BuildError
from .guest import launch
from .guest.machine import GuestSpec, UsageError, find_machine
from .initramfs import ArchiveError

EXIT_CODES: dict[type[Exception], int] = {
    UsageError: exitcodes.USAGE,
    ArchiveError: exitcodes.USAGE,
    BuildError: exitcodes.CANNOT_BUILD,
    launch.InfraError: exitcodes.INFRA,
}


def add_build_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--arch", default="x86_64", help="port: x86_64 (default) or aarch64")
    parser.add_argument("--machine", help="board: q35 (default) or microvm; aarch64: virt (default), virt-gic2, virt-pci, virt-gic2-pci")
    parser.add_argument("--cpu", metavar="NAME", help="QEMU's name of a CPU (the machine's own)")
    parser.add_argument("--smp", type=int, default=1, metavar="N", help="CPUs, 1 to 8 (1)")
    parser.add_argument("--mem", default="1G", metavar="SIZE", help="memory (1G)")
    parser.add_argument("--kvm", action="store_true", help="use KVM where it works")
    parser.add_argument("--append", default="", metavar="CMDLINE", help="more words for the kernel")
    variant = os.environ.get("VARIANT", "release")
    parser.add_argument("--variant", default=variant, choices=("release", "debug", "inject"))
    parser.add_argument("--build-dir", type=Path, metavar="DIR", help="as make's O=")
    parser.add_argument("--no-build", action="store_true", help="take what is there")
    parser.add_argument("--keep-logs", type=Path, metavar="DIR", help="run directories go here")


def add_device_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--disk", action="append", default=[], type=Path, metavar="IMG", help="a disk, from a file")
    parser.add_argument("--graphics", action="store_true", help="a screen and a keyboard; a window, if there is a display")


def display(options: argparse.Namespace) -> str:
    """QEMU's -display for a person who wants to see the screen; says so when nobody can."""
    if not options.graphics:
        return "none"
    found = "none"
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        found = launch.window(find_machine(options.arch, options.machine).qemu)
    if found == "none":
        print("xtask: no display here, or no QEMU for it: the screen is drawn and not shown", file=sys.stderr)
    return found


def make_build(options: argparse.Namespace, targets: list[str]) -> Build:
    """Builds, unless told not to. BuildError."""
    build = Build(options.arch, options.variant, options.build_dir)
    if not options.no_build:
        build.make(targets)
    build.require(build.kernel)
    return build


def use_kvm(options: argparse.Namespace) -> bool:
    if options.kvm and not launch.kvm_works(options.arch):
        print("xtask: KVM does not work here, using TCG", file=sys.stderr)
        return False
    return bool(options.kvm)


def guest_spec(options: argparse.Namespace, build: Build, initrd: Path, *words: str) -> GuestSpec:
    """The guest that the options ask for. Its command line is the words that are not empty."""
    return GuestSpec(
        find_machine(options.arch, options.machine),
        build.kernel,
        initrd,
        " ".join(word for word in words if word),
        options.smp,
        options.mem,
        options.cpu,
        kvm=use_kvm(options),
    )


def use_colour(stream_is_terminal: bool) -> bool:
    return stream_is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def guarded(name: str, body: Callable[[], int]) -> int:
    """Runs body; what goes wrong around it becomes a line on stderr and the exit code for it."""
    launch.unwind_on_signals()
    try:
        return body()
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        return 130
    except launch.Stopped as stopped:
        return 128 + int(stopped.args[0])
    except tuple(EXIT_CODES) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return EXIT_CODES[type(error)]
