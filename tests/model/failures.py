"""Failures put into the shapes: each kind, each policy, in ordinary tasks, splits, joins, loops, switches and gangs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import cycle

from tests.model.reference import interpret
from tests.model.spec import Block, Branch, Fault, FaultKind, Plain, steps_of

# What becomes of a failure: the number of attempts that fail, `times` of @retry, and whether @catch is there.
POLICIES: Mapping[str, tuple[int, int, bool]] = {
    "none": (9, 0, False),
    "retried": (1, 1, False),
    "exhausted": (9, 1, False),
    "caught": (9, 0, True),
    "retried_and_caught": (9, 1, True),
}
KINDS: tuple[FaultKind, ...] = ("exception", "kill", "timeout")


def fault(step: str, task: str, kind: FaultKind, policy: str) -> Fault:
    """A failure with a policy of the table."""
    attempts, retries, catch = POLICIES[policy]
    return Fault(step, task, kind, attempts, retries, catch)


def policy_of(broken: Fault) -> str:
    """The name of the policy of a failure."""
    given = (broken.attempts, broken.retries, broken.catch)
    return next(name for name, policy in POLICIES.items() if policy == given)


def catchable(flow: Block) -> set[str]:
    """The steps that may carry @catch: neither foreach splits nor switches, and no nodes of gangs."""
    return {item.name for _, item in steps_of(flow) if isinstance(item, Plain | Branch)}


FAILURES: tuple[tuple[str, Fault], ...] = (
    ("single_step", fault("only", "0", "kill", "none")),
    ("linear", fault("middle", "0", "timeout", "exhausted")),
    ("renamed_ends", fault("last", "0", "exception", "caught")),
    ("branch", fault("left", "0", "exception", "none")),
    ("nested_branches", fault("upper", "0", "kill", "retried_and_caught")),
    ("foreach", fault("more", "0002", "timeout", "caught")),
    ("foreach_that_tolerates", fault("body", "0001", "exception", "none")),
    ("foreach_that_tolerates", fault("more", "0002", "kill", "exhausted")),
    ("nested_foreach_that_tolerates", fault("inner", "0000-0001", "exception", "none")),
    ("nested_foreach_that_tolerates", fault("inner", "0001-0000", "exception", "none")),
    ("foreach_in_foreach_that_tolerates", fault("inner", "0000-0001", "exception", "none")),
    ("foreach_in_foreach_that_tolerates", fault("outer", "0000", "exception", "none")),
    ("foreach", fault("join", "0", "kill", "caught")),
    ("nested_foreach", fault("two", "0001-0000", "kill", "retried")),
    ("join_that_splits", fault("join_one", "0", "exception", "retried_and_caught")),
    ("branch_in_foreach", fault("right", "0001", "kill", "exhausted")),
    ("switch_in_foreach", fault("choose", "0002", "exception", "retried")),
    ("foreach_in_switch_in_foreach", fault("body", "0001-0001", "exception", "none")),
    ("recursion_in_foreach", fault("again", "0001-i0001", "kill", "retried")),
    ("recursion", fault("again", "i0002", "exception", "none")),
    ("gang", fault("train", "0002", "exception", "retried")),
    ("gang_in_foreach", fault("train", "0001-0000", "kill", "none")),
)


# What Airflow's rules make hardest: a failure under one index path of a nested foreach is none of another's.
NESTED_FAILURES: tuple[tuple[str, Fault], ...] = (
    ("nested_foreach", fault("one", "0000", "exception", "none")),
    ("nested_foreach", fault("three", "0001-0001-0000", "kill", "none")),
    ("nested_foreach", fault("two_join", "0001-0000", "exception", "none")),
    ("foreach_in_switch_in_foreach", fault("plain", "0002", "exception", "none")),
    ("foreach_in_switch_in_foreach", fault("choose", "0001", "exception", "none")),
    ("empty_foreach_in_foreach", fault("outer", "0001", "exception", "none")),
)


def each_failure(flow: Block) -> Iterator[Fault]:
    """A failure in the last task of every step that runs; kinds and policies take turns."""
    tasks = dict(sorted(interpret(flow).tasks))
    turns = zip(cycle(KINDS), cycle(POLICIES), strict=False)
    caught = catchable(flow)
    for step, task in tasks.items():
        kind, policy = next(turns)
        if POLICIES[policy][2] and step not in caught:
            policy = "retried"
        yield fault(step, task, kind, policy)
