"""CONDA: the flow that `conda_flow.py` is, with `@pypi` instead."""

from importlib.metadata import version
from typing import Any

from airflow_mlflow_provider import FlowSpec, pypi, pypi_base, step


@pypi_base(packages={"regex": "2024.11.6"})
class HelloPypiFlow(FlowSpec):
    @step
    def start(self) -> None:
        import regex

        self.versions = [version(regex.__name__)]
        self.next(self.v1, self.v2)

    @step
    def v1(self) -> None:
        import regex

        self.lib_version = version(regex.__name__)
        self.next(self.combine)

    @pypi(packages={"regex": "2023.12.25"})
    @step
    def v2(self) -> None:
        import regex

        self.lib_version = version(regex.__name__)
        self.next(self.combine)

    @step
    def combine(self, inputs: Any) -> None:
        import regex

        self.versions = [each.lib_version for each in inputs] + [version(regex.__name__)]
        self.next(self.end)

    @step
    def end(self) -> None:
        import regex

        self.versions.append(version(regex.__name__))


if __name__ == "__main__":
    HelloPypiFlow()
