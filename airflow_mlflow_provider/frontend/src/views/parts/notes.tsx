import type { ApiError } from "../api/client";
import "./notes.css";

/** Why something cannot be shown; read out as it appears. */
export function Failure({ error, retry }: { error: ApiError; retry?: () => void }) {
  return (
    <p class="note failure" role="alert">
      {error.message} {retry && <button type="button" onClick={retry}>Try again</button>}
    </p>
  );
}

/** That there is nothing, and why. */
export function Nothing({ children }: { children: preact.ComponentChildren }) {
  return <p class="note muted">{children}</p>;
}

/** Takes the place of what is being loaded, at its height. */
export function Loading({ lines = 3, label = "Loading" }: { lines?: number; label?: string }) {
  return (
    <div class="loading" role="status" aria-label={label}>
      {Array.from({ length: lines }, (_, index) => <div key={index} class="loading-line" />)}
    </div>
  );
}
