// Vega as a bundle of its own: only a card with a chart needs it. Expressions are interpreted, never compiled, so that a
// page's policy may forbid eval and a chart's specification cannot run code.
import { expressionInterpreter } from "vega-interpreter";
import { Error as onlyErrors, View, type Loader, loader, parse, type Spec } from "vega";
import { compile, type TopLevelSpec } from "vega-lite";

const nothingFromTheNet: Loader = {
  ...loader(),
  load: (address: string) => Promise.reject(new Error(`A card holds its data and does not load ${address}.`)),
  sanitize: (address: string) =>
    /^(?:https?:|data:image\/)/i.test(address) ? Promise.resolve({ href: address }) : Promise.reject(new Error("No such link.")),
};

export interface Drawn {
  picture(kind: "svg" | "png"): Promise<string>;
  remove(): void;
}

/** Draws a Vega or Vega-Lite specification into an element. */
async function draw(element: HTMLElement, spec: Record<string, unknown>, config: Record<string, unknown>): Promise<Drawn> {
  const isVega = String(spec["$schema"] ?? "").includes("/schema/vega/");
  const vega = isVega ? (spec as unknown as Spec) : (compile(spec as unknown as TopLevelSpec, { config }).spec as Spec);
  const runtime = isVega ? parse(vega, config, { ast: true }) : parse(vega, {}, { ast: true });
  const view = new View(runtime, {
    expr: expressionInterpreter,
    loader: nothingFromTheNet,
    logLevel: onlyErrors,
    renderer: "svg",
    container: element,
    hover: true,
  });
  await view.runAsync();
  return {
    picture: (kind) => (kind === "svg" ? view.toSVG().then((svg) => `data:image/svg+xml,${encodeURIComponent(svg)}`) : view.toImageURL("png", 2)),
    remove: () => void view.finalize(),
  };
}

export interface FlowsVega {
  draw: typeof draw;
}

(globalThis as { flowsVega?: FlowsVega }).flowsVega = { draw };
