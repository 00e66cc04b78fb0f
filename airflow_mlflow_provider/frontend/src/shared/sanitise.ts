import DOMPurify from "dompurify";
import { Marked } from "marked";

const marked = new Marked({ gfm: true, breaks: false, async: false });

// Links leave the frame they are in and hand nothing on; pictures are data, never addresses that are asked on the net.
DOMPurify.addHook("afterSanitizeAttributes", (node) => {
  const name = node.nodeName.toLowerCase();
  if (name === "a") {
    const address = node.getAttribute("href") ?? node.getAttribute("xlink:href");
    if (address && !/^[#/]/.test(address)) {
      node.setAttribute("target", "_blank");
      node.setAttribute("rel", "noopener noreferrer");
    }
  } else if (name === "img" && !isPicture(node.getAttribute("src") ?? "")) {
    node.removeAttribute("src");
  }
});

/** HTML without anything that runs, loads, covers the page or sends a form. */
export function sanitise(html: string): string {
  return DOMPurify.sanitize(html, {
    USE_PROFILES: { html: true, svg: true },
    FORBID_TAGS: ["style", "form", "input", "button", "select", "textarea", "audio", "video", "source", "picture", "use", "image", "feimage"],
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
