import { get } from "../api/client";
import { useData } from "../api/use_data";
import { Failure, Loading } from "../parts/notes";
import { Status } from "../parts/status";
import { Resume } from "./resume";

/** The tab of a DAG run. */
export function RunPage({ dagId, runId }: { dagId: string; runId: string }) {
  const path = { dag_id: dagId, run_id: runId };
  const run = useData(`${dagId} ${runId}`, (signal) => get("/api/dags/{dag_id}/runs/{run_id}", { path }, signal));
  if (run.error) return <Failure error={run.error} retry={run.reload} />;
  if (!run.data) return <Loading lines={6} />;
  return (
    <>
      <h1>{run.data.pathspec} <Status state={run.data.status} /></h1>
      {run.data.may_resume ? <Resume dagId={dagId} runId={runId} steps={run.data.steps} /> : null}
    </>
  );
}
