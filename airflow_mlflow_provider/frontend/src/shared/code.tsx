import hljs from "highlight.js/lib/core";
import json from "highlight.js/lib/languages/json";
import python from "highlight.js/lib/languages/python";
import yaml from "highlight.js/lib/languages/yaml";
import { sanitise } from "./sanitise";

hljs.registerLanguage("json", json);
hljs.registerLanguage("python", python);
hljs.registerLanguage("yaml", yaml);

const longest = 200_000;

/** Source text, coloured where its language is known and it is not too long to be. */
export function Code({ text, language, label }: { text: string; language: string; label?: string }) {
  const name = label ?? `${language} code`;
  if (!hljs.getLanguage(language) || text.length > longest) {
    return <pre tabIndex={0} role="group" aria-label={name}><code>{text}</code></pre>;
  }
  const html = sanitise(hljs.highlight(text, { language }).value);
  return (
    <pre tabIndex={0} role="group" aria-label={name}>
      <code dangerouslySetInnerHTML={{ __html: html }} />
    </pre>
  );
}
