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

/** What the cache did for a task. */
export interface CacheVerdict {
  is_hit: boolean;
  why: string;
  task: TaskPlace | null;
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

/** What a task ran in, and how to run it again. */
export interface Circumstances {
  facts: Record<string, string>;
  decorators: string[];
  packages: Record<string, string>;
  cache: CacheVerdict | null;
  origin: TaskPlace | null;
  spin: string;
  spin_note: string;
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

/** One fact of all runs that are compared. */
export interface ComparedRow {
  name: string;
  values: unknown[];
  differs: boolean;
}

/** Runs side by side. */
export interface ComparisonView {
  runs: RunMark[];
  parameters: ComparedRow[];
  metrics: ComparedRow[];
  seconds: ComparedRow[];
  circumstances: ComparedRow[];
}

/** A page of findings. */
export interface FindingPage {
  found: FindingView[];
  next: string;
  is_full: boolean;
}

/** Something that was found. */
export interface FindingView {
  kind: string;
  pathspec: string;
  dag_id: string;
  dag_run_id: string | null;
  created_at: number | null;
  tags: string[];
  type: string;
  preview: Record<string, unknown> | null;
}

/** A page of the flows that the user may read, by DAG. */
export interface FlowPage {
  flows: FlowRow[];
  total: number;
  next: string;
}

/** A flow that is deployed as a DAG. */
export interface FlowRow {
  dag_id: string;
  flow: string;
  doc: string;
  owner: string;
  schedule: string;
  tags: string[];
  step_count: number;
  runs: RunMark[];
}

/** A parameter of a run. */
export interface GivenParameter {
  name: string;
  value: unknown;
  is_given: boolean;
  help: string;
  kind: string;
}

/** An artifact that a task started from. */
export interface InputArtifact {
  name: string;
  type: string;
  size: number;
  preview: Record<string, unknown> | null;
  made_by: TaskPlace | null;
  is_given: boolean;
  was_read: boolean;
}

/** What a task started from. */
export interface InputPage {
  artifacts: InputArtifact[];
  read_from_inputs: string[];
  total: number;
  next: string;
}

/** A task that a task instance runs. */
export interface InstanceTask {
  step: string;
  task: string;
  state: string;
  labels: SplitLabel[];
  iteration: number | null;
  is_taken_over: boolean;
}

/** What a task instance stands for. */
export interface InstanceView {
  run: string;
  label: string;
  steps: string[];
  tasks: InstanceTask[];
  task_count: number;
  note: string;
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

/** The numbers among a flow's artifacts. */
export interface NumericArtifacts {
  steps: Record<string, string[]>;
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
  until?: string | null;
  clone_only?: boolean;
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

/** What the cache did for the last runs of a flow. */
export interface ReuseView {
  steps: string[];
  runs: RunReuse[];
}

/** A run in a row of runs. */
export interface RunMark {
  run: string;
  dag_run_id: string;
  status: string;
  created_at: number;
  seconds: number | null;
}

/** A page of the runs of a DAG, newest first. */
export interface RunPage {
  runs: RunRow[];
  next: string;
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

/** What the cache did for a run. */
export interface RunReuse {
  mark: RunMark;
  steps: StepReuseView[];
}

/** A run with what is compared. */
export interface RunRow {
  mark: RunMark;
  started_by: string;
  tags: string[];
  parameters: Record<string, unknown>;
  metrics: Record<string, number>;
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
  parameters: GivenParameter[];
  configs: Record<string, unknown>;
  origin: RunReference | null;
  trigger: Record<string, unknown>;
  doc: string;
  code: string;
  environment: Record<string, string>;
  tags: string[];
  system_tags: string[];
  steps: StepOutline[];
  parts: string[];
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

/** What the cache did for a step of a run. */
export interface StepReuseView {
  step: string;
  hits: number;
  looked: number;
  why: string[];
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

/** Where a task is, in the store and in Airflow. */
export interface TaskPlace {
  pathspec: string;
  dag_id?: string | null;
  dag_run_id?: string | null;
  task_id?: string | null;
  map_index?: number;
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

/** An artifact in one run. */
export interface TrendPointView {
  run: string;
  dag_run_id: string;
  created_at: number;
  mean: number;
  lowest: number;
  highest: number;
  tasks: number;
}

/** A number from run to run. */
export interface TrendView {
  step: string;
  name: string;
  points: TrendPointView[];
}

export interface Get {
  "/api/dags/{dag_id}/card": { path: { dag_id: string }; query: { runs?: number }; answer: Record<string, unknown> };
  "/api/dags/{dag_id}/comparison": { path: { dag_id: string }; query: { run: string[] }; answer: ComparisonView };
  "/api/dags/{dag_id}/numbers": { path: { dag_id: string }; query: Record<string, never>; answer: NumericArtifacts };
  "/api/dags/{dag_id}/reuse": { path: { dag_id: string }; query: { runs?: number }; answer: ReuseView };
  "/api/dags/{dag_id}/runs": { path: { dag_id: string }; query: { cursor?: string; limit?: number }; answer: RunPage };
  "/api/dags/{dag_id}/runs/{run_id}": { path: { dag_id: string; run_id: string }; query: { part?: string }; answer: RunView };
  "/api/dags/{dag_id}/runs/{run_id}/code": { path: { dag_id: string; run_id: string }; query: { other?: string; part?: string }; answer: CodeView };
  "/api/dags/{dag_id}/runs/{run_id}/code/file": { path: { dag_id: string; run_id: string }; query: { path: string; other?: string; part?: string }; answer: CodeText };
  "/api/dags/{dag_id}/runs/{run_id}/instances/{task_id}/{map_index}": { path: { task_id: string; map_index: number; dag_id: string; run_id: string }; query: { part?: string }; answer: InstanceView };
  "/api/dags/{dag_id}/runs/{run_id}/progress": { path: { dag_id: string; run_id: string }; query: { part?: string }; answer: RunProgress };
  "/api/dags/{dag_id}/runs/{run_id}/steps/{step}/tasks": { path: { step: string; dag_id: string; run_id: string }; query: { under?: string; value?: string; state?: string[]; cursor?: string; limit?: number; part?: string }; answer: TaskPage };
  "/api/dags/{dag_id}/runs/{run_id}/steps/{step}/tasks/{task}": { path: { task: string; step: string; dag_id: string; run_id: string }; query: { part?: string }; answer: TaskView };
  "/api/dags/{dag_id}/runs/{run_id}/steps/{step}/tasks/{task}/artifacts": { path: { task: string; dag_id: string; run_id: string; step: string }; query: { name?: string; cursor?: string; limit?: number; part?: string }; answer: ArtifactPage };
  "/api/dags/{dag_id}/runs/{run_id}/steps/{step}/tasks/{task}/attempts/{attempt}/cards": { path: { task: string; attempt: number; dag_id: string; run_id: string; step: string }; query: { part?: string }; answer: CardList };
  "/api/dags/{dag_id}/runs/{run_id}/steps/{step}/tasks/{task}/attempts/{attempt}/cards/{index}": { path: { task: string; attempt: number; index: number; dag_id: string; run_id: string; step: string }; query: { part?: string }; answer: Record<string, unknown> };
  "/api/dags/{dag_id}/runs/{run_id}/steps/{step}/tasks/{task}/attempts/{attempt}/cards/{index}/page": { path: { task: string; attempt: number; index: number; dag_id: string; run_id: string; step: string }; query: { part?: string }; answer: string };
  "/api/dags/{dag_id}/runs/{run_id}/steps/{step}/tasks/{task}/attempts/{attempt}/circumstances": { path: { task: string; attempt: number; dag_id: string; run_id: string; step: string }; query: { part?: string }; answer: Circumstances };
  "/api/dags/{dag_id}/runs/{run_id}/steps/{step}/tasks/{task}/attempts/{attempt}/logs/{stream}": { path: { task: string; attempt: number; stream: "stdout" | "stderr"; dag_id: string; run_id: string; step: string }; query: { start?: number | null; end?: number | null; part?: string }; answer: LogPage };
  "/api/dags/{dag_id}/runs/{run_id}/steps/{step}/tasks/{task}/inputs": { path: { step: string; task: string; dag_id: string; run_id: string }; query: { cursor?: string; limit?: number; part?: string }; answer: InputPage };
  "/api/dags/{dag_id}/trend": { path: { dag_id: string }; query: { step: string; name: string; runs?: number }; answer: TrendView };
  "/api/flows": { path: Record<string, never>; query: { text?: string; cursor?: string; limit?: number }; answer: FlowPage };
  "/api/search": { path: Record<string, never>; query: { query: string; by?: "pathspec" | "tag" | "artifact"; cursor?: string; limit?: number }; answer: FindingPage };
  "/resume/{dag_id}": { path: { dag_id: string }; query: { origin: string; step?: string | null; rerun_changed?: boolean; code?: "current" | "origin"; until?: string | null }; answer: ResumeAnswer };
}

export interface Patch {
  "/api/dags/{dag_id}/runs/{run_id}/tags": { path: { dag_id: string; run_id: string }; query: { part?: string }; body: TagChange; answer: TagsView };
}

export interface Post {
  "/resume/{dag_id}": { path: { dag_id: string }; query: Record<string, never>; body: ResumeQuestion; answer: ResumedRun };
}
