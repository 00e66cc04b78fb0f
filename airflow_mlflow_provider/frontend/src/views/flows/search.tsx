import { useEffect, useState } from "preact/hooks";

const kinds = {
  pathspec: { name: "Pathspec", hint: "TrainFlow/run/step/task/artifact, or the beginning of it" },
  tag: { name: "Tag", hint: "a part of a tag, such as best or user:ada" },
  artifact: { name: "Artifact", hint: "the beginning of an artifact's name" },
} as const;

/** Asks what to look for. */
export function SearchForm({ find, by, search }: {
  find: string;
  by: string;
  search: (asked: { find: string; by: string }) => void;
}) {
  const [text, setText] = useState(find);
  const [kind, setKind] = useState(by);
  useEffect(() => setText(find), [find]);
  useEffect(() => setKind(by), [by]);
  const hint = kinds[kind as keyof typeof kinds]?.hint ?? "";
  const ask = (event: Event) => {
    event.preventDefault();
    search({ find: text.trim(), by: kind === "pathspec" ? "" : kind });
  };
  return (
    <form class="search" role="search" onSubmit={ask}>
      <select aria-label="Search by" value={kind} onChange={(event) => setKind(event.currentTarget.value)}>
        {Object.entries(kinds).map(([value, { name }]) => <option key={value} value={value}>{name}</option>)}
      </select>
      <input type="search" aria-label={`Search: ${hint}`} placeholder={hint} value={text} onInput={(event) => setText(event.currentTarget.value)} />
      <button type="submit" class="strong">Search</button>
    </form>
  );
}
