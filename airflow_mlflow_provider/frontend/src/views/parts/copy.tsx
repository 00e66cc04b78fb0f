import { useState } from "preact/hooks";
import "./copy.css";

/** A command to be copied. */
export function Command({ text, label }: { text: string; label: string }) {
  const [copied, setCopied] = useState(false);
  const copy = () => {
    void copyText(text).then((done) => setCopied(done));
  };
  return (
    <div class="command">
      <code tabIndex={0} role="group" aria-label={label}>{text}</code>
      <button type="button" onClick={copy} aria-live="polite">{copied ? "Copied" : "Copy"}</button>
    </div>
  );
}

/** Airflow's frame may not be allowed to write to the clipboard by itself; the old way works by a click everywhere. */
async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}
