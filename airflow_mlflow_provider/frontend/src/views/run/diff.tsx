import { type Change, diffWordsWithSpace, structuredPatch } from "diff";
import type { ComponentChildren } from "preact";
import { Nothing } from "../parts/notes";

interface Line {
  kind: "added" | "removed" | "same" | "gap";
  old: number | null;
  now: number | null;
  text: string;
  /** The line that took its place, or whose place it took. */
  pair?: string;
}

const context = 4;
// Beyond so many edits the two have little in common, and looking for the shortest way takes long.
const mostEdits = 20_000;

/** How a text differs from another: what was taken away and what came, with the words that changed marked. */
export function Diff({ path, old, now }: { path: string; old: string; now: string }) {
  const patch = structuredPatch(path, path, old, now, undefined, undefined, { context, maxEditLength: mostEdits });
  if (!patch) return <Nothing>The two have too little in common to be compared line by line.</Nothing>;
  if (patch.hunks.length === 0) return <Nothing>Both are the same.</Nothing>;
  const lines = patch.hunks.flatMap((hunk) => linesOf(hunk));
  return (
    <div class="diff" role="group" aria-label={`What changed in ${path}`} tabIndex={0}>
      <table role="presentation">
        <tbody>
          {lines.map((line, index) => (
            <tr key={index} class={line.kind}>
              <td class="diff-number">{line.old}</td>
              <td class="diff-number">{line.now}</td>
              <td class="diff-sign">{line.kind === "added" ? "+" : line.kind === "removed" ? "−" : ""}</td>
              <td>{line.pair === undefined ? line.text : words(line)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function linesOf(hunk: { oldStart: number; newStart: number; lines: string[] }): Line[] {
  let old = hunk.oldStart;
  let now = hunk.newStart;
  const found: Line[] = [{ kind: "gap", old: null, now: null, text: `line ${now}` }];
  for (const line of hunk.lines) {
    const text = line.slice(1);
    if (line.startsWith("+")) found.push({ kind: "added", old: null, now: now++, text });
    else if (line.startsWith("-")) found.push({ kind: "removed", old: old++, now: null, text });
    else if (line.startsWith(" ")) found.push({ kind: "same", old: old++, now: now++, text });
  }
  return paired(found);
}

/** Lines that were replaced by as many others belong together. */
function paired(lines: Line[]): Line[] {
  let at = 0;
  while (at < lines.length) {
    const removed = run(lines, at, "removed");
    const added = run(lines, at + removed, "added");
    if (removed > 0 && removed === added) {
      for (let index = at; index < at + removed; index += 1) {
        const [was, is] = [lines[index], lines[index + removed]];
        if (was && is) [was.pair, is.pair] = [is.text, was.text];
      }
    }
    at += Math.max(1, removed + added);
  }
  return lines;
}

function run(lines: Line[], from: number, kind: Line["kind"]): number {
  let length = 0;
  while (lines[from + length]?.kind === kind) length += 1;
  return length;
}

function words(line: Line): ComponentChildren {
  const [old, now] = line.kind === "added" ? [line.pair ?? "", line.text] : [line.text, line.pair ?? ""];
  const own = (part: Change) => (line.kind === "added" ? !part.removed : !part.added);
  return diffWordsWithSpace(old, now).filter(own).map((part, index) => {
    return part.added || part.removed ? <mark key={index}>{part.value}</mark> : <span key={index}>{part.value}</span>;
  });
}
