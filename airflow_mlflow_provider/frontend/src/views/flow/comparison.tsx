import { useState } from "preact/hooks";
import { duration, moment } from "../../shared/format";
import { get } from "../api/client";
import type { ComparedRow, RunMark } from "../api/schema";
import { useData } from "../api/use_data";
import { AirflowLink, runPath } from "../parts/link";
import { Failure, Loading, Nothing } from "../parts/notes";
import { Status } from "../parts/status";
import { inOneLine } from "../parts/values";
import { most } from "./runs";

/** The chosen runs side by side; without a choice, the newest two. */
export function Comparison({ dagId, chosen, choose, pick }: {
  dagId: string;
  chosen: string[];
  choose: (runs: string[]) => void;
  pick: () => void;
}) {
  const [onlyDiffering, setOnlyDiffering] = useState(false);
  const path = { dag_id: dagId };
  const newest = useData(chosen.length ? null : `newest ${dagId}`, (signal) =>
    get("/api/dags/{dag_id}/runs", { path, query: { limit: 2 } }, signal));
  const run = (chosen.length ? chosen : (newest.data?.runs ?? []).map((one) => one.mark.dag_run_id)).slice(0, most);
  const found = useData(run.length ? `compare ${run.join(" ")}` : null, (signal) =>
    get("/api/dags/{dag_id}/comparison", { path, query: { run } }, signal));
  const error = newest.error ?? found.error;
  if (error) return <Failure error={error} retry={found.reload} />;
  if (newest.data && run.length === 0) return <Nothing>The flow has not run yet as this DAG.</Nothing>;
  if (!found.data) return <Loading lines={10} label="Loading the comparison" />;
  const { runs, parameters, metrics, seconds, circumstances } = found.data;
  const leave = (gone: string) => choose(run.filter((one) => one !== gone));
  return (
    <>
      <p class="bar">
        <button type="button" onClick={pick}>Choose runs …</button>
        <label><input type="checkbox" checked={onlyDiffering} onChange={() => setOnlyDiffering(!onlyDiffering)} /> Only what differs</label>
        {!chosen.length && <span class="muted">The newest two runs.</span>}
      </p>
      <div class="scroll" role="group" aria-label="Runs side by side" tabIndex={0}>
        <table class="compared">
          <thead>
            <tr>
              <td />
              {runs.map((mark) => <Head key={mark.run} dagId={dagId} mark={mark} leave={runs.length > 1 ? leave : undefined} />)}
            </tr>
          </thead>
          <Part title="Parameters" rows={parameters} onlyDiffering={onlyDiffering} width={runs.length} />
          <Part title="Numbers of the end step" rows={metrics} onlyDiffering={onlyDiffering} width={runs.length} />
          <Part title="Durations" rows={seconds} onlyDiffering={false} width={runs.length} show={Took} />
          <Part title="Ran with" rows={circumstances} onlyDiffering={onlyDiffering} width={runs.length} />
        </table>
      </div>
    </>
  );
}

function Head({ dagId, mark, leave }: { dagId: string; mark: RunMark; leave: ((run: string) => void) | undefined }) {
  return (
    <th scope="col">
      <AirflowLink path={runPath(dagId, mark.dag_run_id)}>{mark.dag_run_id}</AirflowLink>
      <div><Status state={mark.status} /> {mark.seconds === null ? "" : duration(mark.seconds)}</div>
      <div class="muted">{moment(mark.created_at)}</div>
      {leave && <button type="button" class="small" onClick={() => leave(mark.dag_run_id)} aria-label={`Leave out ${mark.dag_run_id}`}>Leave out</button>}
    </th>
  );
}

type Show = (cell: { value: unknown; row: ComparedRow }) => preact.ComponentChild;

function Value({ value }: { value: unknown }) {
  const text = inOneLine(value);
  return text === "" ? <span class="muted">–</span> : <code>{text}</code>;
}

function Took({ value, row }: { value: unknown; row: ComparedRow }) {
  if (typeof value !== "number") return <span class="muted">–</span>;
  const longest = Math.max(...row.values.map((one) => (typeof one === "number" ? one : 0)), 0.001);
  return (
    <span class="took">
      <span class="took-bar" style={{ width: `${((100 * value) / longest).toFixed(1)}%` }} />
      <span class="took-text">{duration(value)}</span>
    </span>
  );
}

function Part({ title, rows, onlyDiffering, width, show: Cell = Value }: {
  title: string;
  rows: ComparedRow[];
  onlyDiffering: boolean;
  width: number;
  show?: Show;
}) {
  const shown = onlyDiffering ? rows.filter((row) => row.differs) : rows;
  if (rows.length === 0) return null;
  return (
    <tbody>
      <tr class="part"><th scope="rowgroup" colSpan={width + 1}>{title}</th></tr>
      {shown.length === 0 && <tr><td colSpan={width + 1} class="muted">They do not differ.</td></tr>}
      {shown.map((row) => (
        <tr key={row.name} class={row.differs && Cell === Value ? "differs" : ""}>
          <th scope="row">{row.name}{row.differs && Cell === Value && <span class="sr-only"> (differs)</span>}</th>
          {row.values.map((value, index) => <td key={index}><Cell value={value} row={row} /></td>)}
        </tr>
      ))}
    </tbody>
  );
}
