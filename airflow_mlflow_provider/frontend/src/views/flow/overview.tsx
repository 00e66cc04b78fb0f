import type { CardDocument } from "../../card/document";
import { CardView } from "../../card/viewer";
import { get } from "../api/client";
import { useData } from "../api/use_data";
import { Failure, Loading } from "../parts/notes";

/** The card of the flow; kept up to date while it is looked at. */
export function Overview({ dagId }: { dagId: string }) {
  const path = { dag_id: dagId };
  const card = useData(`card ${dagId}`, (signal) => get("/api/dags/{dag_id}/card", { path }, signal), 15);
  if (card.error && !card.data) return <Failure error={card.error} retry={card.reload} />;
  if (!card.data) return <Loading lines={12} label="Loading the flow's card" />;
  return <CardView card={card.data as unknown as CardDocument} heading={false} />;
}
