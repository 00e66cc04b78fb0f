import { number } from "../../shared/format";

/** A value of JSON in one line, such as that of a parameter. */
export function inOneLine(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return number(value);
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Parameters in one line. */
export function Given({ values }: { values: Record<string, unknown> }) {
  const entries = Object.entries(values);
  if (entries.length === 0) return <span class="muted">none</span>;
  return (
    <span class="given">
      {entries.map(([name, value]) => <code key={name}>{name}={inOneLine(value)}</code>)}
    </span>
  );
}
