"""A unit whose steps run in pods: one that stands or one of its own, a gang's for each node, or none if the cache has its result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

from airflow_mlflow_provider.configuration import get
from airflow_mlflow_provider.operators.cached import UnitCache
from airflow_mlflow_provider.operators.kubernetes import GangUnit, PodOutcome, PodUnit
from airflow_mlflow_provider.operators.kubernetes.environment import setting
from airflow_mlflow_provider.operators.pod_death import record_pod_death
from airflow_mlflow_provider.operators.secrets import resolve_secrets
from airflow_mlflow_provider.operators.verdict import gang_width, verdict
from airflow_mlflow_provider.runtime.request import UnitRequest, UnitResult
from airflow_mlflow_provider.runtime.single_flight import Busy, Patience

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context

    from airflow_mlflow_provider.operators.unit_try import UnitTry

_SHOWN_TASKS = 5
_SHORTEST_PAUSE_S = 2.0


class UnitInPods:
    """One try of a unit in pods.

    Args:
        operator: The operator that is executing, which defers and whose log gets the pods'; it has the methods ``look_again`` and
            ``resume_pod`` to come back to.
        work: The try.
        context: Airflow's.
        fallback: Stores what ``@catch`` says after a pod's death, whose cause it is given.
    """

    def __init__(
        self,
        operator: BaseOperator,
        work: UnitTry,
        context: Context,
        fallback: Callable[[str], UnitResult],
    ) -> None:
        self._operator, self._work, self._context = operator, work, context
        self._fallback = fallback
        self._graph = work.pinned.manifest.graph
        self._step = self._graph[work.unit.name]
        self._pod: PodUnit | GangUnit | None = None

    def run(self, request: UnitRequest, waiting: Patience | None = None) -> UnitResult:
        """Run the unit, if no earlier try has finished it and the cache has no result of it.

        Args:
            request: What to run.
            waiting: How long another task that computes the same has been waited for.

        Raises:
            TaskDeferred: To Airflow, to wait in the triggerer.
            AirflowException: A pod ended without a record.
        """
        cache, waiting = self._cache(request), waiting or Patience(float(get("cache_wait_s")))
        # Only where nobody could wait before there was a pod does the pod wait itself.
        request = msgspec.structs.replace(request, waits=not cache.claims)
        if request.retry_count and (found := verdict(self._work.ledger, self._graph, request)).complete:
            self._operator.log.info(
                "An earlier try has finished the task; its record counts and no pod is needed."
            )
            return found.result
        if self._work.unit.kind == "gang":
            return self._gangs(request)
        pod = self._pod = self._pod_unit(request)
        while isinstance(reused := cache.look(waiting), Busy):
            self._wait_for(reused, waiting, pod)
        if reused is not None:
            self._operator.log.info("Reused from the cache; no pod is needed.")
            return reused
        outcome = pod.run_warm() or (pod.run_or_defer() if pod.deferrable else pod.run())
        return self._after(request, outcome)

    def resume(self, request: UnitRequest, event: Mapping[str, Any]) -> UnitResult:
        """Go on when the triggerer has seen a pod end.

        Args:
            request: What was to be run.
            event: What the trigger has sent.

        Raises:
            TaskDeferred: To Airflow, to wait for the next gang.
            AirflowException: The pod ended without a record.
        """
        if self._work.unit.kind == "gang":
            return self._gangs(request, event)
        pod = self._pod = self._pod_unit(request)
        return self._after(request, pod.resume(dict(event)))

    def kill(self) -> None:
        """End the pods."""
        if self._pod is not None:
            self._pod.kill()

    def _gangs(self, request: UnitRequest, event: Mapping[str, Any] | None = None) -> UnitResult:
        """Run the gangs of the instance, one after the other, each in pods that are started together.

        Args:
            request: All of its gangs.
            event: What the trigger has sent that waited for one of them; those before it have ended.
        """
        first = request.paths.index(tuple(event["path"])) if event else 0
        outcomes: list[PodOutcome] = []
        for path in request.paths[first:]:
            one = msgspec.structs.replace(request, paths=(path,))
            if request.retry_count and not event and verdict(self._work.ledger, self._graph, one).complete:
                continue
            gang = self._pod = self._gang_unit(one)
            if event:
                outcomes.append(gang.resume(event))
                event = None
            else:
                outcomes.append(gang.run_or_defer() if gang.deferrable else gang.run())
            if outcomes[-1].reason == "Killed":
                break
        failed = [outcome for outcome in outcomes if not outcome.succeeded]
        return self._after(request, (failed or outcomes)[0])

    def _wait_for(self, busy: Busy, waiting: Patience, pod: PodUnit) -> None:
        """Wait for another task that computes the same: in the triggerer, or else here. There is no pod yet.

        Raises:
            TaskDeferred: To Airflow, which calls ``look_again``.
            TaskFailed: The task was ended meanwhile.
        """
        self._operator.log.info("Waiting for %s, which computes the same result.", busy.claim.key.pathspec)
        pause = max(waiting.pause(), _SHORTEST_PAUSE_S)
        if pod.deferrable:
            from airflow_mlflow_provider.triggers.pause import PauseTrigger

            self._operator.defer(
                trigger=PauseTrigger(seconds=pause), method_name="look_again", kwargs=waiting.to_json()
            )
        pod.pause(pause)
        waiting.waited(pause)

    def _cache(self, request: UnitRequest) -> UnitCache:
        manifest = self._work.pinned.manifest
        # From here to the pod's first sign of life it has to be asked for, scheduled and started.
        lease_s = float(setting(manifest, "pod_startup_timeout_s")) + float(get("cache_lease_s"))
        return UnitCache(self._work.ledger, manifest, self._work.unit, request, lease_s)

    def _pod_unit(self, request: UnitRequest) -> PodUnit:
        return PodUnit(request=request, **self._in_cluster())

    def _gang_unit(self, request: UnitRequest) -> GangUnit:
        ledger = self._work.ledger
        size = gang_width(ledger, self._graph, request, request.paths[0])
        return GangUnit(request=request, size=size, ledger=ledger, **self._in_cluster())

    def _in_cluster(self) -> dict[str, Any]:
        return {
            "step": self._step,
            "manifest": self._work.pinned.manifest,
            "operator": self._operator,
            "context": self._context,
            # Also where the pod is there already: its log passes through this process, and so through its masker.
            "secrets": resolve_secrets(self._step),
        }

    def _after(self, request: UnitRequest, outcome: PodOutcome) -> UnitResult:
        work = self._work
        found = verdict(work.ledger, self._graph, request)
        if not found.missing:
            return found.result
        self._cache(request).release()
        if self._step.decorator("catch") is not None and request.last and outcome.reason != "Killed":
            return self._fallback(outcome.summary)
        if found.result.failed and work.unit.kind == "gang":
            return found.result  # the others were stopped, because of those that failed
        if outcome.reason != "Killed":
            record_pod_death(work.ledger, request, found.missing, outcome, self._operator.log)
        tasks = ", ".join(found.missing[:_SHOWN_TASKS])
        text = f"The pod ended without a record of {tasks}: {outcome.summary}"
        if work.unit.kind == "loop" and work.is_last(work.attempt_of(name) for name in found.missing):
            raise AirflowFailException(text)
        raise AirflowException(text)
