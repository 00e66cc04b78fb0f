import { useEffect, useRef, useState } from "preact/hooks";
import type { Json } from "./document";

// Runs inside the frame: tells its height, and hands live data to the card's own function, if it has one.
const inside = `<script>
addEventListener("message", (event) => {
  if (event.source === parent && event.data && event.data.kind === "card-data" && typeof window.metaflow_card_update === "function") {
    window.metaflow_card_update(event.data.data);
  }
});
const tell = () => parent.postMessage({ kind: "card-height", height: document.documentElement.scrollHeight }, "*");
addEventListener("load", tell);
new ResizeObserver(tell).observe(document.documentElement);
</script>`;

/** HTML of the user's in a sandbox: its scripts run, and reach neither this page nor its origin, cookies or storage. */
export function HtmlFrame({ html, title, data, fill = false }: {
  html: string;
  title: string;
  data?: Json | undefined;
  fill?: boolean;
}) {
  const frame = useRef<HTMLIFrameElement>(null);
  const [height, setHeight] = useState(fill ? 600 : 80);
  useEffect(() => {
    const heard = (event: MessageEvent<unknown>) => {
      if (event.source !== frame.current?.contentWindow) return;
      const told = event.data as { kind?: string; height?: unknown } | null;
      if (told?.kind === "card-height" && typeof told.height === "number") setHeight(Math.min(Math.max(told.height, 40), 20_000));
    };
    addEventListener("message", heard);
    return () => removeEventListener("message", heard);
  }, []);
  useEffect(() => frame.current?.contentWindow?.postMessage({ kind: "card-data", data }, "*"), [data]);
  return (
    <iframe ref={frame} class="html-frame" title={title} sandbox="allow-scripts" srcdoc={html + inside} style={{ height: `${height}px` }} />
  );
}
