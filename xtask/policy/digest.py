"""What an approval is bound to: a digest that two different changes cannot share."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from .git import Entry

CHANGE_TAG = b"cairn policy change 1"
RECORD_TAG = b"cairn policy record 1"


def packed(fields: Iterable[bytes]) -> bytes:
    """Fields with their lengths before them: no two lists of fields have one packing."""
    return b"".join(b"%d:%s," % (len(field), field) for field in fields)


def change_digest(entries: Iterable[Entry]) -> str:
    """SHA-256 over the sorted entries: path, old mode, old blob, new mode, new blob."""
    rows = sorted(packed(entry) for entry in set(entries))
    return hashlib.sha256(packed([CHANGE_TAG, *rows])).hexdigest()


def text_digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
