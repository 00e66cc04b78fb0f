import { useViewState } from "../address";
import { get } from "../api/client";
import type { InstanceTask } from "../api/schema";
import { useData } from "../api/use_data";
import { AirflowLink, runPath } from "../parts/link";
import { Failure, Loading, Nothing } from "../parts/notes";
import { Choice } from "./choice";
import { TaskPane } from "./pane";
import "../parts/bar.css";
import "./task.css";

// Airflow leaves its placeholder in the address of a task that is not mapped.
const notMapped = -1;

/** The tab of a task instance: the task that it stands for, or the one chosen of several. */
export function TaskTab({ dagId, runId, taskId, mapIndex }: { dagId: string; runId: string; taskId: string; mapIndex: string }) {
  const [state, change] = useViewState();
  const path = { dag_id: dagId, run_id: runId, task_id: taskId, map_index: /^\d+$/.test(mapIndex) ? Number(mapIndex) : notMapped };
  const instance = useData(
    `${dagId} ${runId} ${taskId} ${mapIndex}`,
    (signal) => get("/api/dags/{dag_id}/runs/{run_id}/instances/{task_id}/{map_index}", { path }, signal),
    5,
  );
  if (instance.error && !instance.data) return <Failure error={instance.error} retry={instance.reload} />;
  if (!instance.data) return <Loading lines={8} label="Loading the task" />;
  const { tasks, task_count: count, note, run } = instance.data;
  const chosen = tasks.find((one) => nameOf(one) === state["task"]) ?? first(tasks);
  const toRun = <AirflowLink path={runPath(dagId, runId)}>{run}</AirflowLink>;
  if (!chosen) return <><h1>{taskId}</h1><p class="muted">{toRun}</p><Nothing>{note}</Nothing></>;
  const choose = (name: string) => change({ task: name, attempt: "" });
  return (
    <TaskPane
      key={nameOf(chosen)}
      place={{ dag_id: dagId, run_id: runId, step: chosen.step, task: chosen.task }}
      toRun={toRun}
      choice={count > 1 ? <Choice tasks={tasks} count={count} chosen={nameOf(chosen)} choose={choose} /> : null}
    />
  );
}

/** Names a task of the instance in the address. */
export function nameOf(task: InstanceTask): string {
  return `${task.step}/${task.task}`;
}

/** Of several, the one that wants to be looked at: a failed one, else the last. */
function first(tasks: InstanceTask[]): InstanceTask | undefined {
  return tasks.find((one) => one.state === "failed") ?? tasks.at(-1);
}
