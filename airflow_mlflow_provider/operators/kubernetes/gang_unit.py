"""A gang as Kubernetes pods, one for each node: asked for together, watched together, and ended together when one fails.

Nothing but pods is needed: no job controller, whose retries would be those of single nodes, and no service, as the nodes find
each other through the store (:mod:`~airflow_mlflow_provider.runtime.meeting`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from airflow_mlflow_provider.exception import MetaflowInternalError
from airflow_mlflow_provider.flow.graph import StepNode
from airflow_mlflow_provider.operators.kubernetes import names
from airflow_mlflow_provider.operators.kubernetes.api import PodApi
from airflow_mlflow_provider.operators.kubernetes.outcome import PodOutcome, given_up, vanished
from airflow_mlflow_provider.operators.kubernetes.pod_unit import (
    PROMPT_S,
    PodUnit,
    counted_attempts,
    live_pods,
)
from airflow_mlflow_provider.plan.identity import task_id
from airflow_mlflow_provider.plan.manifest import FlowManifest
from airflow_mlflow_provider.runtime.request import UnitRequest
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import AttemptKey

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context

# The pause between two looks at all pods grows with their age.
_SHORTEST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0
_PAUSES_PER_AGE = 20
# How often the new lines of the pods' logs are passed on.
_LOG_S = 5.0


class GangUnit:
    """One try of one gang.

    Args:
        step: The step of its nodes.
        manifest: The flow.
        request: What is to be run, for one index path of the gang's split.
        size: Number of nodes.
        ledger: The records of the run.
        operator: The operator that is executing; its log gets those of the pods, and it is the one that defers.
        context: Airflow's context of the try.
        secrets: What the step has asked Airflow for, by environment variable.
    """

    def __init__(
        self,
        *,
        step: StepNode,
        manifest: FlowManifest,
        request: UnitRequest,
        size: int,
        ledger: Ledger,
        operator: BaseOperator,
        context: Context,
        secrets: Mapping[str, str] | None = None,
    ) -> None:
        self._step = step
        self._request = request
        self._ledger = ledger
        self._operator = operator
        self._requests = [msgspec.structs.replace(request, node=node, new_run=None) for node in range(size)]
        self._nodes = [
            PodUnit(
                step=step,
                manifest=manifest,
                request=each,
                operator=operator,
                context=context,
                secrets=secrets,
            )
            for each in self._requests
        ]
        self._alive: set[int] = set()
        self._failure: PodOutcome | None = None
        self._last = PodOutcome(phase="Unknown", reason="NeverStarted")

    @property
    def deferrable(self) -> bool:
        """Whether waiting is left to the triggerer."""
        return self._nodes[0].deferrable

    def run(self) -> PodOutcome:
        """Start all pods, stay with them to their end, with their logs in the task's, and clean up.

        Returns:
            How the first node that failed ended; else how the last one did.

        Raises:
            MetaflowException: A pod could not be asked for; then none is left.
        """
        self.start()
        return self._to_the_end()

    def run_or_defer(self) -> PodOutcome:
        """As :meth:`run` for a gang that ends within seconds; else its pods are left to the triggerer.

        Raises:
            TaskDeferred: To Airflow, which calls ``resume_pod`` of the operator in the end.
            MetaflowException: A pod could not be asked for; then none is left.
        """
        self.start()
        self._watch(until=time.monotonic() + PROMPT_S)
        return self._leave_to_triggerer() if self._alive else self._outcome

    def resume(self, event: Mapping[str, Any]) -> PodOutcome:
        """Go on after the trigger: the ends of the pods, the rest of their logs, cleaning up.

        Args:
            event: What the trigger sent.
        """
        for told in event["pods"]:
            node = int(told["node"])
            unit = self._nodes[node]
            outcome = msgspec.convert(told["outcome"], PodOutcome) if told["outcome"] else None
            known = outcome is not None and outcome.reason != "Unreachable"
            if outcome is not None and known:
                self._ended(unit.resume(dict(told)))
            elif unit.adopt(told):
                self._alive.add(node)
            else:
                self._ended(vanished(str(told["pod_name"])))
        return self._to_the_end()

    def kill(self) -> None:
        """Delete all pods. For ``on_kill``, which Airflow calls in a signal handler."""
        for node in self._nodes:
            node.kill()

    @property
    def _outcome(self) -> PodOutcome:
        return self._failure or self._last

    def start(self) -> None:
        """Ask for all pods, or take up those of an earlier try of this budget, whose worker was lost.

        Raises:
            MetaflowException: A pod could not be asked for; then none is left.
        """
        mine: dict[int, Any] = {}
        for node, unit in enumerate(self._nodes):
            try:
                if node == 0:
                    unit.start(lambda api: self._find(api, mine))
                elif not mine or node in mine:
                    unit.start(lambda _: mine.get(node))  # noqa: B023 - called at once
                else:
                    continue  # it had finished before the worker was lost
            except BaseException:
                self._stop()
                raise
            self._alive.add(node)

    def _find(self, api: PodApi, mine: dict[int, Any]) -> Any:
        """The pod of the first node, with those of the others put into ``mine``, if all can go on; else none is left."""
        live = live_pods(api, self._request)
        for attempt in counted_attempts(self._request):
            pods = {
                int(pod.metadata.labels[names.NODE_LABEL]): pod
                for pod in live
                if pod.metadata.labels.get(names.ATTEMPT_LABEL) == str(attempt)
                and pod.metadata.labels.get(names.NODE_LABEL, "").isdigit()
            }
            # The first node leads: without its pod, nothing is gained by going on.
            if 0 in pods and all(
                node in pods or self._finished(node, attempt) for node in range(len(self._nodes))
            ):
                mine.update(pods)
                self._operator.log.info("Going on with %d pods, whose worker was lost.", len(pods))
                break
        for pod in live:
            if pod not in mine.values():
                self._operator.log.info("Deleting the pod %s: another one replaces it.", pod.metadata.name)
                api.delete(pod.metadata.name, pod.metadata.uid)
        return mine.get(0)

    def _finished(self, node: int, attempt: int) -> bool:
        request = self._request
        task = task_id((*request.paths[0], node))
        record = self._ledger.done(AttemptKey(request.flow, request.run, self._step.name, task, attempt))
        return record is not None and record.outcome == "succeeded"

    def _to_the_end(self) -> PodOutcome:
        self._watch()
        return self._outcome

    def _watch(self, until: float | None = None) -> None:
        """Look at the pods until all have ended, one has failed and the others were stopped, or it is time to stop looking."""
        begun = time.monotonic()
        log_at = begun + _LOG_S
        while self._alive:
            for node in sorted(self._alive):
                running = self._nodes[node].running
                outcome = running.look() if running is not None else None
                if outcome is not None:
                    self._alive.discard(node)
                    self._ended(self._nodes[node].finish(outcome))
            if self._failure is not None:
                self._stop()
            now = time.monotonic()
            if until is not None and now >= until:
                return
            if until is None and now >= log_at:
                self._pass_on_logs()
                log_at = time.monotonic() + _LOG_S
            if self._alive:
                time.sleep(min(max((now - begun) / _PAUSES_PER_AGE, _SHORTEST_PAUSE_S), _LONGEST_PAUSE_S))

    def _ended(self, outcome: PodOutcome) -> None:
        self._last = outcome
        if not outcome.succeeded and self._failure is None:
            self._failure = outcome

    def _stop(self) -> None:
        """End the nodes that are left; what they have committed stays, and does not count."""
        while self._alive:
            node = self._alive.pop()
            running = self._nodes[node].running
            if running is not None:
                message = "Another node of the gang failed, and this one was stopped."
                self._nodes[node].finish(given_up(running.name, "Running", "Stopped", message))

    def _pass_on_logs(self) -> None:
        for node in self._alive:
            if (running := self._nodes[node].running) is not None:
                running.pass_on_log()

    def _leave_to_triggerer(self) -> NoReturn:
        from airflow_mlflow_provider.triggers.gang import GangTrigger

        pods = [{"node": node, **self._nodes[node].watched()} for node in sorted(self._alive)]
        path = list(self._request.paths[0])
        self._operator.defer(trigger=GangTrigger(path=path, pods=pods), method_name="resume_pod")
        raise MetaflowInternalError("Airflow did not defer the task.")
