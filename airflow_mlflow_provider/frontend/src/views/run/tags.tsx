import { useState } from "preact/hooks";
import { address, ApiError, send } from "../api/client";
import type { RunView, TagChange, TagsView } from "../api/schema";
import { Failure } from "../parts/notes";
import "./tags.css";

const longest = 500;

/** The tags of a run; who may edit them takes tags off and adds others. */
export function Tags({ run, changed }: { run: RunView; changed: () => void }) {
  const [tags, setTags] = useState(run.tags);
  const [error, setError] = useState<ApiError | null>(null);
  const [busy, setBusy] = useState(false);
  const change = async (wanted: TagChange) => {
    setBusy(true);
    setError(null);
    try {
      const path = { dag_id: run.dag_id, run_id: run.dag_run_id };
      const answer = await send<TagsView>("PATCH", address("/api/dags/{dag_id}/runs/{run_id}/tags", path), wanted);
      setTags(answer.tags);
      changed();
      return true;
    } catch (problem) {
      setError(problem instanceof ApiError ? problem : new ApiError(0, String(problem)));
      return false;
    } finally {
      setBusy(false);
    }
  };
  return (
    <section class="tags" aria-label="Tags">
      <ul>
        {tags.map((tag) => (
          <li key={tag} class="tag">
            {tag}
            {run.may_edit && <button type="button" disabled={busy} aria-label={`Remove the tag ${tag}`} onClick={() => void change({ remove: [tag], add: [] })}>×</button>}
          </li>
        ))}
        {run.system_tags.map((tag) => <li key={tag} class="tag system" title="A system tag, which stays">{tag}</li>)}
        {run.may_edit && <li><NewTag busy={busy} add={(tag) => change({ remove: [], add: [tag] })} /></li>}
      </ul>
      {error && <Failure error={error} />}
    </section>
  );
}

function NewTag({ busy, add }: { busy: boolean; add: (tag: string) => Promise<boolean> }) {
  const [text, setText] = useState<string | null>(null);
  if (text === null) return <button type="button" class="tag-new" onClick={() => setText("")}>+ Add a tag</button>;
  const submit = (event: Event) => {
    event.preventDefault();
    if (text) void add(text).then((done) => done && setText(null));
  };
  return (
    <form class="tag-form" onSubmit={submit}>
      <input
        value={text}
        maxLength={longest}
        aria-label="New tag"
        placeholder="New tag"
        ref={(element) => element?.focus()}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => event.key === "Escape" && setText(null)}
      />
      <button type="submit" disabled={busy || !text}>Add</button>
    </form>
  );
}
