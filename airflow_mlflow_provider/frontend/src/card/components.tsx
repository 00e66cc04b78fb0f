import { Component as ViewComponent, type ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { Code } from "../shared/code";
import { DataView } from "../shared/data";
import { bytes, number } from "../shared/format";
import { StepGraph } from "../shared/graph";
import { PreviewView } from "../shared/preview";
import { isPicture, markdown } from "../shared/sanitise";
import { Chart } from "./chart";
import { type ArtifactRow, type Cell, type Component, type ComponentOf, isComponent } from "./document";
import { HtmlFrame } from "./frame";
import { Timeline } from "./timeline";

export function CellView({ cell }: { cell: Cell }) {
  if (isComponent(cell)) return <ComponentView component={cell} />;
  if (cell === null) return <span class="muted">null</span>;
  return <>{typeof cell === "number" ? number(cell) : String(cell)}</>;
}

const rowsFirst = 200;

function Table({ table }: { table: ComponentOf<"table"> }) {
  const [all, showAll] = useState(false);
  const rows = all ? table.rows : table.rows.slice(0, rowsFirst);
  return (
    <div>
      <div class="scroll" role="group" aria-label="Table" tabIndex={0}>
        <table>
          {table.headers.length > 0 && (
            <thead>
              <tr>
                {table.headers.map((head, index) => {
                  if (head === "" || head === null) return <td key={index} />;
                  const kind = typeof rows[0]?.[index] === "number" ? "number" : "";
                  return <th key={index} scope="col" class={kind}><CellView cell={head} /></th>;
                })}
              </tr>
            </thead>
          )}
          <tbody>
            {rows.map((row, index) => (
              <tr key={index}>
                {row.map((cell, at) => <td key={at} class={typeof cell === "number" ? "number" : ""}><CellView cell={cell} /></td>)}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {rows.length < table.rows.length && (
        <button type="button" onClick={() => showAll(true)}>Show all {table.rows.length.toLocaleString("en-US")} rows</button>
      )}
      {table.note && <p class="muted">{table.note}</p>}
    </div>
  );
}

function Picture({ image }: { image: ComponentOf<"image"> }) {
  if (image.error || !isPicture(image.src)) {
    return <p class="muted">{image.error ?? "This picture is not part of the card and is not shown."}</p>;
  }
  return (
    <figure class="picture">
      <img src={image.src} alt={image.label ?? ""} />
      {image.label && <figcaption class="muted">{image.label}</figcaption>}
    </figure>
  );
}

function Progress({ bar }: { bar: ComponentOf<"progress"> }) {
  const share = bar.max > 0 ? Math.min(Math.max(bar.value / bar.max, 0), 1) : 0;
  const unit = bar.unit ? ` ${bar.unit}` : "";
  const text = `${number(bar.value)} of ${number(bar.max)}${unit}`;
  return (
    <div class="progress">
      <div class="progress-text">
        <span>{bar.label ?? "Progress"}</span>
        <span class="muted">{text} · {Math.round(100 * share)} %</span>
      </div>
      <div
        class="progress-track"
        role="progressbar"
        aria-label={bar.label ?? "Progress"}
        aria-valuemin={0}
        aria-valuemax={bar.max}
        aria-valuenow={bar.value}
        aria-valuetext={text}
      >
        <div class="progress-fill" style={{ width: `${100 * share}%` }} />
      </div>
      {bar.metadata && <div class="muted">{bar.metadata}</div>}
    </div>
  );
}

const boxThemes = new Set(["default", "success", "warning", "danger", "bg-gradient-indigo-purple"]);

function ValueBox({ box }: { box: ComponentOf<"value"> }) {
  const theme = box.theme && boxThemes.has(box.theme) ? box.theme : "default";
  return (
    <div class={`value-box value-${theme}`}>
      {box.title && <div class="value-title">{box.title}</div>}
      <div class="value-value">{typeof box.value === "number" ? number(box.value) : String(box.value ?? "")}</div>
      {box.subtitle && <div class="value-title">{box.subtitle}</div>}
      {box.change && <div class="value-change">{box.change}</div>}
    </div>
  );
}

function ArtifactView({ artifact }: { artifact: ArtifactRow }) {
  return (
    <div class="artifact">
      <div><strong>{artifact.name}</strong> <code>{artifact.kind}</code> {artifact.size !== undefined && <span class="muted">{bytes(artifact.size)}</span>}</div>
      {artifact.note ? <div class="muted">{artifact.note}</div> : <PreviewView preview={artifact.preview} />}
    </div>
  );
}

function Artifacts({ items }: { items: ArtifactRow[] }) {
  return (
    <div class="scroll" role="group" aria-label="Artifacts" tabIndex={0}>
      <table>
        <thead><tr><th scope="col">Name</th><th scope="col">Type</th><th scope="col" class="number">Size</th><th scope="col">Value</th></tr></thead>
        <tbody>
          {items.map((one) => (
            <tr key={one.name}>
              <th scope="row">{one.name}</th>
              <td><code>{one.kind}</code></td>
              <td class="number">{one.size === undefined ? "" : bytes(one.size)}</td>
              <td>{one.note ? <span class="muted">{one.note}</span> : <PreviewView preview={one.preview} />}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Failure({ error }: { error: ComponentOf<"error"> }) {
  return (
    <div class="failure" role="group" aria-label={error.title}>
      <strong>{error.title}</strong>
      <p><code>{error.name}</code> {error.message}</p>
      {error.traceback && <details open><summary>Traceback</summary><Code text={error.traceback} language="text" label="Traceback" /></details>}
    </div>
  );
}

function Facts({ items }: { items: [string, Cell][] }) {
  return <dl class="facts">{items.map(([name, value]) => <div key={name}><dt>{name}</dt><dd><CellView cell={value} /></dd></div>)}</dl>;
}

/** Keeps what one component breaks, such as data in a form that was not expected, from the rest of the card. */
class Guard extends ViewComponent<{ what: string; children: ComponentChildren }, { failed: string }> {
  override state = { failed: "" };

  override componentDidCatch(error: unknown): void {
    this.setState({ failed: String(error) });
  }

  override render() {
    if (this.state.failed) return <p class="muted" role="note">This {this.props.what} cannot be shown: {this.state.failed}</p>;
    return this.props.children;
  }
}

/** One component of a card. */
export function ComponentView({ component }: { component: Component }) {
  return <Guard what={component.type}><Shown component={component} /></Guard>;
}

function Shown({ component }: { component: Component }) {
  switch (component.type) {
    case "markdown":
      return <div class="markdown" dangerouslySetInnerHTML={{ __html: markdown(component.text) }} />;
    case "text":
      return <p class="text">{component.text}</p>;
    case "table":
      return <Table table={component} />;
    case "image":
      return <Picture image={component} />;
    case "artifact":
      return <ArtifactView artifact={component} />;
    case "artifacts":
      return <Artifacts items={component.items} />;
    case "error":
      return <Failure error={component} />;
    case "chart":
      return <Chart spec={component.spec} controls={component.controls} />;
    case "progress":
      return <Progress bar={component} />;
    case "value":
      return <ValueBox box={component} />;
    case "code":
      return <Code text={component.text} language={component.language} />;
    case "timeline":
      return <Timeline timeline={component} />;
    case "data":
      return (
        <DataView
          data={component.data}
          format={component.format}
          collapsible={component.collapsible}
          maxHeight={component.max_height ?? null}
          copy={component.copy}
          title={component.title ?? null}
        />
      );
    case "html":
      return <HtmlFrame html={component.html} title="HTML of the card" />;
    case "graph":
      return <StepGraph steps={component.steps} here={component.here ?? null} />;
    case "facts":
      return <Facts items={component.items} />;
    case "section":
      return <Section section={component} />;
    default:
      return <p class="muted">This viewer does not know components of the type {JSON.stringify((component as { type: unknown }).type)}.</p>;
  }
}

function Section({ section }: { section: ComponentOf<"section"> }) {
  const children = <Components components={section.children} />;
  if (section.collapsed) return <details class="section"><summary><h2>{section.title}</h2></summary>{children}</details>;
  return <section class="section" aria-label={section.title}><h2>{section.title}</h2>{children}</section>;
}

/** Components below each other; value boxes that follow one another stand in a row. */
export function Components({ components }: { components: Component[] }) {
  const groups: Component[][] = [];
  for (const one of components) {
    const last = groups.at(-1);
    if (one.type === "value" && last?.[0]?.type === "value") last.push(one);
    else groups.push([one]);
  }
  return (
    <>
      {groups.map((group, index) => (
        <div key={index} class={group[0]?.type === "value" ? "component value-row" : "component"}>
          {group.map((one, at) => <ComponentView key={one.id ?? at} component={one} />)}
        </div>
      ))}
    </>
  );
}
