import type { ComponentChildren } from "preact";
import { useId, useRef } from "preact/hooks";
import "./tabs.css";

/** Tabs with their panel; arrow keys move between them. */
export function Tabs({ names, chosen, choose, label, children }: {
  names: Record<string, string>;
  chosen: string;
  choose: (name: string) => void;
  label: string;
  children: ComponentChildren;
}) {
  const id = useId(); // tabs may stand in tabs
  const list = useRef<HTMLDivElement>(null);
  const keys = Object.keys(names);
  const move = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, Home: -keys.length, End: keys.length }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = keys.indexOf(chosen) + step;
    const next = keys[Math.abs(step) === 1 ? (at + keys.length) % keys.length : Math.min(Math.max(at, 0), keys.length - 1)];
    if (!next) return;
    choose(next);
    list.current?.querySelector<HTMLElement>(`[data-name="${next}"]`)?.focus();
  };
  return (
    <>
      <div class="tabs" role="tablist" aria-label={label} ref={list} onKeyDown={move}>
        {keys.map((name) => (
          <button
            key={name}
            type="button"
            role="tab"
            id={`${id}-${name}`}
            data-name={name}
            aria-selected={name === chosen}
            aria-controls={`${id}-panel`}
            tabIndex={name === chosen ? 0 : -1}
            onClick={() => choose(name)}
          >
            {names[name]}
          </button>
        ))}
      </div>
      <div role="tabpanel" id={`${id}-panel`} aria-labelledby={`${id}-${chosen}`} class="tab-panel">{children}</div>
    </>
  );
}
