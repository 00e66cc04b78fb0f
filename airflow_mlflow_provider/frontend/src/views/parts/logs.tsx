import { useEffect, useRef, useState } from "preact/hooks";
import { useViewState } from "../address";
import { ApiError, get } from "../api/client";
import type { LogLineView, LogPage } from "../api/schema";
import type { AttemptAddress } from "./cards";
import "./logs.css";
import { Failure, Loading, Nothing } from "./notes";

const route = "/api/dags/{dag_id}/runs/{run_id}/steps/{step}/tasks/{task}/attempts/{attempt}/logs/{stream}";
const liveSeconds = 3;
type Stream = "stdout" | "stderr";

/** The log of an attempt: its end first, what was before on request, what comes while it runs. */
export function Logs({ place, streams, running }: { place: AttemptAddress; streams: string[]; running: boolean }) {
  const [state, change] = useViewState();
  const first: Stream = streams.includes("stdout") || streams.length === 0 ? "stdout" : "stderr";
  const stream: Stream = state["stream"] === "stderr" || state["stream"] === "stdout" ? state["stream"] : first;
  return (
    <>
      <p class="card-choice" role="group" aria-label="Streams of the task">
        {(["stdout", "stderr"] as const).map((one) => (
          <button key={one} type="button" aria-pressed={one === stream} onClick={() => change({ stream: one })}>
            {one}{streams.includes(one) ? "" : " (empty)"}
          </button>
        ))}
      </p>
      <Log key={`${JSON.stringify(place)} ${stream}`} place={place} stream={stream} running={running} />
    </>
  );
}

interface Shown {
  lines: LogLineView[];
  begin: number;
  next: number;
}

function Log({ place, stream, running }: { place: AttemptAddress; stream: Stream; running: boolean }) {
  const [shown, setShown] = useState<Shown | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const ask = (query: { start?: number; end?: number }) => get(route, { path: { ...place, stream }, query });
  const load = (query: { start?: number; end?: number }) => {
    setError(null);
    ask(query).then(
      (page) => setShown((old) => joined(old, page)),
      (problem: unknown) => setError(problem instanceof ApiError ? problem : new ApiError(0, String(problem))),
    );
  };
  const latest = useRef(shown);
  latest.current = shown;
  useEffect(() => load({}), []);
  useEffect(() => {
    if (!running) return undefined;
    const timer = setInterval(() => document.hidden || load(latest.current ? { start: latest.current.next } : {}), liveSeconds * 1000);
    return () => clearInterval(timer);
  }, [running]);
  if (error && !shown) return <Failure error={error} retry={() => load({})} />;
  if (!shown) return <Loading lines={6} label="Loading the log" />;
  if (shown.lines.length === 0 && shown.begin === 0) return <Nothing>{running ? "Nothing yet." : "It wrote nothing here."}</Nothing>;
  return (
    <>
      {error && <Failure error={error} />}
      {shown.begin > 0 && <button type="button" onClick={() => load({ end: shown.begin })}>Earlier lines</button>}
      <div class="log" role="log" aria-label={`Log ${stream}`} aria-live="off" tabIndex={0}>
        {shown.lines.map((line, index) => <Line key={shown.lines.length - index} line={line} />)}
      </div>
    </>
  );
}

function Line({ line }: { line: LogLineView }) {
  const when = new Date(line.time * 1000);
  return (
    <div class={`log-line ${line.source}`}>
      <time dateTime={when.toISOString()} title={when.toISOString()}>{when.toLocaleTimeString(undefined, { hour12: false })}</time>
      <span>{line.text}</span>
    </div>
  );
}

/** What is shown and another page: the one before it, or the one behind it. */
function joined(old: Shown | null, page: LogPage): Shown {
  if (!old) return page;
  if (page.begin >= old.next) return { lines: [...old.lines, ...page.lines], begin: old.begin, next: page.next };
  return page.next <= old.begin ? { lines: [...page.lines, ...old.lines], begin: page.begin, next: old.next } : old;
}
