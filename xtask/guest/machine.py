"""Machines: what a guest is made of, and the QEMU argument list for it. Pure; nothing is started here."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

# Channels every guest has; cairn.* are virtio-serial ports and only there when asked for.
SERIAL, EVENTS, QMP = "serial", "events", "qmp"
STREAMS = ("cairn.stdin", "cairn.stdout", "cairn.stderr")
ICOUNT = ["-icount", "shift=0,sleep=off", "-rtc", "base=2024-01-01T00:00:00,clock=vm", "-seed", "1"]
CPUS_MAX = 8


class UsageError(Exception):
    """What was asked for cannot be: exit code 2."""


@dataclass(frozen=True)
class Machine:
    """A board: binary, QEMU's name for it, the virtio transport, and how events leave it."""

    arch: str
    name: str
    qemu: str
    board: str
    cpu: str
    cpu_icount: str
    virtio: str  # suffix of device names: pci, or device for virtio-mmio
    # Notifications are served where the guest makes them, not in QEMU's main loop at some later
    # instruction: sooner, and the same on every run of --icount. (device options, arguments)
    prompt: tuple[str, tuple[str, ...]]
    events: tuple[str, ...]  # arguments; the chardev is called events
    image: str = ""  # what is booted, beside the ELF file; empty: that itself
    words: str = ""  # for the kernel, on this board


DEBUGCON = ("-device", "isa-debugcon,iobase=0xe9,chardev=events")
X86_QEMU = "qemu-system-x86_64"
PROMPT_PCI: tuple[str, tuple[str, ...]] = (",ioeventfd=off", ())
PROMPT_MMIO = ("", ("-global", "virtio-mmio.ioeventfd=off"))
X86_CPU = ("max", "max,-erms,-fsrm")
ARM_QEMU = "qemu-system-aarch64"
ARM_CPU = ("cortex-a72", "cortex-a72")
SEMIHOSTING = ("-semihosting-config", "enable=on,target=native,chardev=events")
MODERN_MMIO = ("", (*PROMPT_MMIO[1], "-global", "virtio-mmio.force-legacy=off"))
ARM_BOOT = ("Image", "events=semihosting")


def arm(
    name: str, board: str, cpu: tuple[str, str], prompt: tuple[str, tuple[str, ...]], virtio: str = "device"
) -> Machine:
    return Machine("aarch64", name, ARM_QEMU, board, *cpu, virtio, prompt, SEMIHOSTING, *ARM_BOOT)


MACHINES: dict[tuple[str, str], Machine] = {
    (m.arch, m.name): m
    for m in (
        Machine("x86_64", "q35", X86_QEMU, "q35", *X86_CPU, "pci", PROMPT_PCI, DEBUGCON),
        Machine("x86_64", "microvm", X86_QEMU, "microvm,acpi=on", *X86_CPU, "device", PROMPT_MMIO, DEBUGCON),
        arm("virt", "virt,gic-version=3", ARM_CPU, MODERN_MMIO),
        arm("virt-gic2", "virt,gic-version=2", ("max", "max"), PROMPT_MMIO),
        arm("virt-pci", "virt,gic-version=3", ARM_CPU, PROMPT_PCI, "pci"),
        arm("virt-gic2-pci", "virt,gic-version=2", ("max", "max"), PROMPT_PCI, "pci"),
    )
}
DEFAULT_MACHINE = {"x86_64": "q35", "aarch64": "virt"}


def find_machine(arch: str, name: str | None) -> Machine:
    wanted = DEFAULT_MACHINE.get(arch, "") if name is None else name
    try:
        return MACHINES[arch, wanted]
    except KeyError:
        known = ", ".join(f"{a}/{n}" for a, n in MACHINES)
        raise UsageError(f"no machine {wanted or 'at all'!r} for {arch} (there are {known})") from None


