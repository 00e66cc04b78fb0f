import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { ApiError } from "./client";

export interface Loaded<Data> {
  /** What was answered last; stays while a newer answer is on its way, so that nothing jumps. */
  data: Data | null;
  error: ApiError | null;
  loading: boolean;
  /** Asks again. */
  reload: () => void;
}

/** Loads what `load` answers, again whenever `key` changes, and every so many seconds with `every`, while the page is seen.
 *
 * `key` names what is loaded: with another one, the data of the one before is dropped; `null` loads nothing. */
export function useData<Data>(key: string | null, load: (signal: AbortSignal) => Promise<Data>, every?: number | null): Loaded<Data> {
  const [state, setState] = useState<{ key: string | null; data: Data | null; error: ApiError | null }>({ key: null, data: null, error: null });
  const [round, setRound] = useState(0);
  const latest = useRef(load);
  latest.current = load;

  useEffect(() => {
    if (key === null) return undefined;
    const abort = new AbortController();
    latest.current(abort.signal).then(
      (data) => setState((old) => (old.key === key && same(old.data, data) && !old.error ? old : { key, data, error: null })),
      (error: unknown) => {
        if (abort.signal.aborted) return;
        const told = error instanceof ApiError ? error : new ApiError(0, String(error));
        setState((old) => ({ key, data: old.key === key ? old.data : null, error: told }));
      },
    );
    return () => abort.abort();
  }, [key, round]);

  useEffect(() => {
    if (!every || key === null) return undefined;
    const timer = setInterval(() => document.hidden || setRound((old) => old + 1), every * 1000);
    return () => clearInterval(timer);
  }, [every, key]);

  const reload = useCallback(() => setRound((old) => old + 1), []);
  const isOwn = state.key === key;
  return { data: isOwn ? state.data : null, error: isOwn ? state.error : null, loading: key !== null && !isOwn, reload };
}

function same(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
