import type { Circumstances, TaskView } from "../api/schema";

/** Where a task ran, with what, and what it noted. */
export function Environment({ about, task }: { about: Circumstances; task: TaskView }) {
  const packages = Object.entries(about.packages);
  return (
    <>
      <Facts title="Ran on" facts={about.facts} />
      {about.decorators.length > 0 && (
        <section class="section" aria-label="Decorators">
          <h2>Decorators</h2>
          <ul class="plain">{about.decorators.map((one) => <li key={one}><code>{one}</code></li>)}</ul>
        </section>
      )}
      {packages.length > 0 && (
        <details class="section">
          <summary><h2>{packages.length} packages</h2></summary>
          <Facts title="" facts={about.packages} />
        </details>
      )}
      <Facts title="Noted by the task" facts={task.metadata} />
    </>
  );
}

function Facts({ title, facts }: { title: string; facts: Record<string, string> }) {
  const entries = Object.entries(facts).filter(([, value]) => value);
  if (entries.length === 0) return null;
  return (
    <section class="section" aria-label={title || "Versions"}>
      {title && <h2>{title}</h2>}
      <dl class="facts">{entries.map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}</dl>
    </section>
  );
}
