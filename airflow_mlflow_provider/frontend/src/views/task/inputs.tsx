import type { Preview } from "../../card/document";
import { bytes } from "../../shared/format";
import { PreviewView } from "../../shared/preview";
import { get } from "../api/client";
import type { InputArtifact, TaskView } from "../api/schema";
import { usePages } from "../api/use_pages";
import { Failure, Loading, Nothing } from "../parts/notes";
import { TypeName } from "../parts/type";
import { TaskLink } from "./origin";
import type { TaskAddress } from "./pane";

/** What a task started from: the tasks before it, and its artifacts with the task that made each. */
export function Inputs({ place, task }: { place: TaskAddress; task: TaskView }) {
  const pages = usePages(`inputs ${JSON.stringify(place)} ${task.row.state}`, (cursor, signal) =>
    get("/api/dags/{dag_id}/runs/{run_id}/steps/{step}/tasks/{task}/inputs", { path: place, query: { cursor, limit: 50 } }, signal));
  const artifacts = pages.pages.flatMap((page) => page.artifacts);
  const read = pages.pages[0]?.read_from_inputs ?? [];
  return (
    <>
      <Before task={task} />
      {read.length > 0 && <p>From its inputs the join read {read.map((name) => <code key={name} class="name">{name}</code>)}</p>}
      {pages.error && <Failure error={pages.error} retry={pages.more} />}
      {pages.busy && artifacts.length === 0 && <Loading lines={6} label="Loading the inputs" />}
      {!pages.busy && !pages.error && artifacts.length === 0 && <Nothing>It started from no artifact.</Nothing>}
      {artifacts.length > 0 && <Table artifacts={artifacts} />}
      {pages.next && <button type="button" disabled={pages.busy} onClick={pages.more}>Show more of {pages.pages[0]?.total}</button>}
    </>
  );
}

function Before({ task }: { task: TaskView }) {
  if (task.input_count === 0) return <p class="muted">The first task of the run: it starts from what the run was given.</p>;
  const more = task.input_count - task.inputs.length;
  return (
    <p>
      {task.input_count === 1 ? "Follows " : `Joins ${task.input_count.toLocaleString("en-US")} tasks: `}
      {task.inputs.map((one) => <code key={one.pathspec} class="name" title={one.pathspec}>{one.is_own ? `${one.step}/${one.task}` : one.pathspec}</code>)}
      {more > 0 && <span class="muted">and {more.toLocaleString("en-US")} more</span>}
    </p>
  );
}

function Table({ artifacts }: { artifacts: InputArtifact[] }) {
  return (
    <div class="scroll" role="group" aria-label="Inputs" tabIndex={0}>
      <table>
        <thead>
          <tr><th scope="col">Name</th><th scope="col">Made by</th><th scope="col">Read</th><th scope="col">Type</th><th scope="col" class="number">Size</th><th scope="col">Value</th></tr>
        </thead>
        <tbody>
          {artifacts.map((one) => (
            <tr key={one.name}>
              <th scope="row">{one.name}</th>
              <td><Maker artifact={one} /></td>
              <td>{one.was_read ? <span class="badge running">read</span> : ""}</td>
              <td><TypeName name={one.type} /></td>
              <td class="number">{bytes(one.size)}</td>
              <td><PreviewView preview={one.preview as Preview | null} /></td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Maker({ artifact }: { artifact: InputArtifact }) {
  if (artifact.is_given) return <span class="muted">given to the run</span>;
  if (!artifact.made_by) return <span class="muted">not known</span>;
  const [, , step, task] = artifact.made_by.pathspec.split("/");
  return <TaskLink place={artifact.made_by} text={`${step}/${task}`} />;
}
