"""Files: files, mounts, path."""

from __future__ import annotations

from collections.abc import Iterator

from . import target, tasks, walk
from .command import Arg, Args, command
from .errors import CairnError, Unreadable
from .mm import PID
from .report import Hex, Report
from .target import Obj

DEPTH_MAX = 256
FDS_MAX = 524288
ACCESS = ("r", "w", "rw", "?")
KINDS = {1: "fifo", 2: "chr", 4: "dir", 6: "blk", 8: "file", 10: "link", 12: "sock"}
FLAG_NAMES = ((0o2000, "append"), (0o4000, "nonblock"), (0o2000000, "cloexec"), (0o10000000, "path"),
              (0o20000000, "tmpfile"))  # fmt: skip


def dentry_name(dentry: Obj) -> str:
    length = dentry.num("len")
    if length > 255:
        raise CairnError(f"{dentry.what}: a name of {length} bytes")
    name = dentry.num("name")
    walk.check_pointer(name, f"name of {dentry.what}", 1)
    return target.read(name, length, f"name of {dentry.what}").decode("utf-8", "replace")


def path_of(mount: Obj | None, dentry: Obj) -> str:
    """The path from the topmost mount down. A bind mount has its root dentry in another mount too, maybe above itself."""
    name = f"parents of dentry {dentry.addr:#x}"
    seen, mounts = walk.Seen(name, DEPTH_MAX), walk.Seen(f"{name}: mounts", DEPTH_MAX)
    parts: list[str] = []
    while True:
        seen.add(dentry.addr)
        if mount and dentry.addr == mount.num("root"):
            above = mount.follow("parent", f"parent of {mount.what}")
            if not above or above.addr == mount.addr or not mount.num("mountpoint"):
                break
            point = mount.follow("mountpoint", f"mountpoint of {mount.what}")
            assert point
            mounts.add(mount.addr)
            mount, dentry, seen = above, point, walk.Seen(name, DEPTH_MAX)
            continue
        parent = dentry.follow("parent", f"parent of dentry {dentry.addr:#x}")
        if not parent or parent.addr == dentry.addr:
            break
        parts.append(dentry_name(dentry))
        dentry = parent
    return "/" + "/".join(reversed(parts))


def file_path(file: Obj) -> str:
    """What an open file is called."""
    if file.num("anon_name"):
        inode = file.follow("inode")
        name = file.string("anon_name")
        return name if ":" in name or not inode else f"{name}:[{inode.num('ino')}]"
    dentry = file.follow("dentry", f"dentry of file {file.addr:#x}")
    return path_of(file.follow("mount", f"mount of file {file.addr:#x}"), dentry) if dentry else "?"


