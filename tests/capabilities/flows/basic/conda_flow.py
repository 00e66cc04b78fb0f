"""CONDA: what is refused, with the alternative named."""

from airflow_mlflow_provider import FlowSpec, conda, step


class HelloCondaFlow(FlowSpec):
    @step
    def start(self) -> None:
        self.next(self.v1)

    @conda(libraries={"regex": "2024.11.6"})
    @step
    def v1(self) -> None:
        import regex

        self.lib_version = regex.__version__
        self.next(self.end)

    @step
    def end(self) -> None:
        pass


if __name__ == "__main__":
    HelloCondaFlow()
