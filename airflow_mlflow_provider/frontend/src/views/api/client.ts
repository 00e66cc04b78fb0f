/** Calls of the JSON API, with the types of its OpenAPI document. */
import type { Get, Post } from "./schema";

/** Where the application is mounted in Airflow, such as `/flows`. */
export const root = document.body.dataset["root"] ?? "";

/** Which part of the DAG run the page is about, where that has runs of several flows; else empty. */
const part = document.body.dataset["part"] ?? "";

/** An answer that is no success; `status` 0 where the server could not be reached. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

type Query = Record<string, string | number | boolean | null | undefined | (string | number)[]>;
type Given<Call extends { path: object; query: object }> = { path: Call["path"]; query?: Call["query"] };

/** An address with its parts and its query filled in; empty parts of the query are left out. */
export function address(path: string, parts: object, query: object = {}): string {
  const values = parts as Record<string, string | number>;
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(values[name])));
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query as Query)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== null && one !== "") search.append(name, String(one));
    }
  }
  if (part && path.includes("{run_id}")) search.append("part", part);
  return `${root}${filled}${search.size ? `?${search}` : ""}`;
}

async function call<Answer>(where: string, options: RequestInit): Promise<Answer> {
  let answer: Response;
  try {
    answer = await fetch(where, options);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(0, "Airflow's API server cannot be reached.");
  }
  const body = (await answer.json().catch(() => null)) as unknown;
  if (!answer.ok) throw new ApiError(answer.status, said(body, answer.status));
  return body as Answer;
}

function said(body: unknown, status: number): string {
  const detail = (body as { detail?: unknown } | null)?.detail;
  if (status === 401) return "You are logged out of Airflow. Log in again, then reload this page.";
  if (status === 403) return "Airflow does not let you see this.";
  if (typeof detail === "string") return detail;
  return detail === undefined ? `The server answered ${status}.` : JSON.stringify(detail);
}

/** Reads; what has not changed since the browser last asked costs an answer without a body. */
export function get<Path extends keyof Get>(path: Path, given: Given<Get[Path]>, signal?: AbortSignal): Promise<Get[Path]["answer"]> {
  return call(address(path, given.path, given.query), { headers: { Accept: "application/json" }, cache: "no-cache", ...(signal && { signal }) });
}

/** Changes something; `body` goes as JSON. */
export function send<Answer>(method: "POST" | "PATCH", where: string, body: unknown): Promise<Answer> {
  return call(where, {
    method,
    headers: { Accept: "application/json", "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
}

export type PostAnswer<Path extends keyof Post> = Post[Path]["answer"];
