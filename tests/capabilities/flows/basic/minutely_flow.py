"""SCHEDULE: every minute, in the form of cron that has six fields."""

from airflow_mlflow_provider import FlowSpec, schedule, step


@schedule(cron="* * ? * 1-7 *", timezone="Asia/Kolkata")
class MinutelyFlow(FlowSpec):
    @step
    def start(self) -> None:
        self.next(self.end)

    @step
    def end(self) -> None:
        pass


if __name__ == "__main__":
    MinutelyFlow()
