import { useEffect, useState } from "preact/hooks";
import { useViewState } from "../address";
import { get } from "../api/client";
import type { RunProgress, RunView } from "../api/schema";
import { useData } from "../api/use_data";
import { Failure, Loading } from "../parts/notes";
import { Tabs } from "../parts/tabs";
import { TaskPane } from "../task/pane";
import { About } from "./about";
import { RunCards } from "./cards";
import { CodeTab } from "./code";
import { Graph, stateOf } from "./graph";
import { Head } from "./head";
import { Parameters } from "./parameters";
import "./run.css";
import { Tasks } from "./tasks";

const liveSeconds = 3;
const tabs = { tasks: "Tasks", cards: "Cards", parameters: "Parameters", code: "Code", about: "Lineage and environment" };
type TabName = keyof typeof tabs;

/** The tab of a DAG run: the flow's graph, and below it what one asks of a run. */
export function RunPage({ dagId, runId }: { dagId: string; runId: string }) {
  const [state, change] = useViewState();
  const path = { dag_id: dagId, run_id: runId };
  const name = `${dagId} ${runId}`;
  const progress = useProgress(name, path);
  const status = progress.data?.status;
  const run = useData(`${name} ${status === "running" ? "" : (status ?? "")}`, (signal) => get("/api/dags/{dag_id}/runs/{run_id}", { path }, signal));
  if (run.error && !run.data) return <Failure error={run.error} retry={() => { run.reload(); progress.reload(); }} />;
  if (!run.data) return <Loading lines={10} label="Loading the run" />;
  const shown: TabName = state["tab"] && state["tab"] in tabs ? (state["tab"] as TabName) : "tasks";
  const here = state["step"] ?? stepToShow(run.data, progress.data);
  const choose = (step: string) => change({ tab: "", step, task: "", under: "", value: "", only: "", attempt: "", show: "" });
  return (
    <>
      <Head run={run.data} status={status ?? run.data.status} changed={run.reload} />
      <Graph run={run.data} progress={progress.data} here={shown === "tasks" ? here : null} choose={choose} />
      {progress.error && <Failure error={progress.error} retry={progress.reload} />}
      <Tabs names={tabs} chosen={shown} choose={(tab) => change({ tab: tab === "tasks" ? "" : tab })} label="Parts of the run">
        {shown === "tasks" && <StepOrTask run={run.data} progress={progress.data} step={here} />}
        {shown === "cards" && <RunCards run={run.data} running={status === "running"} />}
        {shown === "parameters" && <Parameters run={run.data} />}
        {shown === "code" && <CodeTab run={run.data} />}
        {shown === "about" && <About run={run.data} />}
      </Tabs>
    </>
  );
}

/** How the steps stand; asked again while the run goes on. */
function useProgress(name: string, path: { dag_id: string; run_id: string }) {
  const [isLive, setLive] = useState(true);
  const load = (signal: AbortSignal) => get("/api/dags/{dag_id}/runs/{run_id}/progress", { path }, signal);
  const progress = useData(name, load, isLive ? liveSeconds : null);
  const status = progress.data?.status;
  useEffect(() => setLive(status === undefined || status === "running"), [status]);
  return progress;
}

/** The step to look at first: one that failed, else one that runs, else the last that began. */
function stepToShow(run: RunView, progress: RunProgress | null): string {
  const steps = progress?.steps ?? [];
  const found = steps.find((one) => stateOf(one) === "failed") ?? steps.find((one) => stateOf(one) === "running") ?? steps.at(-1);
  return found?.name ?? run.steps[0]?.name ?? "";
}

function StepOrTask({ run, progress, step: name }: { run: RunView; progress: RunProgress | null; step: string }) {
  const [state, change] = useViewState();
  const step = run.steps.find((one) => one.name === name);
  const task = state["task"];
  if (!step) return <p class="muted">The flow has no step {name}.</p>;
  if (!progress) return <Loading lines={6} label="Loading the steps" />;
  const status = progress.steps.find((one) => one.name === name);
  if (task) {
    const back = <button type="button" class="back" onClick={() => change({ task: "", attempt: "", show: "" })}>‹ Tasks of {name}</button>;
    return <TaskPane key={`${name}/${task}`} place={{ dag_id: run.dag_id, run_id: run.dag_run_id, step: name, task }} toRun={back} choice={null} />;
  }
  return (
    <section aria-label={`Step ${name}`}>
      <div class="step-head">
        <h2>{name}</h2>
        <span class="muted">{step.kind}{step.decorators.length > 0 && ` · ${step.decorators.join(" ")}`}</span>
      </div>
      {step.doc && <p class="step-doc">{step.doc}</p>}
      <Tasks key={name} run={run} step={step} status={status} />
    </section>
  );
}
