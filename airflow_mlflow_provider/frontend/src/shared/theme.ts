/** The theme of the page: what its address asks for, else that of the Airflow page around it, else the system's. */
export type Theme = "light" | "dark";

function around(): Element | null {
  try {
    return window.parent === window ? null : window.parent.document.documentElement;
  } catch {
    return null; // a page of another origin, or a sandbox
  }
}

function ofAirflow(root: Element): Theme | null {
  if (root.classList.contains("dark") || root.getAttribute("data-theme") === "dark") return "dark";
  if (root.classList.contains("light") || root.getAttribute("data-theme") === "light") return "light";
  return null;
}

export function themeNow(): Theme {
  const asked = new URLSearchParams(location.search).get("theme");
  if (asked === "light" || asked === "dark") return asked;
  const frame = around();
  const outer = frame ? ofAirflow(frame) : null;
  return outer ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
}

/** Sets the theme now and whenever it changes; calls back after each change. */
export function followTheme(changed: (theme: Theme) => void = () => undefined): void {
  const apply = () => {
    const theme = themeNow();
    if (document.documentElement.dataset["theme"] === theme) return;
    document.documentElement.dataset["theme"] = theme;
    changed(theme);
  };
  apply();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", apply);
  const frame = around();
  if (frame) new MutationObserver(apply).observe(frame, { attributes: true, attributeFilter: ["class", "data-theme"] });
}
