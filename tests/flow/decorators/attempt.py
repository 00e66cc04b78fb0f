"""A real attempt of a step, without a store: what decorators see while code runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any


@dataclass
class Attempt:
    """The attempt of a task; satisfies ``DecoratedTask``."""

    flow: Any = field(default_factory=SimpleNamespace)
    flow_name: str = "Train"
    run_id: str = "1700000000"
    step_name: str = "fit"
    task_id: str = "fit"
    retry_count: int = 0
    is_last_attempt: bool = True
    hidden: list[str] = field(default_factory=list)

    def hide(self, secrets: tuple[str, ...], /) -> None:
        """Note what is to be hidden."""
        self.hidden.extend(secrets)
