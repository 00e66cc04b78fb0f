// Made by api_types.py from the OpenAPI document of the JSON API: change that, then `make ui`.

/** A page of the artifacts of a task, by name. */
export interface ArtifactPage {
  artifacts: ArtifactView[];
  total: number;
  next: string;
}

/** An artifact. */
export interface ArtifactView {
  name: string;
  type: string;
  size: number;
  digest: string;
  codec: string;
  preview: Record<string, unknown> | null;
  is_new: boolean;
}

/** An attempt of a task. */
export interface AttemptView {
  attempt: number;
  state: string;
  began_at: number | null;
  seconds: number | null;
  error: string;
  traceback: string;
  logs: string[];
  cards: number[];
}

/** The cards of an attempt, the highest rank first. */
export interface CardList {
  cards: CardRow[];
}

/** A card in a list. */
export interface CardRow {
  index: number;
  type: string;
  id: string | null;
  title: string;
  status: string;
  rank: string | null;
  created_at: number;
}

/** A file of the code. */
export interface CodeFile {
  path: string;
  size: number;
  change: "" | "same" | "changed" | "added" | "removed";
}

/** A file of the code, and the same file of the other run. */
export interface CodeText {
  path: string;
  text: string | null;
  other: string | null;
  note: string;
}

/** The files of a run's code. */
export interface CodeView {
  digest: string;
  script: string;
  files: CodeFile[];
  left_out: number;
  other: RunReference | null;
  other_digest: string;
}

/** A line. */
export interface LogLineView {
  time: number;
  source: string;
  text: string;
}

/** Some lines of a log, oldest first. */
export interface LogPage {
  lines: LogLineView[];
  begin: number;
  next: number;
  size: number;
}

/** What a resume does. */
export interface ResumeAnswer {
  origin: string;
  taken_over: Record<string, number>;
  runs: Record<string, string>;
  more?: number;
  changed?: string[];
  instances?: Record<string, number>;
}

/** What to resume. */
export interface ResumeQuestion {
  origin: string;
  step?: string | null;
  parameters?: Record<string, unknown>;
  rerun_changed?: boolean;
  code?: "current" | "origin";
  dag_run_id?: string | null;
}

/** A resumed run that Airflow has queued. */
export interface ResumedRun {
  origin: string;
  taken_over: Record<string, number>;
  runs: Record<string, string>;
  more?: number;
  changed?: string[];
  instances?: Record<string, number>;
  dag_run_id: string;
  run: string;
  paused: boolean;
}

/** How far a run is. */
export interface RunProgress {
  status: string;
  steps: StepStatus[];
}

/** Where another run is. */
export interface RunReference {
  pathspec: string;
  dag_id?: string | null;
  dag_run_id?: string | null;
}

/** A run. */
export interface RunView {
  pathspec: string;
  dag_id: string;
  dag_run_id: string;
  status: string;
  reason: string;
  created_at: number;
  ended_at: number | null;
  user: string;
  parameters: Record<string, unknown>;
  configs: Record<string, unknown>;
  origin: RunReference | null;
  trigger: Record<string, unknown>;
  doc: string;
  code: string;
  environment: Record<string, string>;
  tags: string[];
  system_tags: string[];
  steps: StepOutline[];
  may_resume: boolean;
  may_edit: boolean;
}

/** One open foreach or gang split of a task. */
export interface SplitLabel {
  step: string;
  var: string | null;
  index: number;
  label: string;
}

/** All tasks of one split of an outer foreach. */
export interface SplitRow {
  under: string;
  label: SplitLabel;
  counts: Record<string, number>;
}

/** A step as the flow's graph has it; it does not change while the run goes on. */
export interface StepOutline {
  name: string;
  kind: string;
  next: string[];
  doc: string;
  frames: string[];
  has_cards: boolean;
  decorators: string[];
}

/** How the tasks of a step stand. */
export interface StepStatus {
  name: string;
  counts: Record<string, number>;
  taken_over: number;
  began_at: number | null;
  ended_at: number | null;
}

/** Tags to remove, then tags to add, as one change that is made as a whole or not at all. */
export interface TagChange {
  remove?: string[];
  add?: string[];
}

