"""What fails is tried again, caught, or given up after a while."""

import os
import time

from metaflow import FlowSpec, catch, current, environment, resources, retry, step, timeout


class FailuresFlow(FlowSpec):
    @retry(times=2, minutes_between_retries=0)
    @step
    def start(self):
        if current.retry_count < 1:
            raise OSError("the first time fails")
        self.tried = current.retry_count
        self.ways = ["divide", "sleep", "pass"]
        self.next(self.risky, foreach="ways")

    @catch(var="problem", print_exception=False)
    @timeout(seconds=2)
    @retry(times=0)
    @step
    def risky(self):
        self.way = self.input
        if self.way == "divide":
            self.ratio = 1 / 0
        if self.way == "sleep":
            time.sleep(30)
        self.fine = True
        self.next(self.join)

    @environment(vars={"SEASON": "spring"})
    @resources(cpu=1, memory=512)
    @step
    def join(self, inputs):
        self.problems = [each.problem.type.rpartition(".")[2] if each.problem else None for each in inputs]
        self.survived = [each.way for each in inputs if not each.problem]
        self.season = os.environ["SEASON"]
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    FailuresFlow()
