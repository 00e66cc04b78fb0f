import { useState } from "preact/hooks";
import type { Preview } from "../../card/document";
import { bytes } from "../../shared/format";
import { PreviewView } from "../../shared/preview";
import { get } from "../api/client";
import { usePages } from "../api/use_pages";
import { Failure, Loading, Nothing } from "../parts/notes";
import { TypeName } from "../parts/type";
import type { TaskAddress } from "./pane";

/** The artifacts of a task, as they were described when they were saved. */
export function Artifacts({ place, state }: { place: TaskAddress; state: string }) {
  const [name, setName] = useState("");
  const pages = usePages(`artifacts ${JSON.stringify(place)} ${state} ${name}`, (cursor, signal) =>
    get("/api/dags/{dag_id}/runs/{run_id}/steps/{step}/tasks/{task}/artifacts", { path: place, query: { name, cursor, limit: 50 } }, signal));
  const total = pages.pages[0]?.total;
  const artifacts = pages.pages.flatMap((page) => page.artifacts);
  return (
    <>
      <p class="bar">
        <input type="search" aria-label="Show only artifacts whose name holds" placeholder="Filter artifacts" value={name} onInput={(event) => setName(event.currentTarget.value)} />
        <span class="muted" role="status">{total === undefined ? "" : `${total.toLocaleString("en-US")} ${total === 1 ? "artifact" : "artifacts"}`}</span>
      </p>
      {pages.error && <Failure error={pages.error} retry={pages.more} />}
      {pages.busy && artifacts.length === 0 && <Loading lines={6} label="Loading the artifacts" />}
      {total === 0 && <Nothing>{name ? "No artifact has such a name." : state === "running" ? "Artifacts are stored when the step has ended." : "It left no artifact."}</Nothing>}
      {artifacts.length > 0 && (
        <div class="scroll" role="group" aria-label="Artifacts" tabIndex={0}>
          <table>
            <thead><tr><th scope="col">Name</th><th scope="col">Type</th><th scope="col" class="number">Size</th><th scope="col">Value</th></tr></thead>
            <tbody>
              {artifacts.map((one) => (
                <tr key={one.name}>
                  <th scope="row">{one.name} {one.is_new && <span class="badge succeeded">new</span>}</th>
                  <td><TypeName name={one.type} /></td>
                  <td class="number">{bytes(one.size)}</td>
                  <td><PreviewView preview={one.preview as Preview | null} /></td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {pages.next && <button type="button" disabled={pages.busy} onClick={pages.more}>Show more</button>}
    </>
  );
}
