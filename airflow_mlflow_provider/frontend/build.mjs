// Builds the bundles that are committed and shipped in the wheel, and records beside each the hash of what it was made of,
// so that a test can tell without Node whether a bundle is current.
//
// usage: node build.mjs [FOLDER]      (default: the package; else FOLDER/cards/static and FOLDER/plugins/static)

import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";

const here = dirname(fileURLToPath(import.meta.url));
const target = resolve(process.argv[2] ?? join(here, ".."));
const shared = ["build.mjs", "package.json", "package-lock.json", "tsconfig.json", "src/shared"];

const bundles = [
  { folder: "cards/static", sources: ["src/card"], files: { card: "src/card/main.tsx", vega: "src/card/vega.ts" } },
  { folder: "plugins/static", sources: ["src/card", "src/views"], files: { views: "src/views/main.tsx" } },
];

/** All files below the given ones, as paths from here with `/`, sorted. */
function filesOf(paths) {
  const found = paths.flatMap((path) => {
    const entries = /\.\w+$/.test(path) ? [] : readdirSync(join(here, path), { recursive: true, withFileTypes: true });
    const inside = entries.filter((entry) => entry.isFile());
    return entries.length ? inside.map((entry) => join(entry.parentPath ?? entry.path, entry.name)) : [join(here, path)];
  });
  return found.map((path) => path.slice(here.length + 1).replaceAll("\\", "/")).sort();
}

/** The hash that `tests/frontend/test_bundles.py` computes as well. */
function hashOf(paths) {
  const hash = createHash("sha256");
  for (const path of filesOf(paths)) {
    const content = readFileSync(join(here, path), "utf8").replaceAll("\r\n", "\n");
    hash.update(`${path}\n${Buffer.byteLength(content)}\n`).update(content);
  }
  return hash.digest("hex");
}

async function bundle(name, entry, folder) {
  await build({
    configFile: false,
    root: here,
    logLevel: "warn",
    define: { "process.env.NODE_ENV": '"production"' },
    build: {
      outDir: folder,
      emptyOutDir: false,
      target: "es2022",
      minify: true,
      lib: { entry: join(here, entry), formats: ["iife"], name: `flows_${name}`, fileName: () => `${name}.js`, cssFileName: name },
    },
  });
}

for (const { folder, sources, files } of bundles) {
  const made = join(target, folder);
  mkdirSync(made, { recursive: true });
  for (const [name, entry] of Object.entries(files)) await bundle(name, entry, made);
  const all = [...shared, ...sources];
  writeFileSync(join(made, "bundle.json"), `${JSON.stringify({ sources: all, sha256: hashOf(all) }, null, 2)}\n`);
}
