import type { ComponentChildren } from "preact";
import { airflowRoot, openAirflow } from "../address";

/** A link to a page of Airflow; it opens in the whole window, which a plain link in our frame could not. */
export function AirflowLink({ path, children, label, class: kind }: {
  path: string;
  children: ComponentChildren;
  label?: string;
  class?: string;
}) {
  const follow = (event: MouseEvent) => {
    event.preventDefault();
    openAirflow(path);
  };
  return <a href={`${airflowRoot()}${path}`} onClick={follow} aria-label={label} class={kind}>{children}</a>;
}

function part(text: string | number): string {
  return encodeURIComponent(String(text));
}

/** Path of the tab of a DAG. */
export function flowPath(dagId: string, state: Record<string, string> = {}): string {
  return `/dags/${part(dagId)}/plugin/flow-overview${behind(state)}`;
}

/** Path of the tab of a DAG run. */
export function runPath(dagId: string, runId: string, state: Record<string, string> = {}): string {
  return `/dags/${part(dagId)}/runs/${part(runId)}/plugin/flow${behind(state)}`;
}

/** Path of the tab of a task instance. */
export function taskPath(dagId: string, runId: string, taskId: string, mapIndex: number, state: Record<string, string> = {}): string {
  const mapped = mapIndex >= 0 ? `/mapped/${mapIndex}` : "";
  return `/dags/${part(dagId)}/runs/${part(runId)}/tasks/${part(taskId)}${mapped}/plugin/step${behind(state)}`;
}

function behind(state: Record<string, string>): string {
  return Object.keys(state).length ? `#${new URLSearchParams(state)}` : "";
}
