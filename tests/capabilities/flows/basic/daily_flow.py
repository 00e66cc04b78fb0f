"""SCHEDULE: every day at half past nine in New York."""

from airflow_mlflow_provider import FlowSpec, schedule, step


@schedule(cron="30 9 * * *", timezone="America/New_York")
class DailyFlow(FlowSpec):
    @step
    def start(self) -> None:
        self.next(self.end)

    @step
    def end(self) -> None:
        pass


if __name__ == "__main__":
    DailyFlow()