@dataclass
class GuestSpec:
    """Everything that decides how a guest is started."""

    machine: Machine
    kernel: Path  # the ELF file, whatever the board boots
    initrd: Path | None
    cmdline: str
    smp: int = 1
    mem: str = "1G"
    cpu: str | None = None  # None: the machine's
    kvm: bool = False
    icount: bool = False
    streams: bool = False  # the three ports of `xtask run`
    disks: list[Path] = field(default_factory=list)
    gdb_socket: Path | None = None
    graphics: bool = False  # a screen and a keyboard
    display: str = "none"  # QEMU's -display: who sees the screen
    extra: list[str] = field(default_factory=list)

    @property
    def image(self) -> Path:
        return self.kernel.with_name(self.machine.image) if self.machine.image else self.kernel

    def channels(self) -> list[str]:
        return [SERIAL, EVENTS, QMP, *(STREAMS if self.streams else ())]


def check(spec: GuestSpec) -> None:
    if not 1 <= spec.smp <= CPUS_MAX:
        raise UsageError(f"--smp {spec.smp} is outside 1..{CPUS_MAX}")
    if spec.icount and spec.smp != 1:
        raise UsageError("--icount counts with one CPU (more than one can livelock in QEMU)")
    if spec.icount and spec.kvm:
        raise UsageError("--icount needs TCG: leave out --kvm")
    for path in (spec.image, *([spec.initrd] if spec.initrd else ()), *spec.disks):
        if "," in str(path):
            raise UsageError(f"QEMU does not take a comma in a path: {path}")
        if not path.is_file():
            raise UsageError(f"no such file: {path}")


def accelerator(spec: GuestSpec) -> list[str]:
    if spec.kvm:
        return ["-accel", "kvm"]
    return ["-accel", "tcg" if spec.icount else "tcg,thread=multi"]


def stream_args(machine: Machine) -> list[str]:
    args = ["-device", f"virtio-serial-{machine.virtio},id=vserial,max_ports=8{machine.prompt[0]}"]
    for number, name in enumerate(STREAMS, start=1):
        args += ["-device", f"virtserialport,bus=vserial.0,nr={number},chardev={name},name={name}"]
    return args


def disk_args(machine: Machine, disks: list[Path]) -> list[str]:
    args: list[str] = []
    for number, path in enumerate(disks):
        args += ["-drive", f"if=none,id=disk{number},file={path},format=raw,cache=writeback"]
        args += ["-device", f"virtio-blk-{machine.virtio},drive=disk{number}{machine.prompt[0]}"]
    return args


def graphics_args(machine: Machine) -> list[str]:
    names = (f"virtio-gpu-{machine.virtio}", f"virtio-keyboard-{machine.virtio}")
    return [word for name in names for word in ("-device", name)]


def arguments(spec: GuestSpec, fds: dict[str, int]) -> list[str]:
    """The command line. Each channel is a connected socket that QEMU inherits, so that no byte is lost
    before somebody listens, and no name in the file system can clash."""
    machine = spec.machine
    args = [machine.qemu, "-M", machine.board, *accelerator(spec)]
    args += ["-cpu", spec.cpu or (machine.cpu_icount if spec.icount else machine.cpu)]
    args += ["-smp", str(spec.smp), "-m", spec.mem]
    args += ["-nodefaults", "-no-user-config", "-display", spec.display, "-no-reboot", "-no-shutdown"]
    args += ["-S"]  # the launcher lets it go
    for name, fd in fds.items():
        args += ["-chardev", f"socket,id={name},fd={fd}"]
    args += ["-serial", f"chardev:{SERIAL}", *machine.events, "-mon", f"chardev={QMP},mode=control"]
    args += machine.prompt[1]
    if spec.streams:
        args += stream_args(machine)
    args += disk_args(machine, spec.disks)
    if spec.graphics:
        args += graphics_args(machine)
    if spec.gdb_socket:
        args += ["-chardev", f"socket,id=gdb,path={spec.gdb_socket},server=on,wait=off"]
        args += ["-gdb", "chardev:gdb"]
    if spec.icount:
        args += ICOUNT
    args += ["-kernel", str(spec.image)]
    if spec.initrd:
        args += ["-initrd", str(spec.initrd)]
    return [*args, "-append", " ".join(w for w in (machine.words, spec.cmdline) if w), *spec.extra]
