"""Which splits are open at each step, and which join closes which split.

One pass in topological order. Each step gets a *stack*: one :class:`Branch` (split and the target taken) per open
split. Static, foreach and parallel splits push when left, joins pop when entered, switches do neither. In a sound
flow all paths into a step bring the same stack; into a join, stacks that differ in the innermost branch only.
Where they do not, a :class:`Conflict` says why and the pass goes on with the likeliest stack, so that one mistake
gives one conflict.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

import msgspec

from airflow_mlflow_provider.flow.graph import TransitionKind

ConflictKind = Literal["no-split", "branches", "mixed", "open-end", "meeting", "second-join"]


class Branch(NamedTuple):
    """An open split and the target through which a step is reached."""

    split: str
    target: str


Stack = tuple[Branch, ...]


class Edges(msgspec.Struct, frozen=True):
    """What the pass knows of a step: how it goes on, and whether it is a join.

    ``certain`` is false if the linter had to guess the targets or they are not all known.
    """

    kind: TransitionKind | None
    targets: tuple[str, ...]
    is_join: bool
    certain: bool = True


class Conflict(msgspec.Struct, frozen=True):
    """A step at which the open splits do not fit.

    Attributes:
        kind: ``no-split``: a join below no split. ``branches``: a join without exactly the branches of its split.
            ``mixed``: paths with different open splits. ``open-end``: a split is open at the end. ``meeting``:
            branches of one split in a step without ``inputs``. ``second-join``: the split is closed elsewhere, too.
        step: Where.
        arrivals: Stack that each incoming step brings.
        split: The split at fault, if there is one.
        expected: Branches of the split.
        received: Those that arrive.
        other: The other join, for ``second-join``.
    """

    kind: ConflictKind
    step: str
    arrivals: Mapping[str, Stack]
    split: str | None = None
    expected: tuple[str, ...] = ()
    received: tuple[str, ...] = ()
    other: str | None = None


class Matching(msgspec.Struct):
    """Result of the pass.

    Attributes:
        stacks: Open splits when a step runs, by step; reachable steps only.
        split_of: The split that a join closes, by join.
        join_of: The join that closes a split, by split.
        branches: For a join: the targets of its split that lead to it, by incoming step.
        conflicts: Where the splits do not fit.
        cycles: Cycles other than self-loops of a switch, each as the steps along it.
    """

    stacks: dict[str, Stack] = {}
    split_of: dict[str, str] = {}
    join_of: dict[str, str] = {}
    branches: dict[str, dict[str, tuple[str, ...]]] = {}
    conflicts: list[Conflict] = []
    cycles: list[tuple[str, ...]] = []


def match(edges: Mapping[str, Edges], start: str, end: str | None) -> Matching:
    """Run the pass over the steps reachable from ``start``; linear in the number of transitions.

    Args:
        edges: Steps by name; targets that are no key are passed over.
        start: Name of the first step.
        end: Name of the last step, if it is known.
    """
    successors = {
        name: tuple(t for t in edge.targets if t in edges and not (edge.kind == "switch" and t == name))
        for name, edge in edges.items()
    }
    matching = Matching()
    back = _back_edges(successors, start, matching.cycles)
    forward = {n: tuple(t for t in targets if (n, t) not in back) for n, targets in successors.items()}
    looping = {name for cycle in matching.cycles for name in cycle}
    order = _topological(forward, start)
    traversal = _Traversal(edges, end, looping, matching)
    for name in order:
        traversal.enter(name)
        traversal.leave(name, forward[name])
    traversal.settle()
    return matching


class _Traversal(msgspec.Struct):
    edges: Mapping[str, Edges]
    end: str | None
    looping: set[str]
    matching: Matching
    arrivals: dict[str, dict[str, Stack]] = {}
    # Steps whose stack is a guess, branches that end at a mistake found elsewhere, splits with a conflict.
    doubtful: set[str] = set()
    lost: set[Branch] = set()
    reported: set[str] = set()

    def enter(self, name: str) -> None:
        arrivals = self.arrivals.get(name, {})
        if not arrivals:
            self.matching.stacks[name] = ()
        elif self.edges[name].is_join:
            self.matching.stacks[name] = self._join(name, arrivals)
        else:
            self.matching.stacks[name] = self._continue(name, arrivals)
        if name in self.looping or (not self.edges[name].certain and name != self.end):
            self.lost.update(self.matching.stacks[name])

    def leave(self, name: str, targets: Iterable[str]) -> None:
        edge, stack = self.edges[name], self.matching.stacks[name]
        for target in targets:
            pushed = (*stack, Branch(name, target)) if edge.kind not in (None, "linear", "switch") else stack
            self.arrivals.setdefault(target, {})[name] = pushed
            if name in self.doubtful or not edge.certain:
                self.doubtful.add(target)

    def _continue(self, name: str, arrivals: dict[str, Stack]) -> Stack:
        stacks = list(dict.fromkeys(arrivals.values()))
        if name == self.end and any(stacks):
            split = max(stacks, key=len)[-1].split
            expected = self.edges[split].targets
            self._report(Conflict("open-end", name, arrivals, split, expected), _splits(stacks))
        elif len(stacks) > 1:
            fork = _static_fork(stacks, self.edges)
            if fork:
                split = fork[0].split
                received = tuple(branch.target for branch in fork)
                expected = self.edges[split].targets
                self._report(Conflict("meeting", name, arrivals, split, expected, received), {split})
            else:
                self._report(Conflict("mixed", name, arrivals), _splits(stacks))
            self.doubtful.add(name)
            return _common(stacks)
        return stacks[0]

    def _join(self, name: str, arrivals: dict[str, Stack]) -> Stack:
        stacks = list(arrivals.values())
        if not any(stacks):
            self._report(Conflict("no-split", name, arrivals), set())
            return ()
        outer = {stack[:-1] for stack in stacks}
        closing = {stack[-1].split for stack in stacks if stack}
        if not all(stacks) or len(outer) > 1 or len(closing) > 1:
            self._report(Conflict("mixed", name, arrivals), closing)
            self.doubtful.add(name)
            return _common(stacks)
        split = closing.pop()
        self._close(name, split, arrivals)
        return stacks[0][:-1]

    def _close(self, name: str, split: str, arrivals: dict[str, Stack]) -> None:
        led: dict[str, tuple[str, ...]] = {source: (stack[-1].target,) for source, stack in arrivals.items()}
        received = tuple(
            t for t in self.edges[split].targets if any(t in targets for targets in led.values())
        )
        expected = self.edges[split].targets
        self.matching.split_of[name] = split
        first = self.matching.join_of.setdefault(split, name)
        if self.edges[split].kind == "static":
            self.matching.branches[name] = led
        if split in arrivals and self.edges[split].kind != "static":
            # A body without steps; what follows may be the body, with an argument too many.
            self.doubtful.add(name)
        elif split in arrivals or set(received) != set(expected):
            self._report(Conflict("branches", name, arrivals, split, expected, received), {split})
        elif first != name:
            self._report(Conflict("second-join", name, arrivals, split, expected, received, first), {split})

    def settle(self) -> None:
        """Take back what is said of joins that miss branches which end at a mistake found elsewhere."""
        self.matching.conflicts = [c for c in self.matching.conflicts if not (self._missing(c) & self.lost)]

    def _missing(self, conflict: Conflict) -> set[Branch]:
        if conflict.kind != "branches" or conflict.split is None or conflict.split in conflict.arrivals:
            return set()
        return {Branch(conflict.split, t) for t in conflict.expected if t not in conflict.received}

    def _report(self, conflict: Conflict, splits: set[str]) -> None:
        follows = bool(splits) and splits <= self.reported
        if conflict.step not in self.doubtful and not follows:
            self.matching.conflicts.append(conflict)
        self.reported |= splits


def _splits(stacks: Iterable[Stack]) -> set[str]:
    return {branch.split for stack in stacks for branch in stack}


def _static_fork(stacks: list[Stack], edges: Mapping[str, Edges]) -> tuple[Branch, ...]:
    """The branches of one static split by which the stacks differ first; empty if they differ in another way."""
    depth = len(_common(stacks))
    if any(len(stack) <= depth for stack in stacks):
        return ()
    fork = tuple(dict.fromkeys(stack[depth] for stack in stacks))
    same = len({branch.split for branch in fork}) == 1 and len(fork) > 1
    return fork if same and edges[fork[0].split].kind == "static" else ()


def _common(stacks: list[Stack]) -> Stack:
    shortest = min(stacks, key=len)
    for depth, branch in enumerate(shortest):
        if any(stack[depth] != branch for stack in stacks):
            return shortest[:depth]
    return shortest


def _back_edges(
    successors: Mapping[str, tuple[str, ...]], start: str, cycles: list[tuple[str, ...]]
) -> set[tuple[str, str]]:
    """Transitions that close a cycle; unreachable steps are searched too, after those reachable."""
    back: set[tuple[str, str]] = set()
    done: set[str] = set()
    for root in (start, *successors):
        if root in done:
            continue
        path, position, pending = [root], {root: 0}, [iter(successors[root])]
        while path:
            target = next(pending[-1], None)
            if target is None:
                pending.pop()
                finished = path.pop()
                del position[finished]
                done.add(finished)
            elif target in position:
                back.add((path[-1], target))
                cycles.append(tuple(path[position[target] :]))
            elif target not in done:
                position[target] = len(path)
                path.append(target)
                pending.append(iter(successors[target]))
    return back


def _topological(forward: Mapping[str, tuple[str, ...]], start: str) -> list[str]:
    waiting: dict[str, int] = {start: 0}
    reached = deque([start])
    while reached:
        for target in forward[reached.popleft()]:
            if target not in waiting:
                waiting[target] = 0
                reached.append(target)
            waiting[target] += 1
    order, ready = [], deque([start])
    while ready:
        name = ready.popleft()
        order.append(name)
        for target in forward[name]:
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    return order
