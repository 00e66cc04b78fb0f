import { number } from "../shared/format";
import { CellView, ComponentView } from "./components";
import type { ComponentOf, TimelineEvent } from "./document";

const themes = new Set(["default", "success", "warning", "error", "info", "primary", "secondary", "tool_call", "ai_response"]);

function Event({ event }: { event: TimelineEvent }) {
  const theme = themes.has(event.theme) ? event.theme : "default";
  const when = new Date(event.time * 1000);
  return (
    <li class={`event event-${theme}`}>
      <time class="muted" dateTime={when.toISOString()}>{when.toLocaleTimeString()}</time>
      {event.priority && <span class="badge">{event.priority}</span>}
      <dl class="facts">
        {Object.entries(event.data).map(([name, value]) => (
          <div key={name}><dt>{name}</dt><dd><CellView cell={value} /></dd></div>
        ))}
      </dl>
      {Object.entries(event.payloads).map(([name, payload]) => (
        <details key={name}><summary>{name}</summary><ComponentView component={payload} /></details>
      ))}
    </li>
  );
}

export function Timeline({ timeline }: { timeline: ComponentOf<"timeline"> }) {
  const facts = Object.entries(timeline.stats).filter(([, value]) => typeof value === "number" || typeof value === "string");
  return (
    <section class="timeline" aria-label={timeline.title ?? "Events"}>
      {timeline.title && <strong>{timeline.title}</strong>}
      {facts.length > 0 && (
        <p class="muted">
          {facts.map(([name, value]) => `${name.replaceAll("_", " ")}: ${typeof value === "number" ? number(value) : String(value)}`).join(" · ")}
        </p>
      )}
      <ol>{timeline.events.map((event, index) => <Event key={`${event.time} ${index}`} event={event} />)}</ol>
    </section>
  );
}
