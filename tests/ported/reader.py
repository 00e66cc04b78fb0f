"""Prints what the latest run of a flow left, as JSON: `python reader.py FLOW`. A user's script: only its import is changed."""

import json
import sys

from metaflow import Flow, namespace


def shown(value):
    """A value as text in which two runs can be compared."""
    if hasattr(value, "to_csv"):
        return value.to_csv()
    # A caught exception: its text, and where its class is, are the package's.
    return value.type.rpartition(".")[2] if hasattr(value, "stacktrace") else repr(value)


namespace(None)
run = Flow(sys.argv[1]).latest_run
tasks = {}
for step in run:
    for task in step:
        place = task.metadata_dict.get("foreach-execution-path", "")
        iteration = (
            sum(1 for other in step if other.created_at < task.created_at) if "improve" in step.id else 0
        )
        artifacts = {artifact.id: shown(artifact.data) for artifact in task}
        stack = task.metadata_dict.get("foreach-stack", "")
        tasks[f"{step.id} {place} {iteration}"] = {
            "artifacts": artifacts,
            "stack": stack,
            "finished": task.finished,
            "successful": task.successful,
            # What the package itself says of a failure is its own.
            "stdout": task.stdout if task.successful else "",
            "attempts": task.metadata_dict["attempt"],
        }
print(json.dumps({"successful": run.successful, "tags": sorted(run.user_tags), "tasks": tasks}))
