import "./status.css";

const said: Record<string, string> = { caught: "error caught", interrupted: "interrupted" };

/** The state of a run or a task. */
export function Status({ state }: { state: string }) {
  return <span class={`badge ${state}`}>{said[state] ?? state}</span>;
}

/** Counts by state, those that want to be looked at first. */
export function Counts({ counts }: { counts: Record<string, number> }) {
  const order = ["failed", "interrupted", "caught", "running", "succeeded"];
  const shown = order.filter((state) => counts[state]);
  return (
    <span class="counts">
      {shown.map((state) => (
        <span key={state} class={`badge ${state}`}>{(counts[state] ?? 0).toLocaleString("en-US")} {said[state] ?? state}</span>
      ))}
    </span>
  );
}
