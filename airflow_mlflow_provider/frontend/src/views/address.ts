/** The state of a view in its address, so that what somebody sees can be sent to somebody else.
 *
 * Inside Airflow the page is a frame; its state then stands behind the `#` of the page around it, whose address people copy. */
import { useEffect, useState } from "preact/hooks";
import { root } from "./api/client";

/** The parts of the page's address behind `/view/`: the name of the view, then what it shows. */
export function pagePath(): string[] {
  const rest = location.pathname.slice(root.length).replace(/^\/view\//, "");
  return rest.split("/").map(decodeURIComponent);
}

/** The window whose address people see: Airflow's own page around this one, or this one if it stands alone. */
export function outerWindow(): Window {
  try {
    return window.parent.location.origin === location.origin ? window.parent : window;
  } catch {
    return window; // a page of another origin is around us
  }
}

export type ViewState = Record<string, string>;

function read(): ViewState {
  return Object.fromEntries(new URLSearchParams(outerWindow().location.hash.slice(1)));
}

function written(state: ViewState): string {
  const given = Object.entries(state).filter(([, value]) => value !== "");
  return given.length ? `#${new URLSearchParams(given)}` : "";
}

// Each part of a view that uses the state; a change by one of them is told to all, as the browser tells it to none.
const followers = new Set<(state: ViewState) => void>();

/** The state in the address and a function that changes parts of it; a part set to `""` is left out. */
export function useViewState(): [ViewState, (change: ViewState, options?: { replace?: boolean }) => void] {
  const [state, setState] = useState(read);
  useEffect(() => {
    const outer = outerWindow();
    const changed = () => setState(read());
    followers.add(setState);
    outer.addEventListener("hashchange", changed);
    outer.addEventListener("popstate", changed);
    return () => {
      followers.delete(setState);
      outer.removeEventListener("hashchange", changed);
      outer.removeEventListener("popstate", changed);
    };
  }, []);
  const change = (part: ViewState, options: { replace?: boolean } = {}) => {
    const outer = outerWindow();
    const next = { ...read(), ...part };
    const { pathname, search } = outer.location;
    // Airflow's router keeps its own state with the entry.
    outer.history[options.replace ? "replaceState" : "pushState"](outer.history.state, "", `${pathname}${search}${written(next)}`);
    for (const follow of followers) follow(next);
  };
  return [state, change];
}

/** Opens a page of Airflow in the whole window: the frame we are in may not do so itself, a link of the page around it may. */
export function openAirflow(path: string): void {
  const outer = outerWindow();
  const link = outer.document.createElement("a");
  link.href = `${airflowRoot()}${path}`;
  outer.document.body.append(link);
  link.click();
  link.remove();
}

/** Where Airflow is, such as `` or `/airflow`. */
export function airflowRoot(): string {
  return root.replace(/\/flows$/, "");
}
