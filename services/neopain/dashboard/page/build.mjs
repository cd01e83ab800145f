// Builds the page into the folder that NEOPAIN_PAGE_OUT names: one script, one style sheet, index.html.
import { copyFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";

const out = process.env.NEOPAIN_PAGE_OUT;
if (!out) {
  console.error("NEOPAIN_PAGE_OUT is not set: name the folder to build into");
  process.exit(1);
}
const here = import.meta.dirname;
await mkdir(join(out, "assets"), { recursive: true });
await build({
  entryPoints: [join(here, "src/page.tsx")],
  outdir: join(out, "assets"),
  bundle: true,
  minify: true,
  format: "esm",
  target: ["es2022"],
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "linked",
  logLevel: "warning",
});
await copyFile(join(here, "index.html"), join(out, "index.html"));
await copyFile(join(here, "icon.svg"), join(out, "assets/icon.svg"));
