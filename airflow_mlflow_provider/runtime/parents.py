"""Finding the inputs of a task in the store, from its name alone.

On a laptop the scheduler has seen the parents end and names them. An Airflow task has not: it knows its step and index
path, and what the graph says. Ids are deterministic, so every input is one short listing away.
"""

from __future__ import annotations

from airflow_mlflow_provider.exception import MetaflowDataMissing
from airflow_mlflow_provider.flow.graph import FlowGraph, StepNode
from airflow_mlflow_provider.plan.identity import IndexPath, parse_task_id, task_id
from airflow_mlflow_provider.plan.reach import is_conditional
from airflow_mlflow_provider.runtime.task_result import result_of
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import AttemptKey, DoneRecord


def chosen_parents(
    ledger: Ledger, graph: FlowGraph, run: str, step: str, path: IndexPath
) -> list[DoneRecord] | None:
    """The records that a task of ``step`` starts from, in the order of a join's ``inputs``.

    Returns:
        An empty list for the start step and for the join of an empty foreach; ``None`` if no parent chose this task,
        because a switch took another way.

    Raises:
        MetaflowDataMissing: A parent that must have finished has no record.
    """
    node = graph[step]
    if step == graph.start:
        return []
    finder = _Finder(ledger, graph, run, node, path)
    return finder.join() if node.has_inputs else finder.single()


