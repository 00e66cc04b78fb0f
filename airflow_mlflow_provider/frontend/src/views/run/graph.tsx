import { duration } from "../../shared/format";
import { StepGraph } from "../../shared/graph";
import type { RunProgress, RunView, StepStatus } from "../api/schema";

/** The flow's graph with how each step stands; a click looks at the step's tasks. */
export function Graph({ run, progress, here, choose }: {
  run: RunView;
  progress: RunProgress | null;
  here: string | null;
  choose: (step: string) => void;
}) {
  const known = new Map(progress?.steps.map((step) => [step.name, step]));
  const steps = run.steps.map((step) => {
    const status = known.get(step.name);
    const label = status ? labelOf(status) : step.kind.replace("split-", "");
    return { name: step.name, kind: step.kind, next: step.next, doc: step.doc, label, ...(status && { status: stateOf(status) }) };
  });
  return <StepGraph steps={steps} here={here} chosen={choose} />;
}

/** The state of a step is that of the tasks which want to be looked at first. */
export function stateOf(step: StepStatus): string {
  return ["failed", "interrupted", "running", "caught", "succeeded"].find((state) => step.counts[state]) ?? "";
}

export function countOf(step: StepStatus): number {
  return Object.values(step.counts).reduce((sum, count) => sum + count, 0);
}

function labelOf(step: StepStatus): string {
  const count = countOf(step);
  const ran = step.began_at !== null && step.ended_at !== null && !step.counts["running"] ? duration(Math.max(0, step.ended_at - step.began_at)) : "";
  const taken = step.taken_over === count ? "taken over" : ran;
  return [count > 1 ? `${count.toLocaleString("en-US")} tasks` : "", taken].filter(Boolean).join(" · ") || stateOf(step);
}