/** The tags after a change. */
export interface TagsView {
  tags: string[];
}

/** A page of the tasks of a step: those that failed first, then by split. */
export interface TaskPage {
  splits: SplitRow[];
  tasks: TaskRow[];
  total: number;
  next: string;
}

/** A task that another came from. */
export interface TaskReference {
  pathspec: string;
  step: string;
  task: string;
  attempt: number;
  is_own: boolean;
}

/** A task. */
export interface TaskRow {
  task: string;
  state: string;
  attempt: number;
  labels: SplitLabel[];
  iteration: number | null;
  began_at: number | null;
  seconds: number | null;
  error: string;
  origin: string | null;
}

/** A task in full. */
export interface TaskView {
  pathspec: string;
  row: TaskRow;
  attempts: AttemptView[];
  inputs: TaskReference[];
  input_count: number;
  followed_by: string[];
  reads: string[];
  metadata: Record<string, string>;
}

export interface Get {
  "/api/dags/{dag_id}/runs/{run_id}": { path: { dag_id: string; run_id: string }; query: Record<string, never>; answer: RunView };
  "/api/dags/{dag_id}/runs/{run_id}/code": { path: { dag_id: string; run_id: string }; query: { other?: string }; answer: CodeView };
  "/api/dags/{dag_id}/runs/{run_id}/code/file": { path: { dag_id: string; run_id: string }; query: { path: string; other?: string }; answer: CodeText };
  "/api/dags/{dag_id}/runs/{run_id}/progress": { path: { dag_id: string; run_id: string }; query: Record<string, never>; answer: RunProgress };
  "/api/dags/{dag_id}/runs/{run_id}/steps/{step}/tasks": { path: { step: string; dag_id: string; run_id: string }; query: { under?: string; value?: string; state?: string[]; cursor?: string; limit?: number }; answer: TaskPage };
  "/api/dags/{dag_id}/runs/{run_id}/steps/{step}/tasks/{task}": { path: { task: string; step: string; dag_id: string; run_id: string }; query: Record<string, never>; answer: TaskView };
  "/api/dags/{dag_id}/runs/{run_id}/steps/{step}/tasks/{task}/artifacts": { path: { task: string; dag_id: string; run_id: string; step: string }; query: { name?: string; cursor?: string; limit?: number }; answer: ArtifactPage };
  "/api/dags/{dag_id}/runs/{run_id}/steps/{step}/tasks/{task}/attempts/{attempt}/cards": { path: { task: string; attempt: number; dag_id: string; run_id: string; step: string }; query: Record<string, never>; answer: CardList };
  "/api/dags/{dag_id}/runs/{run_id}/steps/{step}/tasks/{task}/attempts/{attempt}/cards/{index}": { path: { task: string; attempt: number; index: number; dag_id: string; run_id: string; step: string }; query: Record<string, never>; answer: Record<string, unknown> };
  "/api/dags/{dag_id}/runs/{run_id}/steps/{step}/tasks/{task}/attempts/{attempt}/cards/{index}/page": { path: { task: string; attempt: number; index: number; dag_id: string; run_id: string; step: string }; query: Record<string, never>; answer: string };
  "/api/dags/{dag_id}/runs/{run_id}/steps/{step}/tasks/{task}/attempts/{attempt}/logs/{stream}": { path: { task: string; attempt: number; stream: "stdout" | "stderr"; dag_id: string; run_id: string; step: string }; query: { start?: number | null; end?: number | null }; answer: LogPage };
  "/resume/{dag_id}": { path: { dag_id: string }; query: { origin: string; step?: string | null; rerun_changed?: boolean; code?: "current" | "origin" }; answer: ResumeAnswer };
}

export interface Patch {
  "/api/dags/{dag_id}/runs/{run_id}/tags": { path: { dag_id: string; run_id: string }; query: Record<string, never>; body: TagChange; answer: TagsView };
}

export interface Post {
  "/resume/{dag_id}": { path: { dag_id: string }; query: Record<string, never>; body: ResumeQuestion; answer: ResumedRun };
}
