from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

import pytest
from airflow.sdk import Asset

from airflow_mlflow_provider.assets.artifact import artifact_asset, create_asset, flow_asset, sanitize_uri
from airflow_mlflow_provider.exception import CommandException
from airflow_mlflow_provider.flow.finish_asset import finish_asset


def test_airflow_brings_every_address_of_an_artifact_into_one_form() -> None:
    asset = artifact_asset("team/Model")
    assert asset.uri == "mlflow+artifact://team/Model"
    assert asset.name == "artifact:team/Model"
    assert Asset(uri="MLFLOW+artifact://team/Model/?x=1#y").uri == asset.uri
    assert artifact_asset("model").uri == "mlflow+artifact://model"
    assert create_asset(name="model", extra={"a": 1}) == artifact_asset("model", extra={"a": 1})


@pytest.mark.parametrize("uri", ["mlflow+artifact:///", "mlflow+artifact://a b", "mlflow+artifact://a//b"])
def test_an_address_that_names_no_artifact_is_refused(uri: str) -> None:
    with pytest.raises(CommandException, match="cannot be the name"):
        urlunsplit(sanitize_uri(urlsplit(uri)))


def test_the_asset_of_a_flow_is_the_one_that_its_end_step_updates() -> None:
    assert flow_asset("TrainFlow").name == finish_asset("TrainFlow")
