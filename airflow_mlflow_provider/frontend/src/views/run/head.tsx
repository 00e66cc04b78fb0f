import { duration, moment } from "../../shared/format";
import { markdown } from "../../shared/sanitise";
import type { RunView } from "../api/schema";
import { AirflowLink, runPath } from "../parts/link";
import { Status } from "../parts/status";
import { Resume } from "./resume";
import { Tags } from "./tags";
import "./head.css";

/** What run this is, how it stands, its tags, and what can be done with it. */
export function Head({ run, status, changed }: { run: RunView; status: string; changed: () => void }) {
  const [flow, id] = run.pathspec.split("/");
  return (
    <header class="run-head">
      <div class="run-title">
        <h1>{flow} <span class="muted">/</span> <code>{id}</code></h1>
        <Status state={status} />
      </div>
      <p class="muted run-facts">
        {moment(run.created_at)}{run.ended_at !== null && ` · took ${duration(run.ended_at - run.created_at)}`} · by {run.user}
        {run.origin && <> · resumes <Origin run={run} /></>}
      </p>
      {run.reason && status !== "succeeded" && <p class="run-reason">{run.reason}</p>}
      {run.doc && <div class="markdown run-doc" dangerouslySetInnerHTML={{ __html: markdown(run.doc) }} />}
      <Tags key={run.tags.join("\n")} run={run} changed={changed} />
      {run.parts.length > 1 && <Parts run={run} />}
      {run.may_resume && <Resume dagId={run.dag_id} runId={run.dag_run_id} steps={run.steps} />}
    </header>
  );
}

/** The other flows in the same DAG run, where that is not a flow's own. */
function Parts({ run }: { run: RunView }) {
  const shown = new URLSearchParams(location.search).get("part") || run.parts[0];
  return (
    <nav class="run-facts" aria-label="Flows in this DAG run">
      Flows in this DAG run:{" "}
      {run.parts.map((name) => (name === shown ? <b key={name}>{name || "its own steps"} </b> : <a key={name} href={`?part=${encodeURIComponent(name)}`}>{name || "its own steps"} </a>))}
    </nav>
  );
}

/** The run that this one resumes: a link where it is a DAG run that the user may see. */
export function Origin({ run }: { run: RunView }) {
  if (!run.origin) return null;
  const { dag_id: dagId, dag_run_id: runId, pathspec } = run.origin;
  return dagId && runId ? <AirflowLink path={runPath(dagId, runId)}>{pathspec}</AirflowLink> : <code>{pathspec}</code>;
}
