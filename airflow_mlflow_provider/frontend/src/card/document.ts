/** A card as it is stored: data only. `airflow_mlflow_provider/cards/document.py` writes it. */
export interface CardDocument {
  version: number;
  type: string;
  id: string | null;
  title: string;
  pathspec: string;
  attempt: number;
  status: "running" | "succeeded" | "failed";
  created_at: number;
  components: Component[];
  /** The page of a card type that renders its own HTML; shown in a sandboxed frame. */
  html?: string | null;
  /** What the running step handed to `current.card.refresh`. */
  data?: Json;
  /** Changes when a custom card wants to be rendered anew. */
  reload_token?: string | null;
}

export type Scalar = string | number | boolean | null;
export type Cell = Scalar | Component;
export type Json = Scalar | Json[] | { [name: string]: Json };

export interface TimelineEvent {
  time: number;
  theme: string;
  priority: string | null;
  data: Record<string, Cell>;
  payloads: Record<string, Component>;
}

/** What a preview may say of a value; see `airflow_mlflow_provider/store/preview.py`. */
export interface Preview {
  repr?: string;
  len?: number;
  shape?: number[];
  dtype?: string;
  columns?: [Scalar, string][];
  head?: Json[];
  min?: Scalar;
  max?: Scalar;
  mean?: Scalar;
  std?: Scalar;
  nulls?: number;
  /** For each column `[min, mean, max, missing]`. */
  stats?: ([Scalar, Scalar, Scalar, number] | null)[];
  sampled?: number;
  spark?: number[];
  /** A small picture: `data:image/png;base64,…`. */
  image?: string;
  name?: Scalar;
}

export interface ArtifactRow {
  name: string;
  /** Name of the value's type. */
  kind: string;
  /** Bytes; 0 where it is not known. */
  size?: number;
  preview?: Preview | null;
  note?: string;
}

export interface GraphStep {
  name: string;
  kind: string;
  next: string[];
  doc?: string;
  status?: string;
  label?: string;
}

type Shapes = {
  markdown: { text: string };
  text: { text: string };
  table: { headers: Cell[]; rows: Cell[][]; note?: string | null };
  image: { src: string; label?: string | null; error?: string | null };
  artifact: ArtifactRow;
  artifacts: { items: ArtifactRow[] };
  error: { title: string; name: string; message: string; traceback: string };
  chart: { spec: Record<string, unknown>; controls: boolean };
  progress: { max: number; value: number; label?: string | null; unit?: string | null; metadata?: string | null };
  value: { title?: string | null; value: Scalar; subtitle?: string | null; theme?: string | null; change?: string | null };
  code: { text: string; language: string };
  timeline: { title?: string | null; events: TimelineEvent[]; stats: Record<string, Json> };
  data: {
    format: "json" | "yaml";
    data: Json;
    collapsible: boolean;
    max_height?: string | null;
    copy: boolean;
    title?: string | null;
  };
  html: { html: string };
  graph: { steps: GraphStep[]; here?: string | null };
  facts: { items: [string, Cell][] };
  section: { title: string; children: Component[]; collapsed?: boolean };
};

export type Component = { [K in keyof Shapes]: { type: K; id?: string | null } & Shapes[K] }[keyof Shapes];
export type ComponentOf<K extends keyof Shapes> = Extract<Component, { type: K }>;

export function isComponent(cell: unknown): cell is Component {
  return typeof cell === "object" && cell !== null && !Array.isArray(cell) && "type" in cell;
}

/** Whether HTML of the user's is anywhere in a value; it needs a frame in which its scripts may run. */
export function holdsHtml(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (!Array.isArray(value) && (value as { type?: unknown }).type === "html") return true;
  return Object.values(value).some(holdsHtml);
}
