# ruff: noqa: ANN001, ANN201
# mypy: ignore-errors
import os
import time

from airflow_mlflow_provider import FlowSpec, Parameter, catch, current, parallel, step


class GangInPodsFlow(FlowSpec):
    """A gang, one of whose nodes may fail while the others wait for it for ever."""

    failing = Parameter("failing", default=-1, type=int, help="Index of the node that fails")
    attempts = Parameter("attempts", default=9, type=int, help="Number of attempts that fail")
    dies = Parameter("dies", default=False, type=bool, help="Whether it waits to be killed instead")

    @step
    def start(self):
        self.next(self.train, num_parallel=3)

    @catch(var="error", print_exception=False)
    @parallel
    @step
    def train(self):
        gang = current.parallel
        if self.failing >= 0 and current.retry_count < self.attempts:
            if gang.node_index == self.failing and not self.dies:
                raise ValueError("told to fail")
            print("ready to die" if gang.node_index == self.failing else "waits", flush=True)
            time.sleep(300)
        self.place = (gang.num_nodes, gang.node_index, gang.control_task_id, current.retry_count)
        self.main = gang.main_ip
        self.told = {name: value for name, value in os.environ.items() if name.startswith("MF_PARALLEL_")}
        self.next(self.join)

    @step
    def join(self, inputs):
        self.places = [getattr(i, "place", None) for i in inputs]
        self.mains = [getattr(i, "main", None) for i in inputs]
        self.told = [getattr(i, "told", None) for i in inputs]
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    GangInPodsFlow()
