from __future__ import annotations

from typing import Any

import pytest

from airflow_mlflow_provider.flow.decorators.compute import (
    KubernetesDecorator,
    ResourcesDecorator,
    effective_resources,
    parse_node_selector,
)
from airflow_mlflow_provider.flow.decorators.kubernetes_names import is_quantity
from airflow_mlflow_provider.flow.graph import StepNode


def test_the_defaults_are_those_documented() -> None:
    assert ResourcesDecorator().attributes == {
        "cpu": 1,
        "gpu": None,
        "disk": None,
        "memory": 4096,
        "shared_memory": None,
    }
    assert KubernetesDecorator().attributes == {
        "cpu": 1,
        "memory": 4096,
        "disk": 10240,
        "image": None,
        "image_pull_policy": None,
        "image_pull_secrets": None,
        "service_account": None,
        "secrets": None,
        "node_selector": None,
        "namespace": None,
        "gpu": None,
        "gpu_vendor": None,
        "tolerations": None,
        "labels": None,
        "annotations": None,
        "use_tmpfs": None,
        "tmpfs_tempdir": True,
        "tmpfs_size": None,
        "tmpfs_path": "/metaflow_temp",
        "persistent_volume_claims": None,
        "shared_memory": None,
        "port": None,
        "compute_pool": None,
        "executable": None,
        "hostname_resolution_timeout": 600,
        "qos": "burstable",
        "extended_resources": {},
        "security_context": None,
        "warm": False,
    }
    assert list(KubernetesDecorator().deployment_problems()) == []


@pytest.mark.parametrize(
    ("decorator", "attribute", "words"),
    [
        (ResourcesDecorator({"cpu": -1}), "cpu", "at least 0"),
        (ResourcesDecorator({"cpu": "lots"}), "cpu", "a number"),
        (ResourcesDecorator({"gpu": 0.5}), "gpu", "a whole number"),
        (ResourcesDecorator({"memory": float("nan")}), "memory", "a number"),
        (KubernetesDecorator({"qos": "best"}), "qos", "'burstable', 'guaranteed'"),
        (KubernetesDecorator({"image_pull_policy": "often"}), "image_pull_policy", "'Always'"),
        (KubernetesDecorator({"labels": ["a"]}), "labels", "a dict"),
        (KubernetesDecorator({"node_selector": "pool"}), "node_selector", "pool=gpu"),
        (KubernetesDecorator({"node_selector": 3}), "node_selector", "a dict"),
        (KubernetesDecorator({"use_tmpfs": "perhaps"}), "use_tmpfs", "True or False"),
        (KubernetesDecorator({"image": 3}), "image", "a string"),
        (KubernetesDecorator({"port": 0}), "port", "at least 1"),
    ],
)
def test_a_wrong_value_is_found_with_attribute_and_what_is_allowed(
    decorator: Any, attribute: str, words: str
) -> None:
    (problem,) = decorator.problems()
    assert problem.rule == "D005"
    assert f"'{attribute}'" in problem.message
    assert words in problem.message


@pytest.mark.parametrize(
    ("written", "selector"),
    [
        (None, None),
        ({"pool": "gpu"}, {"pool": "gpu"}),
        ("pool=gpu,zone=a", {"pool": "gpu", "zone": "a"}),
        (["pool=gpu"], {"pool": "gpu"}),
        ("key=a=b", {"key": "a=b"}),
    ],
)
def test_a_node_selector_is_a_dict_text_or_a_list(written: Any, selector: Any) -> None:
    assert parse_node_selector(written) == selector
    assert KubernetesDecorator({"node_selector": written}).attributes["node_selector"] == selector


def test_words_are_taken_in_any_case() -> None:
    decorator = KubernetesDecorator({"image_pull_policy": "always", "qos": "Guaranteed"})
    assert decorator.problems() == ()
    assert (decorator.attributes["image_pull_policy"], decorator.attributes["qos"]) == (
        "Always",
        "guaranteed",
    )


def test_a_pod_asks_for_the_larger_of_both_decorators() -> None:
    resources = ResourcesDecorator({"cpu": 4, "memory": 1000, "gpu": 1})
    kubernetes = KubernetesDecorator({"cpu": 2, "memory": 2000})
    node = StepNode("fit", decorators=(kubernetes.spec(), resources.spec()))
    assert effective_resources(node) == {"cpu": 4, "gpu": 1, "memory": 2000, "disk": 10240}
    assert effective_resources(StepNode("fit")) == {}


LONG = "a" * 63


