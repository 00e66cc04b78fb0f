import { useState } from "preact/hooks";
import { duration, moment, number } from "../../shared/format";
import { get } from "../api/client";
import type { RunRow } from "../api/schema";
import { useData } from "../api/use_data";
import { AirflowLink, runPath } from "../parts/link";
import { Failure, Loading, Nothing } from "../parts/notes";
import { Status } from "../parts/status";
import { Given } from "../parts/values";

/** How many runs stand side by side at most; the API takes no more. */
export const most = 8;

/** The runs of the flow, newest first; those that are ticked can be compared. */
export function Runs({ dagId, chosen, choose, compare }: {
  dagId: string;
  chosen: string[];
  choose: (runs: string[]) => void;
  compare: () => void;
}) {
  const [cursors, setCursors] = useState<string[]>([""]);
  const cursor = cursors.at(-1) ?? "";
  const path = { dag_id: dagId };
  const page = useData(
    `runs ${dagId} ${cursor}`,
    (signal) => get("/api/dags/{dag_id}/runs", { path, query: { cursor, limit: 25 } }, signal),
    cursor ? null : 10,
  );
  if (page.error && !page.data) return <Failure error={page.error} retry={page.reload} />;
  if (!page.data) return <Loading lines={10} label="Loading the runs" />;
  if (page.data.runs.length === 0) return <Nothing>The flow has not run yet as this DAG.</Nothing>;
  const metrics = [...new Set(page.data.runs.flatMap((run) => Object.keys(run.metrics)))].slice(0, 6);
  const toggle = (run: string) => choose(chosen.includes(run) ? chosen.filter((one) => one !== run) : [...chosen, run]);
  const { next } = page.data;
  return (
    <>
      <p class="bar">
        <button type="button" class="strong" disabled={chosen.length < 2} onClick={compare}>
          Compare {chosen.length > 1 ? `${chosen.length} runs` : "runs"}
        </button>
        <span class="muted" role="status">
          {chosen.length === 0 ? `Tick 2 to ${most} runs.` : `${chosen.length} chosen`}
        </span>
        {chosen.length > 0 && <button type="button" onClick={() => choose([])}>Choose none</button>}
      </p>
      <div class="scroll" role="group" aria-label="Runs" tabIndex={0}>
        <table>
          <thead>
            <tr>
              <th scope="col"><span class="sr-only">Compare</span></th>
              <th scope="col">Run</th>
              <th scope="col">State</th>
              <th scope="col">Started</th>
              <th scope="col" class="number">Took</th>
              <th scope="col">Parameters</th>
              {metrics.map((name) => <th key={name} scope="col" class="number">{name}</th>)}
              <th scope="col">By, tags</th>
            </tr>
          </thead>
          <tbody>
            {page.data.runs.map((run) => (
              <Row key={run.mark.run} dagId={dagId} run={run} metrics={metrics} isChosen={chosen.includes(run.mark.dag_run_id)} isFull={chosen.length >= most} toggle={toggle} />
            ))}
          </tbody>
        </table>
      </div>
      {(cursors.length > 1 || next) && (
        <p class="bar below">
          <button type="button" disabled={cursors.length < 2} onClick={() => setCursors(cursors.slice(0, -1))}>Newer</button>
          <button type="button" disabled={!next} onClick={() => setCursors([...cursors, next])}>Older</button>
        </p>
      )}
    </>
  );
}

function Row({ dagId, run, metrics, isChosen, isFull, toggle }: {
  dagId: string;
  run: RunRow;
  metrics: string[];
  isChosen: boolean;
  isFull: boolean;
  toggle: (run: string) => void;
}) {
  const { mark } = run;
  return (
    <tr class={isChosen ? "chosen" : ""}>
      <td>
        <input
          type="checkbox"
          aria-label={`Compare ${mark.dag_run_id}`}
          checked={isChosen}
          disabled={isFull && !isChosen}
          onChange={() => toggle(mark.dag_run_id)}
        />
      </td>
      <th scope="row"><AirflowLink path={runPath(dagId, mark.dag_run_id)}>{mark.dag_run_id}</AirflowLink></th>
      <td><Status state={mark.status} /></td>
      <td>{moment(mark.created_at)}</td>
      <td class="number">{mark.seconds === null ? "" : duration(mark.seconds)}</td>
      <td><Given values={run.parameters} /></td>
      {metrics.map((name) => {
        const value = run.metrics[name];
        return <td key={name} class="number">{value === undefined ? "" : number(value)}</td>;
      })}
      <td>{run.started_by} {run.tags.map((tag) => <span key={tag} class="badge">{tag}</span>)}</td>
    </tr>
  );
}
