import { useEffect, useRef, useState } from "preact/hooks";
import type { Drawn, FlowsVega } from "./vega";

let address: string | null = null;
let loading: Promise<FlowsVega> | null = null;

/** Says where the bundle `vega.js` is; a page that has it inlined need not. */
export function vegaIsAt(url: string): void {
  address = url;
}

function vega(): Promise<FlowsVega> {
  const here = (globalThis as { flowsVega?: FlowsVega }).flowsVega;
  if (here) return Promise.resolve(here);
  loading ??= new Promise<FlowsVega>((resolve, reject) => {
    if (!address) {
      reject(new Error("This page came without its charts."));
      return;
    }
    const script = document.createElement("script");
    script.src = address;
    script.onload = () => vega().then(resolve, reject);
    script.onerror = () => reject(new Error("The charts could not be loaded."));
    document.head.append(script);
  });
  return loading;
}

function colours(): Record<string, unknown> {
  const style = getComputedStyle(document.documentElement);
  const [text, line, muted] = ["--text", "--line", "--muted"].map((name) => style.getPropertyValue(name).trim());
  const axis = { labelColor: text, titleColor: text, gridColor: line, domainColor: muted, tickColor: muted };
  return {
    background: "transparent",
    font: "system-ui, sans-serif",
    axis,
    legend: { labelColor: text, titleColor: text },
    title: { color: text, subtitleColor: muted },
    header: { labelColor: text, titleColor: text },
    view: { stroke: line },
    text: { color: text },
  };
}

function merged(base: Record<string, unknown>, over: unknown): Record<string, unknown> {
  if (typeof over !== "object" || over === null) return base;
  const result = { ...base };
  for (const [name, value] of Object.entries(over)) {
    const below = result[name];
    const isPlain = typeof below === "object" && below !== null && typeof value === "object" && !Array.isArray(value);
    result[name] = isPlain ? merged(below as Record<string, unknown>, value) : value;
  }
  return result;
}

/** A chart by Vega or Vega-Lite; drawn anew when its specification or the theme changes. */
export function Chart({ spec, controls }: { spec: Record<string, unknown>; controls: boolean }) {
  const place = useRef<HTMLDivElement>(null);
  const drawn = useRef<Drawn | null>(null);
  const [failed, setFailed] = useState("");
  const [theme, setTheme] = useState(document.documentElement.dataset["theme"] ?? "light");
  const text = JSON.stringify(spec);

  useEffect(() => {
    const watch = new MutationObserver(() => setTheme(document.documentElement.dataset["theme"] ?? "light"));
    watch.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    return () => watch.disconnect();
  }, []);

  useEffect(() => {
    let stale = false;
    const fresh = document.createElement("div");
    const { config, ...rest } = JSON.parse(text) as Record<string, unknown>;
    vega()
      .then((library) => library.draw(fresh, rest, merged(colours(), config)))
      .then((made) => {
        if (stale) {
          made.remove();
          return;
        }
        drawn.current?.remove();
        drawn.current = made;
        place.current?.replaceChildren(fresh); // the old picture stays until the new one is there: no layout jump
        setFailed("");
      })
      .catch((error: unknown) => stale || setFailed(String(error instanceof Error ? error.message : error)));
    return () => {
      stale = true;
    };
  }, [text, theme]);
  useEffect(() => () => drawn.current?.remove(), []);

  const save = (kind: "svg" | "png") => {
    void drawn.current?.picture(kind).then((url) => {
      const link = document.createElement("a");
      link.href = url;
      link.download = `chart.${kind}`;
      link.click();
    });
  };
  const description = spec["description"] ?? (typeof spec["title"] === "string" ? spec["title"] : "Chart");
  return (
    <figure class="chart">
      <div class="scroll" ref={place} role="group" aria-label={String(description)} tabIndex={0} />
      {failed && <p class="chart-error" role="alert">The chart cannot be drawn: {failed}</p>}
      {controls && !failed && (
        <div class="chart-controls">
          <button type="button" onClick={() => save("svg")}>Save as SVG</button>
          <button type="button" onClick={() => save("png")}>Save as PNG</button>
        </div>
      )}
    </figure>
  );
}
