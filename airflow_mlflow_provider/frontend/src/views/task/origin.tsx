import type { Circumstances, TaskPlace } from "../api/schema";
import { AirflowLink, taskPath } from "../parts/link";

/** A task, as a link to its tab if it has one. */
export function TaskLink({ place, text }: { place: TaskPlace; text?: string }) {
  const { dag_id: dag, dag_run_id: run, task_id: task, map_index: index = -1 } = place;
  const said = text ?? place.pathspec;
  if (!dag || !run || !task) return <code>{said}</code>;
  const [, , step, id] = place.pathspec.split("/");
  return <AirflowLink path={taskPath(dag, run, task, index, { task: `${step}/${id}` })}>{said}</AirflowLink>;
}

/** That a task did not run here, or that the cache was asked and had nothing. */
export function Origin({ about }: { about: Circumstances }) {
  const { origin, cache } = about;
  if (!origin && !cache) return null;
  return (
    <div class="origin">
      {origin && <p><span class="badge running">taken over</span> A resumed run: this task ran as <TaskLink place={origin} />.</p>}
      {cache?.is_hit && (
        <p><span class="badge succeeded">cache hit</span> {cache.why}{cache.task && <> The result is that of <TaskLink place={cache.task} />.</>}</p>
      )}
      {cache && !cache.is_hit && <p><span class="badge caught">cache miss</span> {cache.why}</p>}
    </div>
  );
}
