import { Chart } from "../../card/chart";
import { moment, number } from "../../shared/format";
import { get } from "../api/client";
import type { TrendView } from "../api/schema";
import { useData } from "../api/use_data";
import { AirflowLink, runPath } from "../parts/link";
import { Failure, Loading, Nothing } from "../parts/notes";

export interface Followed {
  step: string;
  name: string;
  last: number;
}

/** How a number among the flow's artifacts went over its last runs. */
export function Trend({ dagId, chosen, choose }: { dagId: string; chosen: Followed; choose: (followed: Followed) => void }) {
  const path = { dag_id: dagId };
  const names = useData(`numbers ${dagId}`, (signal) => get("/api/dags/{dag_id}/numbers", { path }, signal));
  const steps = Object.entries(names.data?.steps ?? {});
  const last = steps.at(-1);
  const step = chosen.step || last?.[0] || "";
  const name = chosen.name || last?.[1][0] || "";
  const trend = useData(step && name ? `trend ${dagId} ${step} ${name} ${chosen.last}` : null, (signal) =>
    get("/api/dags/{dag_id}/trend", { path, query: { step, name, runs: chosen.last } }, signal));
  const error = names.error ?? trend.error;
  if (error) return <Failure error={error} retry={names.error ? names.reload : trend.reload} />;
  if (!names.data) return <Loading lines={8} label="Loading the numbers" />;
  if (steps.length === 0) return <Nothing>No artifact of the flow's last runs is a number.</Nothing>;
  const pick = (value: string) => {
    const [of = "", ...rest] = value.split(" ");
    choose({ ...chosen, step: of, name: rest.join(" ") });
  };
  return (
    <>
      <p class="bar">
        <label>
          Number{" "}
          <select value={`${step} ${name}`} onChange={(event) => pick(event.currentTarget.value)}>
            {steps.map(([of, numbers]) => (
              <optgroup key={of} label={of}>
                {numbers.map((one) => <option key={one} value={`${of} ${one}`}>{of}.{one}</option>)}
              </optgroup>
            ))}
          </select>
        </label>
        <label>
          Last{" "}
          <select value={String(chosen.last)} onChange={(event) => choose({ step, name, last: Number(event.currentTarget.value) })}>
            {[10, 30, 100, 200].map((count) => <option key={count} value={String(count)}>{count} runs</option>)}
          </select>
        </label>
      </p>
      {trend.data ? <Drawn dagId={dagId} trend={trend.data} /> : <Loading lines={8} label="Loading the trend" />}
    </>
  );
}

function Drawn({ dagId, trend }: { dagId: string; trend: TrendView }) {
  if (trend.points.length === 0) return <Nothing>None of these runs set {trend.step}.{trend.name}.</Nothing>;
  return (
    <>
      <Chart spec={specOf(trend)} controls />
      <details>
        <summary>The same as a table</summary>
        <div class="scroll" role="group" aria-label="Values" tabIndex={0}>
          <table>
            <thead><tr><th scope="col">Run</th><th scope="col">Started</th><th scope="col" class="number">{trend.name}</th><th scope="col">Tasks</th></tr></thead>
            <tbody>
              {[...trend.points].reverse().map((point) => (
                <tr key={point.run}>
                  <th scope="row"><AirflowLink path={runPath(dagId, point.dag_run_id)}>{point.dag_run_id}</AirflowLink></th>
                  <td>{moment(point.created_at)}</td>
                  <td class="number">{number(point.mean)}</td>
                  <td>{point.tasks > 1 ? `${point.tasks}: ${number(point.lowest)} to ${number(point.highest)}` : "1"}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </>
  );
}

function specOf({ step, name, points }: TrendView): Record<string, unknown> {
  const many = points.some((point) => point.tasks > 1);
  const x = { field: "started", type: "temporal", title: null, axis: { format: "%b %d %H:%M", tickCount: 6, labelOverlap: true } };
  const scale = { zero: false };
  const line = {
    mark: { type: "line", point: { size: 60 }, tooltip: true },
    encoding: {
      x,
      y: { field: "mean", type: "quantitative", title: many ? `${name}, mean of the tasks` : name, scale },
      tooltip: [{ field: "run" }, { field: "mean", type: "quantitative", title: name }, { field: "lowest", type: "quantitative" }, { field: "highest", type: "quantitative" }],
    },
  };
  const band = {
    mark: { type: "area", opacity: 0.2 },
    encoding: { x, y: { field: "lowest", type: "quantitative", scale }, y2: { field: "highest" } },
  };
  return {
    description: `${step}.${name} over ${points.length} runs`,
    width: 760,
    height: 320,
    data: { values: points.map((point) => ({ ...point, run: point.dag_run_id, started: point.created_at * 1000 })) },
    layer: many ? [band, line] : [line],
  };
}
