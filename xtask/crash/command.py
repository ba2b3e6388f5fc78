"""crash_report.py [LOG|-]: what a log says about crashed programs and a panicked kernel, as a readable report.

LOG is a run's directory or its events.jsonl, or any log with the event lines among others; without one, the
last run. Exit codes: 0 reported, 1 no crash in the log, 2 usage."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from .. import exitcodes
from ..guest import rundir
from . import record, report, store

LOG_MAX = 1 << 30


class LogError(Exception):
    """A log that cannot be had: exit code 2."""


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="crash_report.py", description=__doc__)
    parser.add_argument("log", nargs="?", metavar="LOG", help="a run's directory, a log, or - (the last run)")
    parser.add_argument("--binary", type=Path, metavar="ELF", help="the program (or kernel) that crashed")
    parser.add_argument("--pid", type=int, help="only this process")
    parser.add_argument("--last", action="store_true", help="only the last one")
    parser.add_argument("--list", action="store_true", help="a line for each instead of reports")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    return parser.parse_args(argv)


def find_log(word: str | None) -> tuple[bytes, Path]:
    """The log's bytes, and the directory it lies in."""
    if word == "-":
        return sys.stdin.buffer.read(LOG_MAX), Path(".")
    path = Path(word) if word is not None else rundir.default_base() / "latest"
    if path.is_dir():
        path = path / "events.jsonl"
    try:
        if path.stat().st_size > LOG_MAX:
            raise LogError(f"{path}: larger than a log can be")
        return path.read_bytes(), path.parent
    except OSError as error:
        raise LogError(f"{path}: {error.strerror}") from None


def crash_outputs(log: record.Log, images: store.Images, options: argparse.Namespace) -> list[str]:
    out = []
    for crash in log.crashes:
        if options.pid is not None and crash.pid != options.pid:
            continue
        a = report.analyse(crash, images.of_crash(crash))
        if options.json:
            out.append(json.dumps(report.json_of(a)))
        elif options.list:
            out.append(f"{crash.pid:7} {a.hash} {a.title}")
        else:
            out.append(report.text_of(a))
    return out


def panic_outputs(log: record.Log, images: store.Images, options: argparse.Namespace) -> list[str]:
    if options.pid is not None:
        return []
    out = []
    for panic in log.panics:
        called, key, _ = report.panic_title(panic)
        if options.json:
            out.append(json.dumps(report.panic_json(panic)))
        elif options.list:
            out.append(f" kernel {key} {called}")
        else:
            out.append(report.panic_text(panic, images.kernel()))
    return out


def show(options: argparse.Namespace) -> int:
    data, directory = find_log(options.log)
    if options.binary is not None and not options.binary.is_file():
        raise LogError(f"{options.binary}: no such file")
    log = record.read(data)
    images = store.Images(store.read_run(directory), options.binary)
    outputs = crash_outputs(log, images, options) + panic_outputs(log, images, options)
    if options.last:
        outputs = outputs[-1:]
    between = "" if options.json or options.list else "\n" + "-" * 72 + "\n\n"
    print(between.join(text if text.endswith("\n") else text + "\n" for text in outputs), end="")
    for text in images.complaints:
        print(f"crash_report: {text}", file=sys.stderr)
    if log.left_out or log.damaged or not outputs:
        print(f"crash_report: {report.summary(log)}", file=sys.stderr)
    return exitcodes.OK if outputs else exitcodes.FAILED


def main(argv: list[str]) -> int:
    options = parse(argv)
    try:
        return show(options)
    except LogError as error:
        print(f"crash_report: {error}", file=sys.stderr)
        return exitcodes.USAGE
    except KeyboardInterrupt:
        return 130
