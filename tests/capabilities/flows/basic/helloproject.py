"""PROJECT_BRANCH and FROM_DEPLOYMENT: a flow of a project, which notes the branch in each step."""

from airflow_mlflow_provider import FlowSpec, current, project, step


@project(name="hello_project")
class HelloProjectFlow(FlowSpec):
    @step
    def start(self) -> None:
        self.first_branch = current.branch_name
        self.next(self.end)

    @step
    def end(self) -> None:
        self.branch = current.branch_name
        self.flow_name = current.project_flow_name


if __name__ == "__main__":
    HelloProjectFlow()