class _Finder:
    def __init__(self, ledger: Ledger, graph: FlowGraph, run: str, node: StepNode, path: IndexPath) -> None:
        self.ledger, self.graph, self.run, self.node, self.path = ledger, graph, run, node, path

    def single(self) -> list[DoneRecord] | None:
        """The one parent of a step that is not a join."""
        for name in self.node.in_funcs:
            if name == self.node.name:
                continue
            opens_frame = self.graph[name].is_split
            record = self._last(name, self.path[:-1] if opens_frame else self.path)
            if record is not None and self._chose(record):
                return [record]
        if self._left_out(self.node.name, self.path):
            return None
        raise self._missing(f"none of {', '.join(self.node.in_funcs)} has finished")

    def join(self) -> list[DoneRecord] | None:
        """All inputs of a join."""
        split = self.graph[self.node.matching_split or ""]
        opener = self._last(split.name, self.path)
        if opener is None or opener.transition is None or not self._is_current(opener):
            if self._left_out(split.name, self.path):
                return None
            raise self._missing(f"{split.name} has not finished")
        if split.is_split:
            return self._splits(split, opener.transition.num_splits or 0)
        return self._branches(split)

    def _splits(self, split: StepNode, width: int) -> list[DoneRecord]:
        tolerant = split.transition is not None and split.transition.min_success_ratio is not None
        found: dict[int, AttemptKey] = {}
        several = len(self.node.in_funcs) > 1
        for name in self.node.in_funcs:
            # Which of them came here, and not elsewhere, only the records say.
            read = several or tolerant or self._is_choice(name)
            for record in self._under(name) if read else ():
                if self._chose(record):
                    found[record.index_path[-1]] = record.key
            if not read:
                found.update(self._keys_under(name))
        missing = [i for i in range(width) if i not in found]
        enough = split.transition is not None and split.transition.suffices(len(found), width)
        if missing and not enough:
            shown = ", ".join(str((*self.path, i)) for i in missing[:10])
            more = f" and {len(missing) - 10} more" if len(missing) > 10 else ""
            raise self._missing(
                f"{width} splits were opened, {width - len(missing)} have finished; missing: {shown}{more}"
            )
        return self.ledger.load_done([found[i] for i in sorted(found)])

    def _branches(self, split: StepNode) -> list[DoneRecord]:
        found: dict[str, DoneRecord] = {}
        for name in self.node.in_funcs:
            record = self._last(name, self.path)
            if record is not None and self._chose(record):
                for target in self.node.branches.get(name, ()):
                    found.setdefault(target, record)
        missing = [target for target in split.out_funcs if target not in found]
        if missing:
            raise self._missing(f"the branches {', '.join(missing)} of {split.name} have not arrived")
        return list({found[target].key: found[target] for target in split.out_funcs}.values())

    def _last(self, step: str, path: IndexPath) -> DoneRecord | None:
        """The newest record of a step on a path; of a loop, that of its last iteration."""
        if not self.graph[step].is_loop:
            return self.ledger.newest_done(self.key_flow, self.run, step, task_id(path))
        # A loop that was cleared may have ended sooner the second time: the iterations of the first must not count.
        iterations = {
            (key.attempt, parse_task_id(task)[1] or 0): key
            for task, key in self.ledger.newest_done_keys(self.key_flow, self.run, step).items()
            if parse_task_id(task)[0] == path
        }
        return self.ledger.done(iterations[max(iterations)]) if iterations else None

    def _keys_under(self, step: str) -> dict[int, AttemptKey]:
        keys, _ = self.ledger.newest_finished_keys(self.key_flow, self.run, step)
        paths = ((parse_task_id(task)[0], key) for task, key in keys.items())
        return {path[-1]: key for path, key in paths if path[:-1] == self.path and path}

    def _under(self, step: str) -> list[DoneRecord]:
        keys = self.ledger.newest_done_keys(self.key_flow, self.run, step)
        below = [key for task, key in keys.items() if parse_task_id(task)[0][:-1] == self.path]
        return self.ledger.load_done(below)

    def _chose(self, record: DoneRecord) -> bool:
        return self._takes(record, self.node.name) and self._is_current(record)

    def _takes(self, record: DoneRecord, step: str) -> bool:
        """Whether a task went on to a step; a task that was taken over from another run may have been of another graph."""
        return step in result_of(record, self.graph[record.key.step]).targets

    def _is_current(self, record: DoneRecord) -> bool:
        """Whether the switches before a task still choose it.

        A switch that was cleared may choose another way; what ran on the way it chose before stays in the store.
        """
        node, path = self.graph[record.key.step], record.index_path
        if not is_conditional(self.graph, node.name):
            return True
        if node.has_inputs:
            opener = self._last(node.matching_split or "", path)
            return opener is not None and opener.finished and self._is_current(opener)
        return any(
            before is not None and self._takes(before, node.name) and self._is_current(before)
            for name in node.in_funcs
            if name != node.name
            for before in [self._last(name, path[:-1] if self.graph[name].is_split else path)]
        )

    def _is_choice(self, step: str) -> bool:
        return self.graph[step].kind == "switch"

    def _left_out(self, step: str, path: IndexPath) -> bool:
        """Whether switches have decided that a step has no task on a path, rather than a failure before it."""
        node = self.graph[step]
        if node.has_inputs:
            split = node.matching_split or ""
            opener = self._last(split, path)
            return (opener is None or not self._is_current(opener)) and self._left_out(split, path)
        before = [name for name in node.in_funcs if name != step]
        return bool(before) and all(self._leads_elsewhere(name, step, path) for name in before)

    def _leads_elsewhere(self, name: str, step: str, path: IndexPath) -> bool:
        path = path[:-1] if self.graph[name].is_split else path
        record = self._last(name, path)
        if record is None:
            return self._left_out(name, path)
        undecided = not record.finished or (self._takes(record, name) and name != step)
        return not undecided and not (self._takes(record, step) and self._is_current(record))

    @property
    def key_flow(self) -> str:
        return self.graph.name

    def _missing(self, reason: str) -> MetaflowDataMissing:
        pathspec = f"{self.graph.name}/{self.run}/{self.node.name}/{task_id(self.path)}"
        return MetaflowDataMissing(
            f"The inputs of {pathspec} are incomplete: {reason}.",
            fix=self._way_out(),
            where={"flow": self.graph.name, "run": self.run, "step": self.node.name},
        )

    def _way_out(self) -> str:
        split = self.node.matching_split
        if split and self.graph[split].frames:
            return (
                "Run the missing tasks, then this one. In Airflow: clear them; if they are not in the grid, as the split "
                f"had failed when they were planned, clear plan-{split} with all that comes after it."
            )
        return "Run the missing tasks (in Airflow: clear them), then this one."