@pytest.mark.parametrize(
    "attributes",
    [
        {"labels": {"team": "forecasts", "example.com/app": "A.b_c-1", "empty": "", LONG: LONG}},
        {"annotations": {"example.com/note": "any text at all: {}\n"}},
        {
            "tolerations": [
                {"key": "gpu", "operator": "Exists", "effect": "NoSchedule"},
                {"operator": "Exists"},
            ]
        },
        {
            "tolerations": [
                {"key": "a", "value": "b"},
                {"key": "a", "effect": "NoExecute", "toleration_seconds": 3},
            ]
        },
        {"persistent_volume_claims": {"data-claim": "/mnt/data", "other.claim": "/mnt/other"}},
        {"extended_resources": {"example.com/fpga": 2, "vendor.io/x": "3"}},
        {"namespace": "team-a", "service_account": "runner.v1", "secrets": ["s-1", "s.2"], "port": 65535},
    ],
)
def test_what_kubernetes_accepts_is_accepted(attributes: dict[str, Any]) -> None:
    decorator = KubernetesDecorator(attributes)
    assert decorator.problems() == ()
    assert list(decorator.deployment_problems()) == []


@pytest.mark.parametrize(
    ("attributes", "part"),
    [
        ({"labels": {"team": LONG + "a"}}, LONG + "a"),
        ({"labels": {"team": "-a"}}, "'-a'"),
        ({"labels": {"team": "a b"}}, "'a b'"),
        ({"labels": {"team": 3}}, "3"),
        ({"labels": {LONG + "a": "x"}}, LONG),
        ({"labels": {"Example.com/app": "x"}}, "'Example.com/app'"),
        ({"labels": {"/app": "x"}}, "'/app'"),
        ({"labels": {"": "x"}}, "''"),
        ({"annotations": {"note": 3}}, "3"),
        ({"annotations": {"a b": "x"}}, "'a b'"),
        ({"annotations": {"note": "x" * 262_145}}, "262149 bytes"),
        ({"node_selector": {"pool": "a b"}}, "'a b'"),
        ({"tolerations": ["gpu"]}, "is not a dict"),
        ({"tolerations": [{"kye": "gpu"}]}, "'kye'"),
        ({"tolerations": [{"key": "gpu", "operator": "Is"}]}, "'Is'"),
        ({"tolerations": [{"key": "gpu", "effect": "Never"}]}, "'Never'"),
        ({"tolerations": [{"key": "gpu", "operator": "Exists", "value": "x"}]}, "does not take"),
        ({"tolerations": [{"value": "x"}]}, "has no key"),
        ({"tolerations": [{"key": "gpu", "toleration_seconds": 3}]}, "NoExecute"),
        ({"persistent_volume_claims": {"Data": "/mnt"}}, "'Data'"),
        ({"persistent_volume_claims": {"data": "mnt"}}, "'mnt'"),
        ({"persistent_volume_claims": {"a": "/mnt", "b": "/mnt"}}, "both mounted at '/mnt'"),
        ({"extended_resources": {"fpga": 1}}, "'fpga' has no domain"),
        ({"extended_resources": {"example.com/fpga": "half"}}, "'half'"),
        ({"extended_resources": {"example.com/fpga": 0.5}}, "0.5"),
        ({"namespace": "team.a"}, "'team.a'"),
        ({"namespace": "Team"}, "'Team'"),
        ({"service_account": "a_b"}, "'a_b'"),
        ({"secrets": ["ok", "not ok"]}, "'not ok'"),
        ({"image_pull_secrets": "UPPER"}, "'UPPER'"),
        ({"port": 65536}, "65536"),
        ({"tmpfs_path": "tmp"}, "'tmp'"),
    ],
)
def test_what_kubernetes_refuses_is_found_when_deployed_with_its_attribute(
    attributes: dict[str, Any], part: str
) -> None:
    decorator = KubernetesDecorator(attributes)
    assert decorator.problems() == ()
    (problem, *more) = decorator.deployment_problems()
    assert more == []
    assert problem.rule == "X006"
    assert f"'{next(iter(attributes))}'" in problem.message
    assert part in problem.message


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, True),
        (0.5, True),
        ("500m", True),
        ("4Gi", True),
        ("1e3", True),
        (".5", True),
        (-1, False),
        (True, False),
        ("4 Gi", False),
        ("4GB", False),
        ("", False),
        (float("nan"), False),
        (float("inf"), False),
        (None, False),
    ],
)
def test_quantities_are_told_from_other_values(value: Any, expected: bool) -> None:
    assert is_quantity(value) is expected
