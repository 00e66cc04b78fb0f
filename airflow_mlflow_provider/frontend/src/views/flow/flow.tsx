import { useViewState } from "../address";
import { Tabs } from "../parts/tabs";
import { Comparison } from "./comparison";
import { Overview } from "./overview";
import { Reuse } from "./reuse";
import { Runs } from "./runs";
import { Trend } from "./trend";
import "../parts/bar.css";
import "./flow.css";

const names = { card: "Overview", runs: "Runs", compare: "Compare", trend: "Trends", cache: "Cache" };

/** The tab of a DAG: what the flow is, its runs, and how they compare. */
export function FlowTab({ dagId }: { dagId: string }) {
  const [state, change] = useViewState();
  const shown = state["show"] && state["show"] in names ? state["show"] : "card";
  const chosen = (state["runs"] ?? "").split(" ").filter(Boolean);
  const choose = (runs: string[]) => change({ runs: runs.join(" ") }, { replace: true });
  return (
    <>
      <h1 class="sr-only">Flow {dagId}</h1>
      <Tabs names={names} chosen={shown} choose={(show) => change({ show })} label="Parts of the flow">
        {shown === "card" && <Overview dagId={dagId} />}
        {shown === "runs" && <Runs dagId={dagId} chosen={chosen} choose={choose} compare={() => change({ show: "compare" })} />}
        {shown === "compare" && <Comparison dagId={dagId} chosen={chosen} choose={choose} pick={() => change({ show: "runs" })} />}
        {shown === "trend" && (
          <Trend
            dagId={dagId}
            chosen={{ step: state["step"] ?? "", name: state["name"] ?? "", last: Number(state["last"]) || 30 }}
            choose={({ step, name, last }) => change({ step, name, last: last === 30 ? "" : String(last) }, { replace: true })}
          />
        )}
        {shown === "cache" && <Reuse dagId={dagId} />}
      </Tabs>
    </>
  );
}
