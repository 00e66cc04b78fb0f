"""Runs that nobody ran: records written to a store, for what would take too long to run, or what no flow would name so."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec

from airflow_mlflow_provider.cards.document import CardDocument, card_key, encode_card
from airflow_mlflow_provider.deploy.record import Deployments
from airflow_mlflow_provider.plan.identity import airflow_run_id, task_id
from airflow_mlflow_provider.plan.manifest import encode
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.location import open_store
from airflow_mlflow_provider.store.records import (
    ArtifactEntry,
    AttemptKey,
    BeginRecord,
    DoneRecord,
    ExceptionRecord,
    Frame,
    RunEnd,
    RunRecord,
    TakenTransition,
)
from tests.dag.deployed import manifest_from

FLOW = Path(__file__).parent / "wide_flow.py"
DAG_RUN_ID = "made"
_DIGEST = "0" * 64


class MadeRun(msgspec.Struct, frozen=True):
    """A run of the flow in ``wide_flow.py``.

    Attributes:
        dag_id: The DAG that it is deployed as.
        width: Number of its splits.
        label: Gives the label of each split.
        failed: Splits that failed; the run failed if there are any.
        text: Stands in everything that a user can name or write.
    """

    dag_id: str
    width: int
    label: Callable[[int], str] = "value {}".format
    failed: Sequence[int] = ()
    text: str = "text"

    def write(self, store: str) -> str:
        """Write the records.

        Args:
            store: URL of the store.

        Returns:
            Address of the run's page, below that of the application.
        """
        ledger = Ledger(open_store(store))
        manifest = manifest_from(FLOW, store)
        graph = msgspec.structs.replace(manifest.graph, doc=self.text)
        manifest = msgspec.structs.replace(manifest, dag_id=self.dag_id, graph=graph)
        Deployments(ledger.store).put(manifest, f"{self.dag_id}.py")
        run, now = airflow_run_id(self.dag_id, DAG_RUN_ID), time.time()
        record = RunRecord(
            flow=manifest.flow_name,
            run=run,
            created_at=now,
            user=self.text,
            parameters={"alpha": self.text},
            manifest=ledger.put_blob(encode(manifest)),
            tags=(self.text[:500],),
            airflow={"dag_id": self.dag_id, "dag_run_id": DAG_RUN_ID},
            trigger={"events": [self.text]},
            host=self.text,
        )
        ledger.create_run(record)
        labels = tuple(self.label(index)[:30] for index in range(self.width))
        split = TakenTransition(("body",), foreach="items", num_splits=self.width, labels=labels)
        self._write(ledger, AttemptKey(manifest.flow_name, run, "start", "0", 0), (), transition=split)
        with ThreadPoolExecutor(16) as pool:
            list(
                pool.map(lambda index: self._split(ledger, manifest.flow_name, run, index), range(self.width))
            )
        failed = tuple(f"{manifest.flow_name}/{run}/body/{task_id((index,))}" for index in self.failed)
        status: Any = "failed" if failed else "succeeded"
        ledger.end_run(manifest.flow_name, run, RunEnd(status, now + 60, self.text, failed))
        return f"view/run/{self.dag_id}/{DAG_RUN_ID}"

    def _split(self, ledger: Ledger, flow: str, run: str, index: int) -> None:
        frame = Frame("start", "items", index, self.width, self.label(index)[:30])
        key = AttemptKey(flow, run, "body", task_id((index,)), 0)
        self._write(ledger, key, (index,), frames=(frame,), failed=index in self.failed)

    def _write(
        self, ledger: Ledger, key: AttemptKey, path: tuple[int, ...], *, failed: bool = False, **more: Any
    ) -> None:
        now = time.time()
        ledger.begin(BeginRecord(key, now, "host", 1, {"note": self.text}))
        preview = {"repr": self.text, "shape": [2], "dtype": self.text, "image": self.text}
        entry = ArtifactEntry(_DIGEST, 100, "pickle5", self.text, preview=preview)
        if not path:
            ledger.append_log(
                key, "stdout", 0, b"2026-11-23T18:27:13.123456Z t " + self.text.encode() + b"\n"
            )
            ledger.store.put(card_key(key, 0), encode_card(_card(key, self.text)))
        ledger.commit(
            DoneRecord(
                key=key,
                outcome="failed" if failed else "succeeded",
                started_at=now,
                ended_at=now + 1 + path[0] % 7 if path else now + 1,
                index_path=path,
                artifacts={} if failed else {"items": entry, self.text: entry},
                exception=ExceptionRecord(self.text, self.text, self.text) if failed else None,
                metadata={self.text: self.text},
                **more,
            )
        )


def _card(key: AttemptKey, text: str) -> CardDocument:
    components = [
        {"type": "markdown", "text": text},
        {"type": "table", "headers": [text], "rows": [[text]]},
        {"type": "text", "text": text},
        {"type": "image", "src": text, "label": text},
        {"type": "data", "format": "json", "data": {text: text}, "collapsible": True, "copy": True},
        {"type": "code", "text": text, "language": "python"},
    ]
    return CardDocument(
        type="default",
        hash="0",
        title=text,
        pathspec=key.pathspec,
        attempt=0,
        status="succeeded",
        created_at=0.0,
        id=text,
        components=components,
    )
