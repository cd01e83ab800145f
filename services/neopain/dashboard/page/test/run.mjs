// Bundles the tests, which import without endings as the page does, and runs them.
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { build } from "esbuild";

const here = import.meta.dirname;
const folder = await mkdtemp(join(here, "../.tests-"));
const bundle = join(folder, "page.test.mjs");
await build({
  entryPoints: [join(here, "page.test.ts")],
  outfile: bundle,
  bundle: true,
  platform: "node",
  format: "esm",
  packages: "external",
});
const stream = run({ files: [bundle], isolation: "none" });
stream.on("test:fail", () => {
  process.exitCode = 1;
});
stream.on("end", () => rm(folder, { recursive: true }));
stream.compose(spec).pipe(process.stdout);
