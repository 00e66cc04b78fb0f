import DOMPurify from "dompurify";
import { Marked } from "marked";

const marked = new Marked({ gfm: true, breaks: false, async: false });

// Links leave the frame they are in; nothing of the page is handed on.
DOMPurify.addHook("afterSanitizeAttributes", (node) => {
  const address = node instanceof HTMLAnchorElement ? node.getAttribute("href") : null;
  if (address && !/^[#/]/.test(address)) {
    node.setAttribute("target", "_blank");
    node.setAttribute("rel", "noopener noreferrer");
  }
});

/** HTML without anything that runs, loads, covers the page or sends a form. */
export function sanitise(html: string): string {
  return DOMPurify.sanitize(html, {
    USE_PROFILES: { html: true, svg: true },
    FORBID_TAGS: ["style", "form", "input", "button", "select", "textarea", "audio", "video", "source", "picture", "use"],
    FORBID_ATTR: ["style", "srcset", "background", "action", "ping", "id", "name"],
    ALLOWED_URI_REGEXP: /^(?:https?:|mailto:|#|\/(?!\/)|data:image\/(?:png|jpe?g|gif|webp);)/i,
    ALLOW_DATA_ATTR: false,
  });
}

/** Markdown as safe HTML; formatting stays, scripts and event handlers do not. */
export function markdown(text: string): string {
  return sanitise(marked.parse(text) as string);
}

/** Whether an address may be the source of a picture: data of a picture, never an address that is asked on the net. */
export function isPicture(address: string): boolean {
  return /^data:image\/(?:png|jpe?g|gif|webp|svg\+xml|bmp|avif|tiff)[;,]/i.test(address);
}
