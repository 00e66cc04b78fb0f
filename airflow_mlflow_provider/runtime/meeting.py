"""How the nodes of a gang that run on machines of their own find the first one: it writes its address into the store.

No cluster DNS, service or right to read pods is needed. The address is an object of the first node's attempt, which no other
try has, so a node never meets the first node of an earlier try.
"""

from __future__ import annotations

import os
import socket
import time
from typing import Final

from airflow_mlflow_provider.configuration import get
from airflow_mlflow_provider.exception import MetaflowInternalError, ObjectNotFound
from airflow_mlflow_provider.flow.graph import StepNode
from airflow_mlflow_provider.store.abc import Store
from airflow_mlflow_provider.store.records import AttemptKey

# Address of this machine under which the other nodes reach it; a pod has its own from Kubernetes.
ADDRESS_VARIABLE: Final = "MLFLOW_PROVIDER_NODE_ADDRESS"
_PATIENCE_S = 600.0
_SHORTEST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0
_PAUSES_PER_AGE = 10


def patience_of(step: StepNode) -> float:
    """Seconds that a node waits for the first one: ``hostname_resolution_timeout`` beyond what a pod may take to start."""
    own = step.decorator("kubernetes")
    given = own.attributes.get("hostname_resolution_timeout") if own else None
    return float(_PATIENCE_S if given is None else given) + float(get("pod_startup_timeout_s"))


def main_address(store: Store, control: AttemptKey, index: int, patience: float) -> str:
    """The address of the first node, which the first node tells and the others wait for.

    Args:
        store: The store of the run.
        control: The attempt of the first node.
        index: Index of this node.
        patience: Seconds to wait for the first node.

    Raises:
        MetaflowInternalError: The first node has not told its address in time.
        StoreException: The store failed.
    """
    key = f"{control.prefix}/address"
    if index == 0:
        address = os.environ.get(ADDRESS_VARIABLE) or _own_address()
        store.put(key, address.encode())
        return address
    begun = time.monotonic()
    while True:
        try:
            return bytes(store.get(key)).decode()
        except ObjectNotFound:
            age = time.monotonic() - begun
        if age > patience:
            raise MetaflowInternalError(
                f"Node 0 of the gang of {control.step} has not started within {patience:g} s of node {index}.",
                fix="See the log of node 0; its machine may not have started.",
                where={"flow": control.flow, "run": control.run, "step": control.step, "task": control.task},
            )
        time.sleep(min(max(age / _PAUSES_PER_AGE, _SHORTEST_PAUSE_S), _LONGEST_PAUSE_S))


def _own_address() -> str:
    """The address from which this machine would reach others; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # reserved for documentation
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])
