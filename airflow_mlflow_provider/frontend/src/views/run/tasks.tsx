import { useEffect, useRef, useState } from "preact/hooks";
import { duration } from "../../shared/format";
import { useViewState } from "../address";
import { get } from "../api/client";
import type { RunView, SplitRow, StepOutline, StepStatus, TaskPage, TaskRow } from "../api/schema";
import { usePages } from "../api/use_pages";
import { Failure, Loading, Nothing } from "../parts/notes";
import { Counts, Status } from "../parts/status";
import { countOf } from "./graph";
import "./tasks.css";

const route = "/api/dags/{dag_id}/runs/{run_id}/steps/{step}/tasks";
const states = ["failed", "interrupted", "caught", "running", "succeeded"];
const pageSize = 50;

/** The tasks of a step: those that failed first, found by value and state, those of one split at a time where splits lie in splits. */
export function Tasks({ run, step, status }: { run: RunView; step: StepOutline; status: StepStatus | undefined }) {
  const [state, change] = useViewState();
  const { under = "", value = "", only = "" } = state;
  const pages = useTasks(run, step.name, { under, value, only }, status);
  const first = pages.shown[0];
  const tasks = pages.shown.flatMap((page) => page.tasks);
  const splits = pages.shown.flatMap((page) => page.splits);
  if (!status) return <Nothing>The step has not begun.</Nothing>;
  return (
    <>
      <div class="bar">
        {step.frames.length > 0 && <Search key={step.name} value={value} search={(text) => change({ value: text, under: "" }, { replace: true })} frames={step.frames} />}
        <States status={status} only={only} choose={(one) => change({ only: one })} />
        <span class="muted" role="status">{first ? said(first, splits.length > 0) : ""}</span>
      </div>
      {under && <Trail under={under} first={first} leave={(up) => change({ under: up })} />}
      {pages.error && <Failure error={pages.error} retry={pages.more} />}
      {!first && !pages.error && <Loading lines={6} label="Loading the tasks" />}
      {first && first.total === 0 && <Nothing>{value || only ? "No task is like that." : "No task has begun."}</Nothing>}
      {splits.length > 0 && <Splits rows={splits} enter={(one) => change({ under: one })} />}
      {tasks.length > 0 && <Rows rows={tasks} skip={under ? under.split("-").length : 0} open={(task) => change({ task, attempt: "", show: "" })} />}
      {pages.next && <button type="button" disabled={pages.busy} onClick={pages.more}>Show more</button>}
    </>
  );
}

/** The pages of tasks; while the run goes on, the first page is loaded anew whenever the counts change, unless more is shown. */
function useTasks(run: RunView, step: string, asked: { under: string; value: string; only: string }, status: StepStatus | undefined) {
  const path = { dag_id: run.dag_id, run_id: run.dag_run_id, step };
  const what = JSON.stringify([path, asked]);
  const version = useRef({ what, counts: "" });
  const counts = JSON.stringify(status?.counts ?? null);
  const loaded = useRef<{ what: string; pages: TaskPage[] }>({ what, pages: [] });
  const holds = loaded.current.what === what && loaded.current.pages.length > 1;
  if (version.current.what !== what || !holds) version.current = { what, counts };
  const query = { under: asked.under, value: asked.value, state: asked.only ? [asked.only] : [], limit: pageSize };
  const pages = usePages(`${what} ${version.current.counts}`, (cursor, signal) => get(route, { path, query: { ...query, cursor } }, signal));
  if (pages.pages.length > 0 || loaded.current.what !== what) loaded.current = { what, pages: pages.pages };
  // What was there stays until what is new is there: nothing jumps.
  return { ...pages, shown: loaded.current.pages };
}

function said(page: TaskPage, isSplits: boolean): string {
  const what = isSplits ? "split" : "task";
  return `${page.total.toLocaleString("en-US")} ${what}${page.total === 1 ? "" : "s"}`;
}

