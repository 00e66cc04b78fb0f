import { moment } from "../../shared/format";
import { get } from "../api/client";
import type { StepReuseView } from "../api/schema";
import { useData } from "../api/use_data";
import { AirflowLink, runPath } from "../parts/link";
import { Failure, Loading, Nothing } from "../parts/notes";
import { Status } from "../parts/status";

/** What the cache gave to the last runs. */
export function Reuse({ dagId }: { dagId: string }) {
  const path = { dag_id: dagId };
  const found = useData(`reuse ${dagId}`, (signal) => get("/api/dags/{dag_id}/reuse", { path }, signal));
  if (found.error) return <Failure error={found.error} retry={found.reload} />;
  if (!found.data) return <Loading lines={6} label="Loading what the cache gave" />;
  const { steps, runs } = found.data;
  const shown = [...new Set([...steps, ...runs.flatMap((run) => run.steps.map((one) => one.step))])];
  if (shown.length === 0) return <Nothing>No step of the flow has <code>@cache</code>: each run runs all of its steps.</Nothing>;
  if (runs.length === 0) return <Nothing>The flow has not run yet with <code>@cache</code> on {shown.join(", ")}.</Nothing>;
  return (
    <div class="scroll" role="group" aria-label="What the cache gave" tabIndex={0}>
      <table>
        <thead>
          <tr><th scope="col">Run</th><th scope="col">State</th><th scope="col">Started</th>{shown.map((step) => <th key={step} scope="col">{step}</th>)}</tr>
        </thead>
        <tbody>
          {runs.map(({ mark, steps: reused }) => (
            <tr key={mark.run}>
              <th scope="row"><AirflowLink path={runPath(dagId, mark.dag_run_id)}>{mark.dag_run_id}</AirflowLink></th>
              <td><Status state={mark.status} /></td>
              <td>{moment(mark.created_at)}</td>
              {shown.map((step) => <td key={step}><Hits reuse={reused.find((one) => one.step === step)} /></td>)}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Hits({ reuse }: { reuse: StepReuseView | undefined }) {
  if (!reuse || reuse.looked === 0) return <span class="muted">did not look</span>;
  const kind = reuse.hits === reuse.looked ? "succeeded" : reuse.hits ? "caught" : "";
  return (
    <>
      <span class={`badge ${kind}`}>{reuse.hits} of {reuse.looked} reused</span>
      {reuse.why.map((why) => <div key={why} class="muted">{why}</div>)}
    </>
  );
}
