"""Whatever the Kubernetes client can raise comes out as an error of this package."""

from __future__ import annotations

import inspect
import json
from typing import Any

import kubernetes.client.exceptions
import kubernetes.config.config_exception
import pytest
import urllib3.exceptions
from airflow.sdk.exceptions import AirflowNotFoundException
from kubernetes.client.exceptions import ApiException

from airflow_mlflow_provider.exception import (
    InvalidDecoratorAttribute,
    MetaflowConfigError,
    MetaflowException,
    TaskFailed,
)
from airflow_mlflow_provider.operators.kubernetes.refusal import refusal, status_reason

WHERE = {"step": "train", "namespace": "default", "pod": "p"}


def classes(module: Any) -> list[type[Exception]]:
    return [each for _, each in inspect.getmembers(module, inspect.isclass) if issubclass(each, Exception)]


EXPECTED: dict[type[Exception], type[MetaflowException]] = {
    **dict.fromkeys(classes(kubernetes.client.exceptions), InvalidDecoratorAttribute),
    **{each: TaskFailed for each in classes(kubernetes.client.exceptions) if issubclass(each, ApiException)},
    **dict.fromkeys(classes(kubernetes.config.config_exception), MetaflowConfigError),
}


@pytest.mark.parametrize("kind", EXPECTED, ids=lambda kind: kind.__name__)
def test_every_error_of_the_kubernetes_client_is_mapped(kind: type[Exception]) -> None:
    error = kind("what went wrong")
    found = refusal(error, "create a pod", WHERE)
    assert type(found) is EXPECTED[kind]
    assert "create a pod" in found.message
    assert found.where["step"] == "train"
    assert found.fix


@pytest.mark.parametrize(
    "error",
    [
        urllib3.exceptions.MaxRetryError(None, "http://cluster", None),  # type: ignore[arg-type]
        urllib3.exceptions.ProtocolError("broken"),
        ConnectionRefusedError("refused"),
        TimeoutError("slow"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_cluster_that_cannot_be_reached_is_told_so(error: Exception) -> None:
    found = refusal(error, "create a pod", WHERE)
    assert type(found) is TaskFailed
    assert "could not be reached" in found.message


def test_a_connection_that_does_not_exist_is_a_matter_of_configuration() -> None:
    found = refusal(AirflowNotFoundException("nowhere"), "build a pod", WHERE)
    assert type(found) is MetaflowConfigError
    assert "kubernetes_conn_id" in found.fix


def refused(status: int, body: Any) -> ApiException:
    error = ApiException(status=status, reason="A Reason")
    error.body = body if isinstance(body, str) else json.dumps(body)
    return error


@pytest.mark.parametrize("status", [400, 422])
def test_an_invalid_pod_is_told_with_its_causes(status: int) -> None:
    body = {
        "reason": "Invalid",
        "message": "Pod is invalid",
        "details": {"causes": [{"field": "spec.x", "message": "must be y", "reason": "FieldValueInvalid"}]},
    }
    found = refusal(refused(status, body), "create a pod", WHERE)
    assert type(found) is InvalidDecoratorAttribute
    assert found.where["causes"] == ["spec.x: must be y"]
    assert found.where["reason"] == "Invalid"
    assert "Pod is invalid" in found.message


@pytest.mark.parametrize("status", [401, 403])
def test_a_lack_of_rights_names_the_namespace(status: int) -> None:
    found = refusal(refused(status, {"reason": "Forbidden", "message": "no"}), "create a pod", WHERE)
    assert type(found) is TaskFailed
    assert "default" in found.fix


@pytest.mark.parametrize("body", ["<html>a proxy</html>", "[]", "", '{"details": null}'])
def test_an_answer_that_is_no_status_is_told_as_it_is(body: str) -> None:
    error = refused(502, body)
    assert status_reason(error) == "A Reason"
    assert "502 A Reason" in refusal(error, "create a pod", WHERE).message
