import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { ApiError } from "./client";

export interface Pages<Page> {
  /** What has been loaded, page after page. */
  pages: Page[];
  error: ApiError | null;
  busy: boolean;
  /** Cursor of the next page; empty when all is there. */
  next: string;
  /** Loads the next page, or the one that failed again. */
  more: () => void;
}

/** Loads a list page after page; another `key` begins anew. */
export function usePages<Page extends { next: string }>(
  key: string,
  load: (cursor: string, signal: AbortSignal) => Promise<Page>,
): Pages<Page> {
  const [state, setState] = useState<{ key: string; pages: Page[]; error: ApiError | null }>({ key, pages: [], error: null });
  const [asked, setAsked] = useState({ key, round: 0 });
  const latest = useRef(load);
  latest.current = load;
  const pages = state.key === key ? state.pages : [];
  const next = pages.at(-1)?.next ?? "";
  const round = asked.key === key ? asked.round : 0;
  const done = state.key === key && (state.pages.length > round || state.error !== null);

  useEffect(() => {
    const abort = new AbortController();
    latest.current(next, abort.signal).then(
      (page) => setState((old) => ({ key, pages: [...(old.key === key ? old.pages : []), page], error: null })),
      (error: unknown) => {
        if (abort.signal.aborted) return;
        const told = error instanceof ApiError ? error : new ApiError(0, String(error));
        setState((old) => ({ key, pages: old.key === key ? old.pages : [], error: told }));
      },
    );
    return () => abort.abort();
  }, [key, round]);

  const more = useCallback(() => setAsked((old) => ({ key, round: (old.key === key ? old.round : 0) + 1 })), [key]);
  return { pages, error: state.key === key ? state.error : null, busy: !done, next, more };
}
