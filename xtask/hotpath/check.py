"""The verdict on the call graph: nothing forbidden within reach of an entry, and no stack too deep."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from .graph import Graph, Node, Site
from .image import Function, base_name
from .policy import ANYONE, Edges, Entry, HotPolicy, Pointers, is_pattern

ROUNDS = 200


@dataclass(frozen=True)
class Step:
    """One function of a path, and the instruction (or place) at which it goes on to the next."""

    function: Function
    address: int | None
    place: str = ""


@dataclass
class Finding:
    """kind: reach, pointer, stack, unknown, stale, ... ; subject: as a record names it."""

    kind: str
    entry: str
    subject: str
    text: str
    path: list[Step] = field(default_factory=list)

    @property
    def key(self) -> tuple[str, ...]:
        """Findings that differ in this are told apart: the last caller counts, the way to it does not."""
        last = self.path[-2:-1] if self.kind == "reach" else []
        return (self.kind, self.entry, self.subject, *(step.function.name for step in last))


@dataclass
class EntryResult:
    name: str
    stack: int
    budget: int
    functions: list[str]  # without the roots that a pattern names
    deepest: list[Step]

    @property
    def reached(self) -> int:
        return len(self.functions)


@dataclass
class Resolved:
    """The policy's names as addresses in this image."""

    forbidden: dict[int, tuple[str, str]] = field(default_factory=dict)
    ends: set[int] = field(default_factory=set)
    roots: dict[str, list[int]] = field(default_factory=dict)


