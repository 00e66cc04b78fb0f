import { useState } from "preact/hooks";
import type { Json } from "../card/document";
import { Code } from "./code";
import "./data.css";

const plain = /^[A-Za-z_][\w ./-]*$/;
const taken = /^(?:true|false|null|yes|no|on|off|~)$/i;

function scalar(value: Json): string {
  if (typeof value !== "string") return JSON.stringify(value);
  return plain.test(value) && !taken.test(value) && value.trim() === value ? value : JSON.stringify(value);
}

/** A value as YAML. */
export function yamlOf(value: Json, indent = ""): string {
  if (Array.isArray(value)) {
    if (value.length === 0) return "[]";
    return value.map((one) => `${indent}- ${nested(one, `${indent}  `).trimStart()}`).join("\n");
  }
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value);
    if (entries.length === 0) return "{}";
    return entries.map(([name, one]) => `${indent}${scalar(name)}:${below(one, `${indent}  `)}`).join("\n");
  }
  return scalar(value);
}

function isLong(value: Json): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length > 0;
}

function nested(value: Json, indent: string): string {
  return isLong(value) ? yamlOf(value, indent) : yamlOf(value);
}

function below(value: Json, indent: string): string {
  return isLong(value) ? `\n${yamlOf(value, indent)}` : ` ${yamlOf(value)}`;
}

const shownFirst = 100;

function Node({ name, value, open }: { name?: string; value: Json; open: boolean }) {
  const [all, showAll] = useState(false);
  const label = name === undefined ? null : <span class="data-name">{name}: </span>;
  if (typeof value !== "object" || value === null) {
    const kind = value === null ? "null" : typeof value;
    return <div class="data-leaf">{label}<span class={`data-${kind}`}>{JSON.stringify(value)}</span></div>;
  }
  const entries = Object.entries(value);
  const [left, right] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  if (entries.length === 0) return <div class="data-leaf">{label}{left}{right}</div>;
  const shown = all ? entries : entries.slice(0, shownFirst);
  return (
    <details open={open} class="data-node">
      <summary>{label}<span class="muted">{left} {entries.length} {right}</span></summary>
      <div class="data-inside">
        {shown.map(([key, one]) => <Node key={key} name={key} value={one} open={false} />)}
        {shown.length < entries.length && (
          <button type="button" onClick={() => showAll(true)}>Show all {entries.length}</button>
        )}
      </div>
    </details>
  );
}

/** JSON as a tree that opens and closes, or as text in JSON or YAML. */
export function DataView({ data, format = "json", collapsible = true, maxHeight, copy = true, title }: {
  data: Json;
  format?: "json" | "yaml";
  collapsible?: boolean;
  maxHeight?: string | null;
  copy?: boolean;
  title?: string | null;
}) {
  const [copied, setCopied] = useState(false);
  const text = format === "yaml" ? yamlOf(data) : JSON.stringify(data, null, 2);
  const copyNow = () => void navigator.clipboard?.writeText(text).then(() => setCopied(true));
  const isTree = collapsible && format === "json";
  const body = isTree ? <div class="data-tree"><Node value={data} open /></div> : <Code text={text} language={format} />;
  return (
    <div class="data">
      {(title || copy) && (
        <div class="data-bar">
          <strong>{title}</strong>
          {copy && <button type="button" onClick={copyNow} aria-live="polite">{copied ? "Copied" : "Copy"}</button>}
        </div>
      )}
      <div class="data-body" style={maxHeight ? { maxHeight, overflow: "auto" } : {}}>
        {collapsible && format === "yaml" ? <details open><summary class="muted">YAML</summary>{body}</details> : body}
      </div>
    </div>
  );
}
