import { useEffect, useState } from "preact/hooks";
import type { Preview } from "../../card/document";
import { moment } from "../../shared/format";
import { PreviewView } from "../../shared/preview";
import { type ApiError, get } from "../api/client";
import type { FindingPage, FindingView } from "../api/schema";
import { AirflowLink, flowPath, runPath } from "../parts/link";
import { Failure, Loading, Nothing } from "../parts/notes";
import { TypeName } from "../parts/type";

type By = "pathspec" | "tag" | "artifact";

/** What a search found; a store has no index, so it looks a few seconds at a time and goes on when asked to. */
export function Results({ find, by, leave }: { find: string; by: string; leave: () => void }) {
  const [pages, setPages] = useState<FindingPage[]>([]);
  const [cursor, setCursor] = useState("");
  const [error, setError] = useState<ApiError | null>(null);
  const [busy, setBusy] = useState(true);
  useEffect(() => {
    const abort = new AbortController();
    setBusy(true);
    setError(null);
    get("/api/search", { path: {}, query: { query: find, by: by as By, cursor } }, abort.signal).then(
      (page) => {
        setPages((old) => [...old, page]);
        setBusy(false);
      },
      (failure: ApiError) => {
        if (abort.signal.aborted) return;
        setError(failure);
        setBusy(false);
      },
    );
    return () => abort.abort();
  }, [cursor]);
  const found = pages.flatMap((page) => page.found);
  const last = pages.at(-1);
  const ended = last && !last.next;
  return (
    <>
      <p class="bar">
        <button type="button" onClick={leave}>All flows</button>
        <span class="muted" role="status">
          {busy ? "Searching …" : `${found.length}${ended ? "" : "+"} found for ${by} ${JSON.stringify(find)}`}
        </span>
      </p>
      {found.length > 0 && (
        <div class="scroll" role="group" aria-label="Found" tabIndex={0}>
          <table>
            <thead><tr><th scope="col">Kind</th><th scope="col">Pathspec</th><th scope="col">Run started</th><th scope="col">{by === "artifact" ? "Value" : "About"}</th></tr></thead>
            <tbody>{found.map((one) => <Row key={`${one.pathspec} ${one.dag_id}`} one={one} />)}</tbody>
          </table>
        </div>
      )}
      {error && <Failure error={error} />}
      {busy && found.length === 0 && <Loading lines={6} label="Searching" />}
      {!busy && !error && found.length === 0 && ended && <Nothing>Nothing was found.</Nothing>}
      {!busy && last?.next && (
        <p class="bar">
          <button type="button" onClick={() => setCursor(last.next)}>{last.is_full ? "Show more" : "Look at older runs"}</button>
        </p>
      )}
    </>
  );
}

function Row({ one }: { one: FindingView }) {
  return (
    <tr>
      <td><span class="badge">{one.kind}</span></td>
      <th scope="row"><AirflowLink path={pathOf(one)}>{one.pathspec}</AirflowLink></th>
      <td>{one.created_at === null ? "" : moment(one.created_at)}</td>
      <td>
        {one.type && <TypeName name={one.type} />}
        {one.preview && <PreviewView preview={one.preview as Preview} />}
        {one.tags.map((tag) => <span key={tag} class="badge">{tag}</span>)}
      </td>
    </tr>
  );
}

function pathOf(one: FindingView): string {
  if (one.dag_run_id === null) return flowPath(one.dag_id);
  const [, , step = "", task = ""] = one.pathspec.split("/");
  return runPath(one.dag_id, one.dag_run_id, { ...(step && { step }), ...(task && { task }) });
}
