from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from airflow_mlflow_provider.exception import CommandException, MetaflowNotFound
from airflow_mlflow_provider.hooks.named_artifacts import NamedArtifacts
from airflow_mlflow_provider.xcom.values import ValueStore


def test_each_change_is_a_version_and_an_equal_value_is_none(values: ValueStore) -> None:
    artifacts = NamedArtifacts(values)
    first = artifacts.publish("team/model", {"w": np.ones(3)}, tags=["candidate"])
    again = artifacts.publish("team/model", {"w": np.ones(3)}, tags=["candidate"])
    second = artifacts.publish("team/model", {"w": np.zeros(3)}, metadata={"auc": 0.9})
    back = artifacts.publish("team/model", {"w": np.ones(3)})
    assert (first.number, again.number, second.number, back.number) == (1, 1, 2, 3)
    assert second.reference == "artifact:team/model@2"
    np.testing.assert_array_equal(artifacts.load("team/model")["w"], np.ones(3))
    np.testing.assert_array_equal(artifacts.load("team/model@2")["w"], np.zeros(3))
    assert [one.number for one in artifacts.records.versions("team/model")] == [3, 2, 1]
    assert first.entry.digest == back.entry.digest


def test_names_do_not_mix_with_names_that_begin_like_them(values: ValueStore) -> None:
    artifacts = NamedArtifacts(values)
    artifacts.publish("team/model", 1)
    artifacts.publish("team", 2)
    artifacts.publish("team/model/small", 3)
    assert [artifacts.load(name) for name in ("team/model", "team", "team/model/small")] == [1, 2, 3]


def test_publishing_at_once_gives_every_value_a_number_of_its_own(values: ValueStore) -> None:
    artifacts = NamedArtifacts(values)
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda n: artifacts.publish("busy", n), range(20)))
    assert sorted(one.number for one in made) == list(range(1, 21))
    assert sorted(artifacts.load(f"busy@{number}") for number in range(1, 21)) == list(range(20))


def test_what_is_not_there_is_said_with_what_is(values: ValueStore) -> None:
    artifacts = NamedArtifacts(values)
    with pytest.raises(MetaflowNotFound, match="no artifact named 'model'"):
        artifacts.load("model")
    artifacts.publish("model", 1)
    for wrong in ("model@2", "model@0", "model@x"):
        with pytest.raises(MetaflowNotFound, match="its versions are 1 to 1"):
            artifacts.load(wrong)


@pytest.mark.parametrize(
    "name", ["", "a b", "../x", "a//b", "a/", "@versions", "a/@versions", "a/b/c/d/e/f", "{x}"]
)
def test_what_cannot_be_a_key_cannot_be_a_name(values: ValueStore, name: str) -> None:
    with pytest.raises(CommandException, match="cannot be the name"):
        NamedArtifacts(values).publish(name, 1)