def open_files(files: Obj) -> Iterator[tuple[int, Obj, bool]]:
    """(descriptor, file, close on exec) of a descriptor table."""
    table = files.follow("table", f"descriptor table of {files.what}")
    if not table:
        return
    size = table.num("size")
    if not 0 < size <= FDS_MAX or size % 64:
        raise CairnError(f"descriptor table {table.addr:#x} of {files.what}: a size of {size}")
    array = walk.check_pointer(table.num("files"), f"array of descriptor table {table.addr:#x}")
    try:
        words = target.read(array, 8 * size, "descriptors")
        cloexec = int.from_bytes(target.read(table.num("cloexec"), size // 8, "close-on-exec bits"), "little")
    except Unreadable as error:
        raise CairnError(f"descriptor table {table.addr:#x} of {files.what}: cannot read {error.addr:#x}") from None
    for fd in range(size):
        addr = int.from_bytes(words[8 * fd : 8 * fd + 8], "little")
        if addr:
            what = f"file of descriptor {fd} of {files.what}"
            yield fd, Obj(walk.check_pointer(addr, what), "struct file", what), bool(cloexec >> fd & 1)


def files_of(pid: int) -> Obj:
    for thread in tasks.threads_of(tasks.find_proc(pid)):
        files = thread.follow("files", f"files of {tasks.title(thread)}")
        if files:
            files.what = f"process {pid}"
            return files
    raise CairnError(f"process {pid} has no descriptor table (any more)")


@command("files", "open files of a process", PID)
def files_command(args: Args, report: Report) -> None:
    """Descriptor, kind, access, position and path; then root and working directory."""
    pid = args.need("pid")
    files = files_of(pid)
    table = report.table("files")
    for fd, file, cloexec in report.guard(open_files(files)):
        try:
            inode = file.follow("inode", f"inode of file {file.addr:#x}")
            flags = file.num("flags")
            words = [name for bit, name in FLAG_NAMES if flags & bit and name != "cloexec"]
            table.row(
                fd=fd, kind=KINDS.get(inode.num("mode") >> 12, "-") if inode else "-", mode=ACCESS[flags & 3],
                pos=file.num("pos"), refs=file.num("refs.v"),
                flags=" ".join(words + (["cloexec"] if cloexec else [])),
                ino=inode.num("ino") if inode else None, path=file_path(file), file=Hex(file.addr),
            )  # fmt: skip
        except CairnError as error:
            report.problem(f"descriptor {fd} of process {pid}: {error}")
    directories(pid, report)


def directories(pid: int, report: Report) -> None:
    for thread in report.guard(tasks.threads_of(tasks.find_proc(pid))):
        context = thread.follow("fs", f"directories of {tasks.title(thread)}")
        if not context:
            continue
        for name in ("root", "cwd"):
            path = context.sub(name)
            dentry = path.follow("dentry", f"{name} of process {pid}")
            if dentry:
                report.note(f"{name}: {path_of(path.follow('mount', f'{name} of process {pid}'), dentry)}")
        return


def mounts() -> Iterator[Obj]:
    head = target.variable("mount_list")[0]
    offset = target.offset_of("struct mount", "link")
    for node in walk.list_nodes(target.read_u64, head, "list mount_list", 100_000):
        mount = Obj(node - offset, "struct mount", f"mount {node - offset:#x} of list mount_list")
        try:
            mount.data
        except Unreadable:
            raise CairnError(f"list mount_list: node {node:#x} is in no mount that can be read") from None
        yield mount


MS_NAMES = ((1, "ro"), (2, "nosuid"), (4, "nodev"), (8, "noexec"), (1024, "noatime"), (1 << 21, "relatime"))


@command("mounts", "mounted file systems")
def mounts_command(args: Args, report: Report) -> None:
    """In the order of mounting, each with the path it is at, its type and its source."""
    del args
    table = report.table("mounts")
    for mount in report.guard(mounts()):
        try:
            root = mount.follow("root", f"root of {mount.what}")
            kind = mount.follow("super", f"super of {mount.what}")
            fs = kind.follow("type", f"type of {mount.what}") if kind else None
            flags = mount.num("flags") | (kind.num("flags") & 1 if kind else 0)
            table.row(
                id=mount.num("id"), path=path_of(mount, root) if root else "?",
                type=fs.string("name") if fs else "?", source=mount.string("source"),
                flags=" ".join(name for bit, name in MS_NAMES if flags & bit) or "rw",
                children=mount.num("children"), mount=Hex(mount.addr),
            )  # fmt: skip
        except CairnError as error:
            report.problem(f"{mount.what}: {error}")


@command("path", "path and inode of a file, dentry or inode by its address", Arg("addr", "addr"))
def path_command(args: Args, report: Report) -> None:
    """What the object is follows from the slab cache it is in: file, dentry or inode."""
    from .slab import object_at

    addr = args.need("addr")
    found = object_at(addr)
    kind = found.cache.string("name") if found else ""
    if found and kind == "file":
        report.note(file_path(Obj(found.start, "struct file")))
    elif found and kind == "dentry":
        dentry = Obj(found.start, "struct dentry")
        report.note(path_of(None, dentry) + ("" if dentry.num("inode") else " (negative)"))
        if dentry.num("inode"):
            inode_row(Obj(dentry.num("inode"), "struct inode"), report)
    elif found and "inode" in kind:
        inode_row(Obj(found.start, "struct inode"), report)
    else:
        raise CairnError(f"{addr:#x} is no file, dentry or inode" + (f" but of cache {kind}" if kind else ""))


def inode_row(inode: Obj, report: Report) -> None:
    kind = KINDS.get(inode.num("mode") >> 12, "?")
    table = report.table("inode")
    table.row(
        ino=inode.num("ino"), kind=kind, mode=f"{inode.num('mode') & 0o7777:04o}", uid=inode.num("uid"),
        gid=inode.num("gid"), nlink=inode.num("nlink"), size=inode.num("size"),
        pages=inode.num("mapping.nr_pages"), inode=Hex(inode.addr),
    )  # fmt: skip