class Checker:
    def __init__(self, graph: Graph, policy: HotPolicy) -> None:
        self.graph, self.policy, self.image = graph, policy, graph.image
        self.findings: list[Finding] = []
        self.resolved = self.resolve()

    # --- names -----------------------------------------------------------------------------------
    def lookup(self, name: str, where: str) -> list[Function]:
        """Functions of a name or a pattern (`*` `?` `[]`). One that does not exist is a finding."""
        if is_pattern(name):
            found = [f for f in self.image.functions if any(fnmatchcase(n, name) for n in f.names)]
        else:
            found = self.image.find(name)
        if not found:
            self.missing(where, f"{name}, and the kernel has no such function")
        return found

    def places(self, name: str, where: str) -> list[int]:
        """Addresses of `function`, or `function+0x80`: a vector table's entries have no names of their own."""
        base, _, offset = name.partition("+")
        try:
            distance = int(offset, 0) if offset else 0
        except ValueError:
            self.missing(where, f"{name}, whose offset is no number")
            return []
        found = []
        for function in self.lookup(base, where):
            if function.holds(function.start + distance):
                found.append(function.start + distance)
            else:
                self.missing(where, f"{name}, which lies outside {function.name}")
        return found

    def missing(self, where: str, what: str) -> None:
        self.add(Finding("missing", "", f"{where}: {what}", f"{where} names {what}"))

    def report(self, kind: str, subject: str, text: str) -> None:
        self.add(Finding(kind, "", subject, text))

    def add(self, finding: Finding) -> None:
        if all(f.key != finding.key for f in self.findings):
            self.findings.append(finding)

    def resolve(self) -> Resolved:
        known = Resolved()
        for group in self.policy.forbidden:
            where = f"hotpath.forbidden.{group.group}"
            harmless = {f.start for name in group.harmless for f in self.lookup(name, where)}
            functions = [f for name in group.symbols for f in self.lookup(name, where)]
            for file in group.files:
                inside = [f for f in self.image.functions if f.source == file]
                if not inside:
                    self.missing(where, f"{file}, and the kernel has nothing from it")
                functions += inside
            for function in functions:
                if function.start not in harmless:
                    known.forbidden[function.start] = (group.group, group.why)
        for name in self.policy.ends:
            known.ends |= {f.start for f in self.lookup(name, "hotpath.ends")}
        for entry in self.policy.entries:
            where = f"hotpath.entry {entry.name}"
            known.roots[entry.name] = [place for name in entry.roots for place in self.places(name, where)]
        self.check_declared()
        return known

    def check_declared(self) -> None:
        for edges in self.policy.edges:
            for name in (*edges.callers, *edges.callees):
                if name != ANYONE:
                    self.lookup(name, f"hotpath.{edges.kind}")
        for row in self.policy.pointers:
            for name in (row.caller, *row.targets, *([row.registrar] if row.registrar else [])):
                self.lookup(name, "hotpath.pointers")

    @staticmethod
    def is_named(function: Function, names: tuple[str, ...]) -> str | None:
        for name in sorted(function.names):
            for wanted in names:
                if wanted in (name, base_name(name)) or (is_pattern(wanted) and fnmatchcase(name, wanted)):
                    return wanted
        return None

    def edge(self, kind: str, entry: str, caller: Function, callee: Function) -> Edges | None:
        for edges in self.policy.edges:
            if edges.kind != kind or (edges.entries and entry not in edges.entries):
                continue
            target = self.is_named(callee, edges.callees)
            if target and (ANYONE in edges.callers or self.is_named(caller, edges.callers)):
                edges.used.add(target)
                return edges
        return None

    # --- walking ---------------------------------------------------------------------------------
    def targets(self, entry: Entry, node: Node, site: Site, path: list[Step]) -> list[int]:
        """Where a site leads; a pointer that is not declared is a finding and leads nowhere."""
        if site.target is not None:
            return [site.target]
        rows = [row for row in self.policy.pointers if self.is_named(node.function, (row.caller,))]
        if not rows:
            name = node.function.name
            text = f"{name} calls through a pointer whose targets are not declared"
            self.add(Finding("pointer", entry.name, f"{entry.name} -> pointer in {name}", text, path))
        found: list[int] = []
        for row in rows:
            row.used = True
            self.check_sites(entry, node, row, len(rows), path)
            found += self.declared_targets(row)
        return found

    def check_sites(self, entry: Entry, node: Node, row: Pointers, rows: int, path: list[Step]) -> None:
        count = sum(site.target is None for site in node.sites)
        if rows == 1 and count != row.sites:
            text = f"{node.function.name} has {count} calls through pointers, {row.sites} are declared"
            self.add(Finding("pointer", entry.name, f"{entry.name} -> pointer in {row.caller}", text, path))

    def declared_targets(self, row: Pointers) -> list[int]:
        if row.leaves:
            return []
        found = [f.start for name in row.targets for f in self.image.find(name)]
        return found + (self.graph.table_targets(row.table) if row.table else [])

    def walk(self, entry: Entry) -> EntryResult:
        """Breadth first from the roots. best: the deepest stack each node is entered with, and from where."""
        best: dict[int, int] = {}
        cause: dict[int, tuple[Node, Site] | None] = {}
        rounds: dict[int, int] = {}
        repeats: dict[int, int] = {}  # bytes that each declared recursion adds
        work = list(dict.fromkeys(self.resolved.roots[entry.name]))
        for root in work:
            best[root], cause[root] = entry.frame, None
        while work:
            key = work.pop(0)
            node = self.graph.node(key)
            if node is None:
                text = f"{key:#x} is called and holds no function"
                self.add(Finding("unknown", entry.name, f"{entry.name} -> {key:#x}", text))
                continue
            for problem in node.problems:
                name = node.function.name
                at = self.path(cause, key, Site(None, None, 0))
                self.add(Finding("unbounded", entry.name, f"{entry.name} -> {name}", f"{name}: {problem}", at))
            for site in node.sites:
                path = self.path(cause, key, site)
                depth = site.depth if site.new_stack else best[key] + site.depth
                for target in self.targets(entry, node, site, path):
                    inner = self.step(entry, node, target, path)
                    if inner is None or best.get(inner, -1) >= depth:
                        continue
                    again = self.repeat(entry, node, inner)
                    if again and inner in best and self.is_ancestor(cause, inner, key):
                        round_trip = again.times * (depth - best[inner])
                        repeats[id(again)] = max(repeats.get(id(again), 0), round_trip)
                        continue
                    rounds[inner] = rounds.get(inner, 0) + 1
                    if rounds[inner] > ROUNDS:
                        self.recursion(entry, node, inner, path)
                        continue
                    if inner not in best or not self.is_ancestor(cause, inner, key):
                        cause[inner] = (node, site)
                    elif best[inner] < depth:
                        self.recursion(entry, node, inner, path)
                        continue
                    best[inner] = depth
                    work.append(inner)
        return self.result(entry, best, cause, sum(repeats.values()))

    def repeat(self, entry: Entry, node: Node, inner: int) -> Edges | None:
        function = self.image.at(inner)
        return self.edge("repeats", entry.name, node.function, function) if function else None

    def recursion(self, entry: Entry, node: Node, inner: int, path: list[Step]) -> None:
        function = self.image.at(inner) or node.function
        text = f"{function.name} is entered again from below itself: its stack has no bound"
        self.add(Finding("recursion", entry.name, f"{entry.name} -> {function.name}", text, path))

    def is_ancestor(self, cause: dict[int, tuple[Node, Site] | None], above: int, below: int) -> bool:
        """Whether the recorded way to `below` leads over `above`."""
        seen = set()
        while below not in seen:
            if below == above:
                return True
            seen.add(below)
            came = cause.get(below)
            if came is None:
                return False
            below = came[0].key
        return False

    def step(self, entry: Entry, node: Node, target: int, path: list[Step]) -> int | None:
        """The node that a call leads to, or None: the tier ends there, or it is a finding."""
        function = self.image.at(target)
        if function is None:
            return target
        caller = node.function
        if function.start in self.resolved.ends:
            return None
        if any(self.edge(kind, entry.name, caller, function) for kind in ("leaves", "guarded")):
            return None
        if function.start in self.resolved.forbidden and not self.edge("permits", entry.name, caller, function):
            self.forbidden(entry, function, path)
            return None
        inner = self.graph.node(target)
        return inner.key if inner else target

    def forbidden(self, entry: Entry, function: Function, path: list[Step]) -> None:
        group, why = self.resolved.forbidden[function.start]
        text = f"{function.name} is reachable: {group} ({why})"
        full = [*path, Step(function, function.start)]
        self.add(Finding("reach", entry.name, f"{entry.name} -> {function.name}", text, full))

    def path(self, cause: dict[int, tuple[Node, Site] | None], key: int, site: Site) -> list[Step]:
        node = self.graph.nodes.get(key)
        steps: list[Step] = []
        while node is not None and len(steps) < 100:
            steps.append(Step(node.function, site.address, site.place))
            came = cause.get(node.key)
            if came is None:
                break
            node, site = came
        return steps[::-1]

    def result(
        self, entry: Entry, best: dict[int, int], cause: dict[int, tuple[Node, Site] | None], more: int
    ) -> EntryResult:
        worst, at = 0, None
        for key, depth in best.items():
            node = self.graph.nodes.get(key)
            if node and depth + node.depth > worst:
                worst, at = depth + node.depth, key
        worst += more
        deepest = self.path(cause, at, Site(None, None, 0)) if at is not None else []
        many = tuple(name for name in entry.roots if is_pattern(name))
        functions = [self.graph.nodes[key].function for key in best if key in self.graph.nodes]
        names = sorted({f.name for f in functions if not self.is_named(f, many)})
        if worst > entry.stack:
            text = f"the stack can be {worst} bytes deep, the budget is {entry.stack}"
            self.add(Finding("stack", entry.name, f"{entry.name}.stack +{worst - entry.stack}", text, deepest))
        return EntryResult(entry.name, worst, entry.stack, names, deepest)

    # --- all of it -------------------------------------------------------------------------------
    def run(self) -> list[EntryResult]:
        results = [self.walk(entry) for entry in self.policy.entries]
        for row in self.policy.pointers:
            if row.registrar:
                self.check_registrar(row)
        self.check_stale()
        return results

    def check_registrar(self, row: Pointers) -> None:
        """Whoever hands the registrar a function must hand one of the declared targets."""
        allowed = {f.start for name in row.targets for f in self.image.find(name)}
        for registrar in self.image.find(row.registrar or ""):
            for caller, given in self.graph.registered(registrar, row.argument):
                if given in allowed or caller.source.startswith(self.policy.tests):
                    continue
                function = self.image.at(given) if given is not None else None
                name = function.name if function else "what cannot be told from the code"
                text = f"{caller.name} gives {name} to {registrar.name}, and {row.caller} is not declared to call it"
                self.add(Finding("pointer", "", f"{row.caller} -> {name}", text, [Step(caller, caller.start)]))

    def check_stale(self) -> None:
        """A declaration that nothing needs is one that hides the next thing."""
        for edges in self.policy.edges:
            for name in edges.callees:
                if name not in edges.used:
                    text = f"hotpath.{edges.kind} to {name}: no hot path makes that call; delete the row"
                    self.add(Finding("stale", "", f"{edges.kind} {name}", text))
        for row in self.policy.pointers:
            if not row.used:
                text = f"hotpath.pointers of {row.caller}: no hot path comes there; delete the row"
                self.add(Finding("stale", "", f"pointers {row.caller}", text))
