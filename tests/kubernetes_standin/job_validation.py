"""The rules for Jobs, from ``k8s.io/kubernetes/pkg/apis/batch/validation``."""

from __future__ import annotations

from tests.kubernetes_standin.defaults import default_pod_spec
from tests.kubernetes_standin.names import check_labels, dns_label
from tests.kubernetes_standin.pod_validation import check_choice, check_pod_spec
from tests.kubernetes_standin.status import Cause, Json

NOT_IMPLEMENTED = (
    "podFailurePolicy",
    "successPolicy",
    "backoffLimitPerIndex",
    "maxFailedIndexes",
    "managedBy",
)
NOT_NEGATIVE = (
    "parallelism",
    "completions",
    "backoffLimit",
    "activeDeadlineSeconds",
    "ttlSecondsAfterFinished",
)
IMMUTABLE = ("selector", "template", "completionMode", "completions")


def default_job(job: Json) -> None:
    """Fill in what a Job left out, in place."""
    spec = job.setdefault("spec", {})
    template = spec.get("template") or {}
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    for name, value in (
        ("parallelism", 1),
        ("backoffLimit", 6),
        ("completionMode", "NonIndexed"),
        ("suspend", False),
    ):
        spec.setdefault(name, value)
    spec.setdefault("podReplacementPolicy", "TerminatingOrFailed")
    if template.get("spec"):
        default_pod_spec(template["spec"])


def validate_job(job: Json) -> list[Cause]:
    """What is wrong with a new Job."""
    spec = job["spec"]
    causes = [
        Cause.forbidden(f"spec.{name}", "the stand-in does not implement this field")
        for name in NOT_IMPLEMENTED
        if spec.get(name) is not None
    ]
    for name in NOT_NEGATIVE:
        if (spec.get(name) or 0) < 0:
            causes.append(Cause.invalid(f"spec.{name}", spec[name], "must be greater than or equal to 0"))
    causes += check_choice(spec, "completionMode", ("Indexed", "NonIndexed"), "spec")
    causes += _check_indexed(job)
    if spec.get("selector") and not spec.get("manualSelector"):
        detail = "`selector` will be auto-generated"
        causes.append(Cause.invalid("spec.selector", spec["selector"], detail))
    template = spec.get("template") or {}
    causes += check_labels((template.get("metadata") or {}).get("labels"), "spec.template.labels")
    pod = template.get("spec") or {}
    causes += check_pod_spec(pod, "spec.template.spec")
    if pod.get("restartPolicy", "Always") == "Always":
        causes.append(Cause.unsupported("spec.template.spec.restartPolicy", "Always", ("OnFailure", "Never")))
    return causes


def _check_indexed(job: Json) -> list[Cause]:
    spec, name = job["spec"], job["metadata"].get("name") or ""
    if spec.get("completionMode") != "Indexed":
        return []
    if spec.get("completions") is None:
        return [Cause.required("spec.completions", "when completion mode is Indexed")]
    hostname = f"{name}-{spec['completions'] - 1}"
    return [
        Cause.invalid(
            "metadata.name",
            name,
            f"will not able to create pod with invalid DNS label: {hostname}: {problem}",
        )
        for problem in dns_label(hostname)
    ]


def validate_job_update(before: Json, job: Json) -> list[Cause]:
    """What is wrong with a changed Job."""
    old, new = before["spec"], job["spec"]
    return [
        Cause.invalid(f"spec.{name}", new.get(name), "field is immutable")
        for name in IMMUTABLE
        if old.get(name) != new.get(name)
    ]
