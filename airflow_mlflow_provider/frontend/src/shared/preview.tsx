import type { Json, Preview, Scalar } from "../card/document";
import { number } from "./format";
import { isPicture } from "./sanitise";
import { Sparkline } from "./spark";
import "./preview.css";

function shown(value: Json): string {
  if (typeof value === "number") return number(value);
  if (typeof value === "string") return value;
  return JSON.stringify(value);
}

function Statistics({ preview }: { preview: Preview }) {
  const named: [string, Scalar | undefined][] = [
    ["min", preview.min], ["mean", preview.mean], ["max", preview.max], ["std", preview.std], ["missing", preview.nulls],
  ];
  const known = named.filter((pair): pair is [string, Scalar] => pair[1] !== undefined && pair[1] !== null);
  if (known.length === 0) return null;
  const of = preview.sampled ? ` (of ${number(preview.sampled)} of them)` : "";
  return <div class="muted">{known.map(([name, value]) => `${name} ${shown(value)}`).join(" · ")}{of}</div>;
}

function ColumnNumbers({ stats }: { stats: [Scalar, Scalar, Scalar, number] | null | undefined }) {
  if (!stats) return null;
  const [low, mean, high, missing] = stats;
  return (
    <span class="muted" title="lowest … highest, mean, missing">
      {shown(low)} … {shown(high)}, ⌀ {shown(mean)}{missing ? `, ${missing} missing` : ""}
    </span>
  );
}

function Frame({ preview }: { preview: Preview }) {
  const columns = preview.columns ?? [];
  const rows = (preview.head ?? []) as Json[][];
  return (
    <div class="scroll" role="group" aria-label="First rows" tabIndex={0}>
      <table class="preview-frame">
        <thead>
          <tr>{columns.map(([name, kind], index) => <th key={index} scope="col">{shown(name)} <small>{kind}</small></th>)}</tr>
        </thead>
        <tbody>
          {preview.stats && (
            <tr class="preview-stats">{columns.map((_, at) => <td key={at}><ColumnNumbers stats={preview.stats?.[at]} /></td>)}</tr>
          )}
          {rows.map((row, index) => <tr key={index}>{row.map((cell, at) => <td key={at}>{shown(cell)}</td>)}</tr>)}
        </tbody>
      </table>
    </div>
  );
}

function inOneLine(preview: Preview): string {
  if (preview.repr !== undefined) return preview.repr;
  const head = preview.head ?? [];
  const parts = head.map((one) => (Array.isArray(one) && one.length === 2 ? `${shown(one[0] ?? null)}: ${shown(one[1] ?? null)}` : shown(one)));
  const more = (preview.len ?? head.length) > head.length ? ", …" : "";
  return head.length ? parts.join(", ") + more : "";
}

/** What was noted of a value when it was saved: a line of text, first rows, a picture, a curve. */
export function PreviewView({ preview }: { preview: Preview | null | undefined }) {
  if (!preview) return <span class="muted">no preview</span>;
  const shape = preview.shape ? preview.shape.map((size) => size.toLocaleString("en-US")).join(" × ") : null;
  const facts = [shape, preview.columns ? null : preview.dtype].filter(Boolean).join(" · ");
  return (
    <div class="preview">
      {facts && <div class="muted">{facts}</div>}
      {preview.image && isPicture(preview.image) && <img class="preview-image" src={preview.image} alt="Small picture of the value" />}
      {preview.columns ? <Frame preview={preview} /> : <code>{inOneLine(preview)}</code>}
      {preview.spark && <Sparkline values={preview.spark} label="Course of the values" />}
      <Statistics preview={preview} />
    </div>
  );
}
