import { useState } from "preact/hooks";
import { openAirflow } from "../address";
import { address, ApiError, get, type PostAnswer, send } from "../api/client";
import type { ResumeAnswer, StepOutline } from "../api/schema";
import { useData } from "../api/use_data";
import { Failure, Loading } from "../parts/notes";
import "./resume.css";

const route = "/resume/{dag_id}";
const shownReasons = 20;

interface Place {
  dagId: string;
  runId: string;
}

/** Resumes a run: first what would be taken over, what would run and why, then the start. */
export function Resume({ dagId, runId, steps }: Place & { steps: StepOutline[] }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <section class="resume" aria-label="Resume this run">
      {isOpen ? <Question dagId={dagId} runId={runId} steps={steps} /> : <button type="button" onClick={() => setOpen(true)}>Resume …</button>}
    </section>
  );
}

function Question({ dagId, runId, steps }: Place & { steps: StepOutline[] }) {
  const [step, setStep] = useState("");
  const [until, setUntil] = useState("");
  const [rerunChanged, setRerunChanged] = useState(false);
  const query = { origin: runId, step, rerun_changed: rerunChanged, ...(until && { until }) };
  const key = [dagId, runId, step, until, rerunChanged].join(" ");
  const plan = useData(key, (signal) => get(route, { path: { dag_id: dagId }, query }, signal));
  return (
    <>
      <h2>Resume this run</h2>
      <p class="muted">A new run of the DAG takes over what has finished here, and runs the rest with the code that is deployed now.</p>
      <p class="resume-choices">
        <label>
          Run again{" "}
          <select value={step} onChange={(event) => setStep(event.currentTarget.value)}>
            <option value="">what has not finished</option>
            {steps.map((one) => <option key={one.name} value={one.name}>{one.name} and all that follows it</option>)}
          </select>
        </label>
        <label>
          <input type="checkbox" checked={rerunChanged} onChange={(event) => setRerunChanged(event.currentTarget.checked)} />
          {" "}and steps whose code has changed
        </label>
        <label>
          Stop after{" "}
          <select value={until} onChange={(event) => setUntil(event.currentTarget.value)}>
            <option value="">the end</option>
            {steps.map((one) => <option key={one.name} value={one.name}>{one.name}</option>)}
          </select>
        </label>
      </p>
      {plan.error && <Failure error={plan.error} retry={plan.reload} />}
      {plan.data ? <Plan plan={plan.data} /> : !plan.error && <Loading lines={3} />}
      {plan.data && <Start key={key} dagId={dagId} question={query} />}
    </>
  );
}

function Plan({ plan }: { plan: ResumeAnswer }) {
  const taken = Object.entries(plan.taken_over).map(([step, count]) => `${step} (${count.toLocaleString("en-US")})`);
  const reasons = Object.entries(plan.runs);
  const more = reasons.length - shownReasons + (plan.more ?? 0);
  return (
    <dl class="resume-plan">
      <dt>Takes over</dt>
      <dd>{taken.join(", ") || "nothing"}</dd>
      {plan.changed?.length ? <><dt>Although their code has changed</dt><dd>{plan.changed.join(", ")}</dd></> : null}
      <dt>Runs</dt>
      <dd>
        {reasons.length ? null : "the end only, as everything has finished"}
        <ul>
          {reasons.slice(0, shownReasons).map(([task, reason]) => <li key={task}><code>{task}</code>, which {reason}</li>)}
          {more > 0 ? <li>and {more.toLocaleString("en-US")} more</li> : null}
          {reasons.length ? <li class="muted">and all that follows</li> : null}
        </ul>
      </dd>
    </dl>
  );
}

function Start({ dagId, question }: { dagId: string; question: { origin: string; step: string; rerun_changed: boolean; until?: string } }) {
  const [isAsked, setAsked] = useState(false);
  const [started, setStarted] = useState<PostAnswer<typeof route> | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const start = async () => {
    setAsked(true);
    setError(null);
    try {
      setStarted(await send("POST", address(route, { dag_id: dagId }), { ...question, step: question.step || null }));
    } catch (problem) {
      setError(problem instanceof ApiError ? problem : new ApiError(0, String(problem)));
      setAsked(false);
    }
  };
  const page = started && `/dags/${encodeURIComponent(dagId)}/runs/${encodeURIComponent(started.dag_run_id)}`;
  return (
    <div role="status">
      {error && <Failure error={error} />}
      {started && page ? (
        <p>
          Started the DAG run <code>{started.dag_run_id}</code>. {started.paused ? "It waits, as the DAG is paused. " : ""}
          <button type="button" onClick={() => openAirflow(page)}>Open it</button>
        </p>
      ) : (
        <button type="button" disabled={isAsked} onClick={() => void start()}>Start the resumed run</button>
      )}
    </div>
  );
}
