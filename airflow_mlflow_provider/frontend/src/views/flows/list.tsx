import { useRef, useState } from "preact/hooks";
import { moment } from "../../shared/format";
import { get } from "../api/client";
import type { FlowPage, FlowRow } from "../api/schema";
import { useData } from "../api/use_data";
import { AirflowLink, flowPath } from "../parts/link";
import { RunMarks } from "../parts/marks";
import { Failure, Loading, Nothing } from "../parts/notes";
import { Status } from "../parts/status";

/** The flows with their last runs, a page at a time. */
export function FlowList({ text, filter }: { text: string; filter: (text: string) => void }) {
  const [cursors, setCursors] = useState<string[]>([""]);
  const cursor = cursors.at(-1) ?? "";
  const page = useData(
    `flows ${cursor} ${text}`,
    (signal) => get("/api/flows", { path: {}, query: { text, cursor, limit: 20 } }, signal),
    15,
  );
  // What was there stays until what was asked for is there: nothing jumps while somebody types.
  const last = useRef<FlowPage | null>(null);
  last.current = page.data ?? last.current;
  const shown = last.current;
  const narrow = (given: string) => {
    setCursors([""]);
    filter(given);
  };
  return (
    <>
      <p class="bar">
        <input type="search" aria-label="Show only flows whose name, text, owner or tag holds" placeholder="Filter flows" value={text} onInput={(event) => narrow(event.currentTarget.value)} />
        {shown && <span class="muted" role="status">{shown.total.toLocaleString("en-US")} {shown.total === 1 ? "flow" : "flows"}</span>}
      </p>
      {page.error && !shown ? <Failure error={page.error} retry={page.reload} /> : null}
      {!shown && !page.error ? <Loading lines={10} label="Loading the flows" /> : null}
      {shown && shown.flows.length === 0 && (
        <Nothing>{text ? "No flow matches." : <>No flow is deployed yet: <code>python my_flow.py airflow create</code> deploys one.</>}</Nothing>
      )}
      {shown && shown.flows.length > 0 && (
        <>
          <div class="scroll" role="group" aria-label="Flows" tabIndex={0}>
            <table class="flows">
              <thead><tr><th scope="col">Flow</th><th scope="col">Last runs</th><th scope="col">Latest</th><th scope="col">Schedule</th><th scope="col">Owner, tags</th></tr></thead>
              <tbody>{shown.flows.map((flow) => <Row key={flow.dag_id} flow={flow} />)}</tbody>
            </table>
          </div>
          <Pages before={cursors.length > 1 ? () => setCursors(cursors.slice(0, -1)) : null} after={shown.next ? () => setCursors([...cursors, shown?.next ?? ""]) : null} />
        </>
      )}
    </>
  );
}

function Row({ flow }: { flow: FlowRow }) {
  const [latest] = flow.runs;
  return (
    <tr>
      <th scope="row">
        <AirflowLink path={flowPath(flow.dag_id)}>{flow.dag_id}</AirflowLink>
        {flow.flow !== flow.dag_id && <span class="muted"> {flow.flow}</span>}
        <div class="muted flow-doc">{flow.doc || `${flow.step_count} steps`}</div>
      </th>
      <td>{latest ? <RunMarks dagId={flow.dag_id} runs={flow.runs} /> : <span class="muted">none</span>}</td>
      <td>{latest && <><Status state={latest.status} /><div class="muted">{moment(latest.created_at)}</div></>}</td>
      <td>{flow.schedule || <span class="muted">none</span>}</td>
      <td>{flow.owner} {flow.tags.map((tag) => <span key={tag} class="badge">{tag}</span>)}</td>
    </tr>
  );
}

function Pages({ before, after }: { before: (() => void) | null; after: (() => void) | null }) {
  if (!before && !after) return null;
  return (
    <p class="bar below">
      <button type="button" disabled={!before} onClick={() => before?.()}>Before</button>
      <button type="button" disabled={!after} onClick={() => after?.()}>Next</button>
    </p>
  );
}