function Search({ value, search, frames }: { value: string; search: (text: string) => void; frames: string[] }) {
  const [text, setText] = useState(value);
  useEffect(() => {
    if (text === value) return undefined;
    const timer = setTimeout(() => search(text), 250);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <input
      type="search"
      value={text}
      maxLength={100}
      placeholder="Find by value or task id"
      aria-label={`Find tasks by the value of ${frames.length > 1 ? "a split" : "their split"} or by task id`}
      onInput={(event) => setText(event.currentTarget.value)}
    />
  );
}

function States({ status, only, choose }: { status: StepStatus; only: string; choose: (state: string) => void }) {
  if (countOf(status) < 2) return null;
  return (
    <span class="task-states" role="group" aria-label="Only tasks in this state">
      {states.filter((one) => status.counts[one] || one === only).map((one) => (
        <button key={one} type="button" class={`badge ${one}`} aria-pressed={one === only} onClick={() => choose(one === only ? "" : one)}>
          {(status.counts[one] ?? 0).toLocaleString("en-US")} {one}
        </button>
      ))}
    </span>
  );
}

function Trail({ under, first, leave }: { under: string; first: TaskPage | undefined; leave: (up: string) => void }) {
  const parts = under.split("-");
  const labels = first?.tasks[0]?.labels ?? [];
  return (
    <nav class="trail" aria-label="Splits">
      <button type="button" onClick={() => leave("")}>All splits</button>
      {parts.map((part, level) => {
        const name = labels[level]?.label ?? part;
        const here = level === parts.length - 1;
        return (
          <span key={part}>
            <span class="muted" aria-hidden="true"> › </span>
            {here ? <strong aria-current="page">{name}</strong> : <button type="button" onClick={() => leave(parts.slice(0, level + 1).join("-"))}>{name}</button>}
          </span>
        );
      })}
    </nav>
  );
}

function Splits({ rows, enter }: { rows: SplitRow[]; enter: (under: string) => void }) {
  return (
    <div class="scroll" role="group" aria-label="Splits" tabIndex={0}>
      <table class="tasks">
        <thead><tr><th scope="col">Split of {rows[0]?.label.var ?? rows[0]?.label.step}</th><th scope="col">Tasks</th></tr></thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.under}>
              <th scope="row">
                <button type="button" class="row-link" onClick={() => enter(row.under)}>
                  <span class="muted">{row.label.index}</span> {row.label.label}
                </button>
              </th>
              <td><Counts counts={row.counts} /></td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Rows({ rows, skip, open }: { rows: TaskRow[]; skip: number; open: (task: string) => void }) {
  const longest = Math.max(...rows.map((row) => row.seconds ?? 0), 0.001);
  return (
    <div class="scroll" role="group" aria-label="Tasks" tabIndex={0}>
      <table class="tasks">
        <thead>
          <tr><th scope="col">Task</th><th scope="col">State</th><th scope="col" class="number">Took</th><th scope="col"><span class="visually-hidden">Share of the longest</span></th></tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.task}>
              <th scope="row">
                <button type="button" class="row-link" onClick={() => open(row.task)}>
                  <code>{row.task}</code> <Labels row={row} skip={skip} />
                </button>
                {row.error && <div class="row-error">{row.error}</div>}
                {row.origin && <div class="muted">taken over from <code>{row.origin}</code></div>}
              </th>
              <td><Status state={row.state} />{row.attempt > 0 && <span class="muted"> attempt {row.attempt}</span>}</td>
              <td class="number">{row.seconds === null ? "" : duration(row.seconds)}</td>
              <td class="row-bar" aria-hidden="true">{row.seconds !== null && <div class={row.state} style={{ width: `${Math.max(2, (100 * row.seconds) / longest)}%` }} />}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** The foreach stack of a task; the levels that all rows share are left out. */
function Labels({ row, skip }: { row: TaskRow; skip: number }) {
  const labels = row.labels.slice(Math.min(skip, row.labels.length - 1));
  return (
    <>
      {labels.map((one) => (
        <span key={one.step} class="row-label"><span class="muted">{one.var ?? one.step} = </span>{one.label}</span>
      ))}
      {row.iteration !== null && <span class="row-label"><span class="muted">iteration </span>{row.iteration}</span>}
    </>
  );
}
