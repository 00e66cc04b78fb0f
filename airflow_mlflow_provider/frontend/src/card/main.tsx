import { render } from "preact";
import { followTheme } from "../shared/theme";
import { vegaIsAt } from "./chart";
import type { CardDocument } from "./document";
import { CardView } from "./viewer";

interface Page {
  card: CardDocument;
  /** Where the card can be asked for again while its step runs. */
  live?: { url: string; seconds: number; vega: string };
}

function show(card: CardDocument): void {
  const main = document.getElementById("page");
  if (main) render(<CardView card={card} />, main);
}

/** Asks for the card again until its step has ended; an answer 304 costs next to nothing. */
async function follow(url: string, seconds: number): Promise<void> {
  let running = true;
  while (running) {
    await new Promise((resume) => setTimeout(resume, seconds * 1000));
    if (document.hidden) continue;
    try {
      const answer = await fetch(url, { headers: { Accept: "application/json" }, cache: "no-cache" });
      if (!answer.ok) continue;
      const card = (await answer.json()) as CardDocument;
      show(card);
      running = card.status === "running";
    } catch {
      // The server is away for a moment: ask again.
    }
  }
}

const { card, live } = JSON.parse(document.getElementById("card")?.textContent ?? "{}") as Page;
followTheme();
if (live) vegaIsAt(live.vega);
show(card);
if (live && card.status === "running") void follow(live.url, live.seconds);
