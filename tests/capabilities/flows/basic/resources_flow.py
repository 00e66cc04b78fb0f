"""RESOURCES: what a step asks for, once by both decorators and once by one of them."""

from airflow_mlflow_provider import FlowSpec, kubernetes, resources, step


class ResourcesFlow(FlowSpec):
    @resources(cpu=2, memory=500, disk=200)
    @kubernetes(cpu=1, memory=800, disk=100)
    @step
    def start(self) -> None:
        self.next(self.end)

    @resources(cpu=1.5, memory=300)
    @step
    def end(self) -> None:
        pass


if __name__ == "__main__":
    ResourcesFlow()
