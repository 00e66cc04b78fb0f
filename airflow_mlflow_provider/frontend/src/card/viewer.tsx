import { moment } from "../shared/format";
import { Components } from "./components";
import { type CardDocument, holdsHtml } from "./document";
import { HtmlFrame } from "./frame";
import "../shared/theme.css";
import "./card.css";

const said = { running: "running", succeeded: "succeeded", failed: "failed" };

/** A card.
 *
 * With `pageAddress`, a card that holds HTML of its author's is shown as the page at that address in a sandboxed frame:
 * under a strict policy its scripts could not run here. Without it, the HTML is put into a frame of this page. */
export function CardView({ card, pageAddress, heading = true }: { card: CardDocument; pageAddress?: string; heading?: boolean }) {
  const isForeign = Boolean(card.html) || holdsHtml(card.components);
  if (isForeign && pageAddress) {
    return <iframe class="html-frame page" title={card.title} sandbox="allow-scripts" src={pageAddress} />;
  }
  const isOfTask = card.pathspec.split("/").length === 4;
  return (
    <article class="card" aria-label={card.title}>
      {heading && (
        <header class="card-head">
          <h1>{card.title}</h1>
          <p class="muted">
            <span class={`badge ${card.status}`} role="status">{said[card.status]}</span>{" "}
            <code>{card.pathspec}</code>
            {isOfTask && ` · attempt ${card.attempt}`} · {moment(card.created_at)}
          </p>
        </header>
      )}
      {card.html ? <HtmlFrame key={card.reload_token} html={card.html} title={card.title} data={card.data} fill /> : null}
      <Components components={card.components} />
    </article>
  );
}
