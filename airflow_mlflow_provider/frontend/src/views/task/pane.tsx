import type { ComponentChild } from "preact";
import { useEffect, useState } from "preact/hooks";
import { duration, moment } from "../../shared/format";
import { useViewState } from "../address";
import { get } from "../api/client";
import type { AttemptView, TaskView } from "../api/schema";
import { useData } from "../api/use_data";
import { Cards } from "../parts/cards";
import { Command } from "../parts/copy";
import { Logs } from "../parts/logs";
import { Failure, Loading } from "../parts/notes";
import { Status } from "../parts/status";
import { Tabs } from "../parts/tabs";
import { Artifacts } from "./artifacts";
import { Environment } from "./circumstances";
import { Inputs } from "./inputs";
import { Origin } from "./origin";

export interface TaskAddress {
  dag_id: string;
  run_id: string;
  step: string;
  task: string;
}

const liveSeconds = 3;
// A task that has ended may be cleared and run again.
const idleSeconds = 20;

/** A task: how its attempts went, what it made, what it started from, where it ran. */
export function TaskPane({ place, toRun, choice }: { place: TaskAddress; toRun: ComponentChild; choice: ComponentChild }) {
  const [state, change] = useViewState();
  const name = JSON.stringify(place);
  const [every, setEvery] = useState(liveSeconds);
  const task = useData(name, (signal) => get("/api/dags/{dag_id}/runs/{run_id}/steps/{step}/tasks/{task}", { path: place }, signal), every);
  const now = task.data?.row.state;
  useEffect(() => setEvery(now === undefined || now === "running" ? liveSeconds : idleSeconds), [now]);
  const attempts = task.data?.attempts ?? [];
  const attempt = attempts.find((one) => String(one.attempt) === state["attempt"]) ?? attempts.at(-1);
  const about = useData(attempt ? `${name} ${attempt.attempt} ${attempt.state}` : null, (signal) =>
    get("/api/dags/{dag_id}/runs/{run_id}/steps/{step}/tasks/{task}/attempts/{attempt}/circumstances",
      { path: { ...place, attempt: attempt?.attempt ?? 0 } }, signal));
  if (task.error && !task.data) return <Failure error={task.error} retry={task.reload} />;
  if (!task.data) return <Loading lines={10} label="Loading the task" />;
  const names = { artifacts: "Artifacts", cards: "Cards", logs: "Logs", inputs: "Inputs", environment: "Environment" };
  const shown = state["show"] && state["show"] in names ? (state["show"] as keyof typeof names) : attempt?.cards.length ? "cards" : "artifacts";
  return (
    <>
      <Head task={task.data} toRun={toRun} choice={choice} />
      {about.data && <Origin about={about.data} />}
      {about.data && (
        <section class="spin" aria-label="Run this step again on your machine">
          <p class="muted">{about.data.spin ? "Run this step again on your machine, on the same inputs:" : about.data.spin_note}</p>
          {about.data.spin && <Command text={about.data.spin} label="Command that runs this step on your machine" />}
          {about.data.spin && <p class="muted">{about.data.spin_note}</p>}
        </section>
      )}
      <Attempts attempts={attempts} chosen={attempt} choose={(number) => change({ attempt: String(number) })} />
      {attempt?.error && <ErrorOf attempt={attempt} />}
      <Tabs names={names} chosen={shown} choose={(show) => change({ show })} label="Parts of the task">
        {shown === "artifacts" && <Artifacts place={place} state={task.data.row.state} />}
        {shown === "cards" && attempt && <Cards place={{ ...place, attempt: attempt.attempt }} running={attempt.state === "running"} />}
        {shown === "logs" && attempt && <Logs place={{ ...place, attempt: attempt.attempt }} streams={attempt.logs} running={attempt.state === "running"} />}
        {shown === "inputs" && <Inputs place={place} task={task.data} />}
        {shown === "environment" && (about.data ? <Environment about={about.data} task={task.data} /> : <Loading lines={6} />)}
      </Tabs>
    </>
  );
}

function Head({ task, toRun, choice }: { task: TaskView; toRun: ComponentChild; choice: ComponentChild }) {
  const { row } = task;
  const [, , step, id] = task.pathspec.split("/");
  return (
    <header class="task-head">
      <h1>{step}/{id} <Status state={row.state} /></h1>
      <p class="muted">
        {toRun}
        {row.began_at !== null && ` · ${moment(row.began_at)}`}
        {row.seconds !== null && ` · took ${duration(row.seconds)}`}
        {task.followed_by.length > 0 && ` · followed by ${task.followed_by.join(", ")}`}
      </p>
      {row.labels.length > 0 && (
        <p class="splits" aria-label="Splits of the foreach that it runs in">
          {row.labels.map((one) => (
            <span key={one.step} class="split"><span class="muted">{one.var ?? one.step}[{one.index}]</span> {one.label}</span>
          ))}
          {row.iteration !== null && <span class="split"><span class="muted">iteration</span> {row.iteration}</span>}
        </p>
      )}
      {choice}
    </header>
  );
}

function Attempts({ attempts, chosen, choose }: { attempts: AttemptView[]; chosen: AttemptView | undefined; choose: (number: number) => void }) {
  if (attempts.length < 2) return null;
  return (
    <p class="bar attempts" role="group" aria-label="Attempts">
      {attempts.map((one) => (
        <button key={one.attempt} type="button" aria-pressed={one === chosen} onClick={() => choose(one.attempt)}>
          Attempt {one.attempt} <Status state={one.state} /> {one.seconds === null ? "" : duration(one.seconds)}
        </button>
      ))}
    </p>
  );
}

function ErrorOf({ attempt }: { attempt: AttemptView }) {
  return (
    <div class="task-error" role="group" aria-label="Why the attempt failed">
      <p>{attempt.error}</p>
      {attempt.traceback && <details><summary>Traceback</summary><pre tabIndex={0} role="group" aria-label="Traceback">{attempt.traceback}</pre></details>}
    </div>
  );
}
