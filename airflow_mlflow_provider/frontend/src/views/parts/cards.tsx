import type { CardDocument } from "../../card/document";
import { CardView } from "../../card/viewer";
import { moment } from "../../shared/format";
import { useViewState } from "../address";
import { address, get } from "../api/client";
import type { CardRow } from "../api/schema";
import { useData } from "../api/use_data";
import "./cards.css";
import { Failure, Loading, Nothing } from "./notes";
import { Status } from "./status";

const list = "/api/dags/{dag_id}/runs/{run_id}/steps/{step}/tasks/{task}/attempts/{attempt}/cards";
const one = `${list}/{index}` as const;
const page = `${one}/page` as const;
const liveSeconds = 2;

/** Names an attempt of a task. */
export interface AttemptAddress {
  dag_id: string;
  run_id: string;
  step: string;
  task: string;
  attempt: number;
}

/** The cards of an attempt, one at a time; they move while the step runs. */
export function Cards({ place, running }: { place: AttemptAddress; running: boolean }) {
  const [state, change] = useViewState();
  const name = JSON.stringify(place);
  const cards = useData(`cards ${name} ${running}`, (signal) => get(list, { path: place }, signal), running ? 5 : null);
  if (cards.error && !cards.data) return <Failure error={cards.error} retry={cards.reload} />;
  if (!cards.data) return <Loading lines={8} label="Loading the cards" />;
  const rows = cards.data.cards;
  const chosen = rows.find((row) => String(row.index) === state["card"]) ?? rows[0];
  if (!chosen) return <Nothing>{running ? "No card yet: it comes when the step calls refresh(), or ends." : "This attempt has no card; @card makes one."}</Nothing>;
  return (
    <>
      {rows.length > 1 && <Choice rows={rows} chosen={chosen} choose={(index) => change({ card: String(index) })} />}
      <LiveCard key={`${name} ${chosen.index}`} place={place} row={chosen} />
    </>
  );
}

function Choice({ rows, chosen, choose }: { rows: CardRow[]; chosen: CardRow; choose: (index: number) => void }) {
  return (
    <p class="card-choice" role="group" aria-label="Cards of the task">
      {rows.map((row) => (
        <button key={row.index} type="button" aria-pressed={row === chosen} onClick={() => choose(row.index)}>
          {row.id ?? row.type} {row.status !== "succeeded" && <Status state={row.status} />}
        </button>
      ))}
    </p>
  );
}

function LiveCard({ place, row }: { place: AttemptAddress; row: CardRow }) {
  const path = { ...place, index: row.index };
  const card = useData(
    `card ${JSON.stringify(path)} ${row.status}`,
    (signal) => get(one, { path }, signal) as Promise<unknown> as Promise<CardDocument>,
    row.status === "running" ? liveSeconds : null,
  );
  if (card.error && !card.data) return <Failure error={card.error} retry={card.reload} />;
  if (!card.data) return <Loading lines={8} label="Loading the card" />;
  const version = card.data.reload_token ?? card.data.created_at;
  const alone = address(page, path);
  return (
    <div class="card-shown">
      <p class="muted card-note">
        {row.status === "running" ? "Live" : moment(card.data.created_at)} · <a href={alone} target="_blank" rel="noopener">Open alone</a>
      </p>
      <CardView card={card.data} pageAddress={`${alone}?v=${encodeURIComponent(String(version))}`} heading={false} />
    </div>
  );
}
