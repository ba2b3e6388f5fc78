"""Physical memory and the memory of processes, both reached through the kernel's direct map: so no matter
which address space a CPU has loaded, and in a core as well."""

from __future__ import annotations

from collections.abc import Callable

from . import arch, pagetable, target
from .errors import CairnError, Unreadable
from .target import Obj


def direct(pa: int) -> int:
    return int(arch.port().DIRECT_MAP_BASE) + pa


def read_phys_u64(pa: int) -> int:
    return target.read_u64(direct(pa))


def image_phys() -> int:
    """Where the kernel's image was loaded, less what its first address is above KERNEL_BASE."""
    name = arch.port().IMAGE_PLACE
    return target.global_num(name) if name else 0


def to_phys(va: int) -> int | None:
    """The physical address behind one of the direct map or the kernel image."""
    port = arch.port()
    if port.DIRECT_MAP_BASE <= va < port.DIRECT_MAP_END:
        return va - int(port.DIRECT_MAP_BASE)
    if va >= port.KERNEL_BASE:
        return va - int(port.KERNEL_BASE) + image_phys()
    return None


def table_root(mm: Obj | None, at: int) -> int:
    """The physical address of the top table for an address of a process; None: the kernel's own."""
    if arch.port().USER_ROOT_ONLY and at >= arch.port().KERNEL_HALF:
        mm = None
    va = mm.num("root") if mm else target.global_num("kernel_root")
    pa = to_phys(va)
    if pa is None or va % 4096:
        raise CairnError(f"{'root of ' + mm.what if mm else 'kernel_root'}: {va:#x} is no page table")
    return pa


def walk(mm: Obj | None, va: int) -> pagetable.Walk:
    return pagetable.walk(read_phys_u64, table_root(mm, va), va, arch.port())


def read_user(mm: Obj, va: int, size: int) -> bytes:
    """A process's memory, page by page through its tables. Unreadable where nothing is mapped."""
    data = b""
    while len(data) < size:
        at = va + len(data)
        found = walk(mm, at)
        if not found.mapped:
            raise Unreadable(at, "user memory")
        room = min(size - len(data), 4096 - at % 4096)
        data += target.read(direct(found.paddr), room, "user memory")
    return data


def user_reader(mm: Obj) -> Callable[[int], int]:
    return lambda va: int.from_bytes(read_user(mm, va, 8), "little")
