"""The record of a deployment in the store: who owns a DAG id, and the token that lets others redeploy it."""

from __future__ import annotations

import secrets
import time

import msgspec

from airflow_mlflow_provider.deploy.token_cache import known_tokens, remember_token
from airflow_mlflow_provider.exception import IncorrectProductionToken, ObjectNotFound
from airflow_mlflow_provider.plan.manifest import FlowManifest, decode, encode
from airflow_mlflow_provider.store.abc import Store

RECORD_VERSION = 1


class DeploymentRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """A deployment.

    Attributes:
        dag_id: Its DAG.
        flow: Name of the flow's class.
        token: Production token; tags the runs of this deployment.
        deployer: Who deployed it last.
        deployed_at: When, in Unix seconds.
        target: Path or URL of the DAG file.
        manifest: The manifest, as JSON text.
    """

    dag_id: str
    flow: str
    token: str
    deployer: str
    deployed_at: float
    target: str
    manifest: str
    version: int = RECORD_VERSION

    def flow_manifest(self) -> FlowManifest:
        """The manifest that was deployed."""
        return decode(self.manifest.encode(), f"deployment {self.dag_id}")


class Deployments:
    """The deployment records of a store.

    Args:
        store: The artifact store.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def find(self, dag_id: str) -> DeploymentRecord | None:
        """The record of a DAG id, ``None`` if nothing was deployed under it."""
        try:
            data = self._store.get(_key(dag_id))
        except ObjectNotFound:
            return None
        return msgspec.json.decode(data, type=DeploymentRecord)

    def names(self) -> list[str]:
        """DAG ids of all deployments."""
        return [name.removesuffix(".json") for name in self._store.children("deployments")]

    def put(self, manifest: FlowManifest, target: str) -> DeploymentRecord:
        """Write the record of a deployment."""
        record = DeploymentRecord(
            dag_id=manifest.dag_id,
            flow=manifest.flow_name,
            token=manifest.production_token,
            deployer=manifest.deployer,
            deployed_at=time.time(),
            target=target,
            manifest=encode(manifest).decode(),
        )
        self.restore(manifest.dag_id, record)
        return record

    def restore(self, dag_id: str, record: DeploymentRecord | None) -> None:
        """Make this the record of a DAG id; ``None`` forgets the deployment."""
        if record is None:
            self.delete(dag_id)
        else:
            self._store.put(_key(dag_id), msgspec.json.encode(record))

    def delete(self, dag_id: str) -> None:
        """Forget a deployment."""
        self._store.delete([_key(dag_id)])


def choose_token(
    old: DeploymentRecord | None, user: str, authorize: str | None, new_token: str | None, *, generate: bool
) -> str:
    """The production token of a deployment about to be made.

    Args:
        old: What is deployed now.
        user: Who deploys.
        authorize: The token given to take over somebody else's deployment.
        new_token: The token to use from now on.
        generate: Whether to make a new token.

    Raises:
        IncorrectProductionToken: The deployment belongs to somebody else and ``authorize`` is not its token.
    """
    check_token(old, user, authorize)
    if new_token:
        return new_token
    if old is None or generate:
        return f"{user}-{secrets.token_hex(4)}"
    return old.token


def check_token(old: DeploymentRecord | None, user: str, authorize: str | None) -> None:
    """See that a user may change a deployment; a token that counted once need not be given again on this machine.

    Raises:
        IncorrectProductionToken: It is somebody else's and ``authorize`` is not its token.
    """
    if old is None or old.deployer == user:
        return
    given = known_tokens(user, old.dag_id) if authorize is None else [authorize]
    if not any(secrets.compare_digest(token.encode(), old.token.encode()) for token in given):
        raise IncorrectProductionToken(
            f"The deployment {old.dag_id} was made by {old.deployer}, and "
            + ("no token was given." if authorize is None else "the token given is not its token."),
            fix=f"Ask {old.deployer} for the token that `airflow create` printed, and give it with --authorize.",
            where={"dag": old.dag_id},
        )
    remember_token(user, old.dag_id, old.token)


def _key(dag_id: str) -> str:
    return f"deployments/{dag_id}.json"
