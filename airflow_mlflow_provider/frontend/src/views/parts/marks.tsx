import { duration, moment } from "../../shared/format";
import type { RunMark } from "../api/schema";
import { AirflowLink, runPath } from "./link";
import "./marks.css";

const low = 8;
const high = 28;

/** The last runs as bars, the newest at the right: as high as they took long, each a link to its run. */
export function RunMarks({ dagId, runs }: { dagId: string; runs: RunMark[] }) {
  const longest = Math.max(...runs.map((run) => run.seconds ?? 0), 0.001);
  return (
    <ol class="run-marks" aria-label="Last runs, the newest last">
      {[...runs].reverse().map((run) => {
        const took = run.seconds === null ? "" : `, took ${duration(run.seconds)}`;
        const said = `${run.status}, ${moment(run.created_at)}${took}`;
        const height = low + (high - low) * ((run.seconds ?? longest) / longest);
        return (
          <li key={run.run}>
            <AirflowLink path={runPath(dagId, run.dag_run_id)} label={`Run ${run.dag_run_id}: ${said}`} class="mark">
              <span class={`mark-bar ${run.status}`} style={{ height: `${height.toFixed(1)}px` }} title={said} />
            </AirflowLink>
          </li>
        );
      })}
    </ol>
  );
}
