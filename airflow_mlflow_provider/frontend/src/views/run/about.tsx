import type { Json } from "../../card/document";
import { DataView } from "../../shared/data";
import type { RunView } from "../api/schema";
import { Origin } from "./head";

/** Where the run came from, and where it ran. */
export function About({ run }: { run: RunView }) {
  const facts = Object.entries(run.environment);
  return (
    <>
      <section class="section" aria-label="Lineage">
        <h2>Where it comes from</h2>
        <dl class="facts">
          <div><dt>Pathspec</dt><dd><code>{run.pathspec}</code></dd></div>
          <div><dt>DAG run</dt><dd><code>{run.dag_id}</code> / <code>{run.dag_run_id}</code></dd></div>
          <div><dt>Resumes</dt><dd>{run.origin ? <Origin run={run} /> : <span class="muted">no other run</span>}</dd></div>
          <div><dt>Code</dt><dd>{run.code ? <code>{run.code}</code> : <span class="muted">that of the DAG bundle</span>}</dd></div>
        </dl>
        {Object.keys(run.trigger).length > 0 && (
          <>
            <h2>Events that started it</h2>
            <DataView data={run.trigger as Json} copy={false} />
          </>
        )}
      </section>
      <section class="section" aria-label="Environment">
        <h2>Where it runs</h2>
        <dl class="facts">{facts.map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}</dl>
      </section>
    </>
  );
}
