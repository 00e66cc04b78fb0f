import { Code as Source } from "../../shared/code";
import { bytes, moment } from "../../shared/format";
import { useViewState } from "../address";
import { get } from "../api/client";
import type { CodeFile, CodeView, RunView } from "../api/schema";
import { useData } from "../api/use_data";
import { Failure, Loading, Nothing } from "../parts/notes";
import "./code.css";
import { Diff } from "./diff";

const listing = "/api/dags/{dag_id}/runs/{run_id}/code";
const text = "/api/dags/{dag_id}/runs/{run_id}/code/file";
const languages: Record<string, string> = { py: "python", json: "json", yaml: "yaml", yml: "yaml" };

/** The code of a run, and how it differs from that of any other run of the flow. */
export function CodeTab({ run }: { run: RunView }) {
  const [state, change] = useViewState();
  const { other = "", file = "" } = state;
  const path = { dag_id: run.dag_id, run_id: run.dag_run_id };
  const code = useData(`code ${JSON.stringify(path)} ${other}`, (signal) => get(listing, { path, query: { other } }, signal));
  return (
    <>
      <Other run={run} other={other} choose={(one) => change({ other: one, file: "" })} />
      {code.error && <Failure error={code.error} retry={code.reload} />}
      {!code.data && !code.error && <Loading lines={8} label="Loading the code" />}
      {code.data && !code.data.digest && <Nothing>The run took its code from the DAG bundle; what it was then is not kept.</Nothing>}
      {code.data && code.data.files.length > 0 && <Files code={code.data} path={path} other={other} file={file} choose={(one) => change({ file: one })} />}
    </>
  );
}

function Other({ run, other, choose }: { run: RunView; other: string; choose: (other: string) => void }) {
  const path = { dag_id: run.dag_id };
  const runs = useData(`runs ${run.dag_id}`, (signal) => get("/api/dags/{dag_id}/runs", { path, query: { limit: 50 } }, signal));
  const own = run.pathspec.split("/")[1];
  const others = runs.data?.runs.map((one) => one.mark).filter((one) => one.run !== own) ?? [];
  return (
    <p class="bar">
      <label>
        Compare with{" "}
        <input
          type="search"
          class="code-other"
          list="code-runs"
          key={other}
          defaultValue={other}
          placeholder="the id of another run"
          maxLength={250}
          onChange={(event) => choose(event.currentTarget.value.trim())}
        />
      </label>
      <datalist id="code-runs">
        {others.map((one) => <option key={one.run} value={one.dag_run_id || one.run}>{one.status}, {moment(one.created_at)}</option>)}
      </datalist>
      {others[0] && !other && <button type="button" onClick={() => choose(before(others, run)?.run ?? "")}>The run before</button>}
      {other && <button type="button" onClick={() => choose("")}>Compare with none</button>}
    </p>
  );
}

function before<Mark extends { created_at: number }>(others: Mark[], run: RunView): Mark | undefined {
  return others.find((one) => one.created_at < run.created_at) ?? others[0];
}

interface Listed {
  code: CodeView;
  path: { dag_id: string; run_id: string };
  other: string;
  file: string;
  choose: (file: string) => void;
}

function Files({ code, path, other, file, choose }: Listed) {
  const changed = code.files.filter((one) => one.change !== "same" && one.change !== "");
  const first = changed[0] ?? code.files.find((one) => one.path === code.script) ?? code.files[0];
  const chosen = code.files.find((one) => one.path === file) ?? first;
  return (
    <>
      {code.other && (
        <p role="status">
          {changed.length === 0 ? <>The code is that of <code>{code.other.pathspec}</code>.</> : <>{changed.length} {changed.length === 1 ? "file differs" : "files differ"} from <code>{code.other.pathspec}</code>.</>}
        </p>
      )}
      <div class="code">
        <nav aria-label="Files of the code">
          <ul>
            {code.files.map((one) => (
              <li key={one.path}>
                <button type="button" aria-current={one === chosen ? "true" : undefined} onClick={() => choose(one.path)} title={bytes(one.size)}>
                  {one.path} <Mark file={one} />
                </button>
              </li>
            ))}
          </ul>
          {code.left_out > 0 && <p class="muted">and {code.left_out.toLocaleString("en-US")} more</p>}
        </nav>
        {chosen && <Text path={path} file={chosen} other={other} />}
      </div>
    </>
  );
}

const marks: Record<string, string> = { changed: "running", added: "succeeded", removed: "failed" };

function Mark({ file }: { file: CodeFile }) {
  const kind = marks[file.change];
  return kind ? <span class={`badge ${kind}`}>{file.change}</span> : null;
}

function Text({ path, file, other }: { path: Listed["path"]; file: CodeFile; other: string }) {
  const compared = file.change === "same" ? "" : other;
  const key = `file ${JSON.stringify(path)} ${file.path} ${compared}`;
  const found = useData(key, (signal) => get(text, { path, query: { path: file.path, other: compared } }, signal));
  if (found.error) return <Failure error={found.error} retry={found.reload} />;
  if (!found.data) return <Loading lines={12} label="Loading the file" />;
  if (found.data.note) return <Nothing>{found.data.note}</Nothing>;
  if (compared) return <Diff path={file.path} old={found.data.other ?? ""} now={found.data.text ?? ""} />;
  return <Source text={found.data.text ?? ""} language={languages[file.path.split(".").at(-1) ?? ""] ?? "text"} label={`Code of ${file.path}`} />;
}
