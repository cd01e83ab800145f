// Builds the page into the folder that NEOPAIN_PAGE_OUT names: one script and one style sheet, with a digest in their
// names since browsers keep them for good, and index.html, which names them.
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { build } from "esbuild";

const out = process.env.NEOPAIN_PAGE_OUT;
if (!out) {
  console.error("NEOPAIN_PAGE_OUT is not set: name the folder to build into");
  process.exit(1);
}
const here = import.meta.dirname;
await mkdir(join(out, "assets"), { recursive: true });
const { metafile } = await build({
  entryPoints: [join(here, "src/page.tsx")],
  outdir: join(out, "assets"),
  entryNames: "[name]-[hash]",
  metafile: true,
  bundle: true,
  minify: true,
  format: "esm",
  target: ["es2022"],
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none",
  logLevel: "warning",
});
const built = Object.keys(metafile.outputs).map((path) => basename(path));
const index = await readFile(join(here, "index.html"), "utf8");
await writeFile(
  join(out, "index.html"),
  index.replace(/page\.(css|js)/g, (_, kind) => builtFile(kind)),
);
await copyFile(join(here, "icon.svg"), join(out, "icon.svg"));

const BUILT_IN = ["preact", "@preact/signals", "@preact/signals-core", "uplot"];
const licences = BUILT_IN.map((name) => readFile(join(here, "node_modules", name, "LICENSE"), "utf8"));
const texts = (await Promise.all(licences)).map((text, place) => `${BUILT_IN[place]}\n\n${text}`);
await writeFile(join(out, "licences.txt"), texts.join("\n\n"));

function builtFile(kind) {
  return built.find((name) => name.startsWith("page-") && name.endsWith(`.${kind}`));
}
