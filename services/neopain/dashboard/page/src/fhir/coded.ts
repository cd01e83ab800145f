// What of a FHIR R4 resource is found by its codes.
import type { CodeableConcept, Extension, Observation, ObservationComponent } from "fhir/r4";

export const OWN = "https://neopain.org/fhir";
export const SCORES = `${OWN}/CodeSystem/score`;
export const LOINC = "http://loinc.org";
export const NIPS = "98012-8";

export function hasCode(concept: CodeableConcept | undefined, system: string, code: string): boolean {
  return concept?.coding?.some((one) => one.system === system && one.code === code) ?? false;
}

/** The code of the concept in the system. */
export function codeIn(concept: CodeableConcept | undefined, system: string): string | undefined {
  return concept?.coding?.find((one) => one.system === system)?.code;
}

export function component(of: Observation, code: string, system = SCORES): ObservationComponent | undefined {
  return of.component?.find((one) => hasCode(one.code, system, code));
}

/** A number, or null where there is none: never a zero in its place. */
export function numberOf(of: { valueQuantity?: { value?: number }; valueInteger?: number } | undefined): number | null {
  return of?.valueQuantity?.value ?? of?.valueInteger ?? null;
}

export function componentNumber(of: Observation, code: string): number | null {
  return numberOf(component(of, code));
}

export function extension(of: { extension?: Extension[] }, name: string): Extension | undefined {
  return of.extension?.find((one) => one.url === `${OWN}/StructureDefinition/${name}`);
}

export function part(of: Extension | undefined, url: string): Extension | undefined {
  return of?.extension?.find((one) => one.url === url);
}

/** The id that a reference ends with. */
export function idOf(reference: string | undefined): string {
  return (
    reference
      ?.replace(/\/_history\/.*$/, "")
      .split("/")
      .at(-1) ?? ""
  );
}

export function isTestData(of: { meta?: { security?: { code?: string }[] } }): boolean {
  return of.meta?.security?.some((one) => one.code === "HTEST") ?? false;
}

/** The end of what an Observation is about, in ms. */
export function endOf(of: Observation): number {
  return Date.parse(of.effectivePeriod?.end ?? of.effectiveDateTime ?? of.issued ?? "");
}
