"""The user tags of a run: one small object, changed by optimistic replacement, so that no change is ever lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from airflow_mlflow_provider.exception import (
    MetaflowTaggingError,
    ObjectExists,
    ObjectNotFound,
    StoreConflict,
)
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import RunRecord
from airflow_mlflow_provider.store.user_tags import tags_key

MOST_TAGS = 50
LONGEST_TAG = 500
_TRIES = 50


def put_first_tags(ledger: Ledger, flow: str, run: str, tags: Sequence[str]) -> None:
    """Give a run that has not begun its user tags; its id must be new.

    Args:
        ledger: The store.
        flow: Name of the flow.
        run: Run id.
        tags: All user tags of the run, those of its deployment among them.
    """
    ledger.store.put(tags_key(flow, run), msgspec.json.encode(sorted(set(tags))), create=True)


def change_tags(ledger: Ledger, run: RunRecord, remove: Sequence[str], add: Sequence[str]) -> frozenset[str]:
    """Remove, then add, as one atomic change.

    Returns:
        The user tags after the change.

    Raises:
        MetaflowTaggingError: A tag breaks a rule, a system tag was to be removed, or others changed the tags
            all the time.
    """
    system = set(run.system_tags)
    for tag in (*remove, *add):
        check_tag(tag)
    locked = sorted(system.intersection(remove))
    if locked:
        raise MetaflowTaggingError(
            f"{', '.join(locked)} of {run.flow}/{run.run} are system tags, which stay.",
            fix="Remove user tags only.",
            where={"flow": run.flow, "run": run.run, "tag": locked[0]},
        )

    def changed(old: frozenset[str]) -> frozenset[str]:
        new = (old - set(remove)) | (set(add) - system)
        if len(new) > max(MOST_TAGS, len(old)):
            raise MetaflowTaggingError(
                f"{run.flow}/{run.run} would have {len(new)} user tags; at most {MOST_TAGS} are allowed.",
                fix="Remove some first.",
                where={"flow": run.flow, "run": run.run, "limit": MOST_TAGS},
            )
        return new

    for _ in range(_TRIES):
        try:
            return _try_change(ledger, run, changed)
        except (StoreConflict, ObjectExists):
            continue
    raise MetaflowTaggingError(
        f"The tags of {run.flow}/{run.run} were changed by others {_TRIES} times in a row.",
        fix="Try again.",
        where={"flow": run.flow, "run": run.run},
    )


def check_tags(tags: Sequence[str]) -> None:
    """See that these can be the user tags of a run.

    Raises:
        MetaflowTaggingError: One cannot be a tag, or they are too many.
    """
    for tag in tags:
        check_tag(tag)
    if len(set(tags)) > MOST_TAGS:
        raise MetaflowTaggingError(
            f"{len(set(tags))} tags were given; at most {MOST_TAGS} are allowed.",
            fix="Give fewer tags.",
            where={"limit": MOST_TAGS},
        )


def check_tag(tag: object) -> None:
    """See that a tag can be one.

    Raises:
        MetaflowTaggingError: It cannot.
    """
    if not isinstance(tag, str) or not tag or len(tag) > LONGEST_TAG or not _is_utf8(tag):
        shown = repr(tag)[:80]
        raise MetaflowTaggingError(
            f"{shown} cannot be a tag.",
            fix=f"Give a text of 1 to {LONGEST_TAG} characters.",
            where={"tag": shown, "limit": LONGEST_TAG},
        )


def _try_change(
    ledger: Ledger, run: RunRecord, changed: Callable[[frozenset[str]], frozenset[str]]
) -> frozenset[str]:
    try:
        data, version = ledger.store.get_versioned(tags_key(run.flow, run.run))
    except ObjectNotFound:
        new = changed(frozenset(run.tags))
        ledger.store.put(tags_key(run.flow, run.run), msgspec.json.encode(sorted(new)), create=True)
        return new
    old = frozenset(msgspec.json.decode(data, type=list[str]))
    new = changed(old)
    if new != old:
        ledger.store.replace(tags_key(run.flow, run.run), msgspec.json.encode(sorted(new)), version)
    return new


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
