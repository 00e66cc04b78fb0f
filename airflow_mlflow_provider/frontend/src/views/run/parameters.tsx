import { DataView } from "../../shared/data";
import type { Json } from "../../card/document";
import type { RunView } from "../api/schema";
import { Nothing } from "../parts/notes";
import { inOneLine } from "../parts/values";

/** What the run was given: parameters and configs. */
export function Parameters({ run }: { run: RunView }) {
  const configs = Object.entries(run.configs);
  return (
    <>
      {run.parameters.length === 0 && configs.length === 0 && <Nothing>The flow has no parameters and no configs.</Nothing>}
      {run.parameters.length > 0 && (
        <div class="scroll" role="group" aria-label="Parameters" tabIndex={0}>
          <table>
            <thead><tr><th scope="col">Parameter</th><th scope="col">Value</th><th scope="col">What it is</th></tr></thead>
            <tbody>
              {run.parameters.map((one) => (
                <tr key={one.name}>
                  <th scope="row"><code>{one.name}</code></th>
                  <td><code>{inOneLine(one.value)}</code> {one.is_given ? <span class="badge running">given</span> : <span class="muted">default</span>}</td>
                  <td>{one.help}{one.kind === "file" && <span class="muted"> (a file)</span>}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {configs.map(([name, value]) => (
        <section key={name} class="section" aria-label={`Config ${name}`}>
          <h2>Config <code>{name}</code></h2>
          <DataView data={value as Json} copy={false} />
        </section>
      ))}
    </>
  );
}
