"""An artifact that is asked for and was not set."""

from __future__ import annotations

from collections.abc import Callable


class MissingArtifact(AttributeError):
    """Nothing before the step set the artifact; names the steps that do set one of that name.

    They are looked for in the flow's source when the text is wanted: ``hasattr`` and ``getattr`` with a default never want it.

    Args:
        text: What is missing, and where.
        setters: Gives the steps that set it.
    """

    def __init__(self, text: str, setters: Callable[[], list[str]]) -> None:
        super().__init__(text)
        self._setters = setters

    def __str__(self) -> str:
        steps = ", ".join(self._setters())
        return f"{self.args[0]} It is set in: {steps}." if steps else str(self.args[0])

    def __reduce__(self) -> tuple[type[AttributeError], tuple[str]]:
        return AttributeError, (str(self),)


def steps_that_set(flow_class: type, name: str) -> list[str]:
    """The steps of a flow whose source sets an artifact; none where the source cannot be read."""
    from airflow_mlflow_provider.exception import MetaflowException
    from airflow_mlflow_provider.flow.lint.availability import Availability
    from airflow_mlflow_provider.flow.reading import read_flow
    from airflow_mlflow_provider.flow.source import config_resolver

    try:
        return Availability(read_flow(flow_class, config_resolver(flow_class))).writers(name)
    except MetaflowException:
        return []
