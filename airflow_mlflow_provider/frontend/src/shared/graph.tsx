import { Graph, layout } from "@dagrejs/dagre";
import "./graph.css";

export interface DrawnStep {
  name: string;
  kind: string;
  next: string[];
  status?: string;
  /** A second line, such as a duration or a count of tasks. */
  label?: string;
  doc?: string;
}

const height = 44;

function widthOf(step: DrawnStep): number {
  return Math.max(90, 26 + 7.6 * Math.max(step.name.length, (step.label ?? step.kind).length * 0.82));
}

function path(points: { x: number; y: number }[]): string {
  const [first, ...rest] = points;
  if (!first) return "";
  const parts = [`M${first.x.toFixed(1)} ${first.y.toFixed(1)}`];
  for (let index = 0; index < rest.length; index += 1) {
    const from = index === 0 ? first : rest[index - 1];
    const to = rest[index];
    if (!from || !to) continue;
    const middle = (from.x + to.x) / 2;
    parts.push(`C${middle.toFixed(1)} ${from.y.toFixed(1)} ${middle.toFixed(1)} ${to.y.toFixed(1)} ${to.x.toFixed(1)} ${to.y.toFixed(1)}`);
  }
  return parts.join("");
}

function placed(steps: DrawnStep[]) {
  const graph = new Graph();
  graph.setGraph({ rankdir: "LR", nodesep: 18, ranksep: 44, marginx: 8, marginy: 8 });
  graph.setDefaultEdgeLabel(() => ({}));
  const known = new Set(steps.map((step) => step.name));
  for (const step of steps) graph.setNode(step.name, { width: widthOf(step), height });
  for (const step of steps) {
    for (const next of step.next) if (known.has(next) && next !== step.name) graph.setEdge(step.name, next);
  }
  layout(graph);
  return graph;
}

function pressed(event: KeyboardEvent, pick: () => void): void {
  if (event.key !== "Enter" && event.key !== " ") return;
  event.preventDefault(); // a space scrolls
  pick();
}

/** The steps of a flow from left to right, `here` marked; with `chosen`, each step can be picked by click or key. */
export function StepGraph({ steps, here, chosen, label = "Graph of the flow" }: {
  steps: DrawnStep[];
  here?: string | null;
  chosen?: (step: string) => void;
  label?: string;
}) {
  const graph = placed(steps);
  const size = graph.graph() as { width: number; height: number };
  return (
    <div class="graph scroll" role="group" aria-label={label} tabIndex={0}>
      <svg width={size.width} height={size.height} viewBox={`0 0 ${size.width} ${size.height}`} role="presentation">
        <defs>
          <marker id="graph-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
            <path d="M0 0L8 4L0 8z" class="graph-head" />
          </marker>
        </defs>
        {graph.edges().map((edge) => (
          <path
            key={`${edge.v} ${edge.w}`}
            class="graph-edge"
            marker-end="url(#graph-arrow)"
            d={path((graph.edge(edge) as { points: { x: number; y: number }[] }).points)}
          />
        ))}
        {steps.map((step) => {
          const at = graph.node(step.name) as { x: number; y: number; width: number };
          const said = [step.name, step.kind, step.status, step.label, step.name === here ? "this step" : ""];
          const pick = chosen ? () => chosen(step.name) : undefined;
          return (
            <g
              key={step.name}
              class={`graph-step ${step.status ?? ""} ${step.name === here ? "here" : ""} ${pick ? "pick" : ""}`}
              transform={`translate(${at.x - at.width / 2} ${at.y - height / 2})`}
              role={pick ? "button" : "img"}
              // Attributes of SVG know no other case: `tabIndex` would let no key get here.
              tabindex={pick ? 0 : -1}
              aria-label={said.filter(Boolean).join(", ")}
              onClick={pick}
              onKeyDown={pick && ((event) => pressed(event, pick))}
            >
              <title>{step.doc || said.filter(Boolean).join(", ")}</title>
              <rect width={at.width} height={height} rx="8" />
              <text x={at.width / 2} y="19" class="graph-name">{step.name}</text>
              <text x={at.width / 2} y="34" class="graph-label">{step.label ?? step.kind}</text>
            </g>
          );
        })}
      </svg>
    </div>
  );
}
