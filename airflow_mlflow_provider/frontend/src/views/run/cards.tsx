import { useViewState } from "../address";
import { get } from "../api/client";
import type { RunView, StepOutline } from "../api/schema";
import { useData } from "../api/use_data";
import { Cards } from "../parts/cards";
import { Failure, Loading, Nothing } from "../parts/notes";

const route = "/api/dags/{dag_id}/runs/{run_id}/steps/{step}/tasks";
const most = 50;

/** The cards of the run: those of a step with `@card`, of the task that wants to be looked at first, or another one. */
export function RunCards({ run, running }: { run: RunView; running: boolean }) {
  const [state, change] = useViewState();
  const steps = run.steps.filter((step) => step.has_cards);
  const step = steps.find((one) => one.name === state["of"]) ?? steps.at(-1);
  if (!step) return <Nothing>No step of the flow has a card; <code>@card</code> makes one.</Nothing>;
  return (
    <>
      <p class="card-choice" role="group" aria-label="Steps with cards">
        {steps.map((one) => (
          <button key={one.name} type="button" aria-pressed={one === step} onClick={() => change({ of: one.name, card: "", task: "" })}>{one.name}</button>
        ))}
      </p>
      <StepCards key={step.name} run={run} step={step} running={running} />
    </>
  );
}

function StepCards({ run, step, running }: { run: RunView; step: StepOutline; running: boolean }) {
  const [state, change] = useViewState();
  const path = { dag_id: run.dag_id, run_id: run.dag_run_id, step: step.name };
  const query = { value: "-", limit: most };
  // Of nested splits, a search for what every task id holds gives the tasks themselves.
  const asked = step.frames.length > 1 ? query : { limit: most };
  const tasks = useData(`tasks with cards ${JSON.stringify(path)}`, (signal) => get(route, { path, query: asked }, signal), running ? 5 : null);
  if (tasks.error && !tasks.data) return <Failure error={tasks.error} retry={tasks.reload} />;
  if (!tasks.data) return <Loading lines={8} label="Loading the tasks with cards" />;
  const rows = tasks.data.tasks;
  const row = rows.find((one) => one.task === state["cardof"]) ?? rows[0];
  if (!row) return <Nothing>The step has not begun.</Nothing>;
  return (
    <>
      {rows.length > 1 && (
        <p class="bar">
          <label>
            Task{" "}
            <select value={row.task} onChange={(event) => change({ cardof: event.currentTarget.value, card: "" })}>
              {rows.map((one) => <option key={one.task} value={one.task}>{[one.task, ...one.labels.map((label) => label.label), one.state].join(" · ")}</option>)}
            </select>
          </label>
          {tasks.data.total > rows.length && <span class="muted">the first {rows.length} of {tasks.data.total.toLocaleString("en-US")}; find others under Tasks</span>}
        </p>
      )}
      <Cards place={{ ...path, task: row.task, attempt: row.attempt }} running={row.state === "running"} />
    </>
  );
}
