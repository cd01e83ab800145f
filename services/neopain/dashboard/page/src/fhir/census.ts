// Who lies where, by the Encounters in progress. A held bed places nobody.
import type { Bundle, Encounter, FhirResource } from "fhir/r4";
import { extension, idOf, isTestData, part } from "./coded";

export interface Place {
  /** The bed as the server names it: NICU/1/3. */
  bed: string;
  patient: string;
  /** Why the bed is held; empty where it is not. */
  held: string;
  isTest: boolean;
}

export function readPlaces(bundle: Bundle<FhirResource>): Place[] {
  return (bundle.entry ?? []).flatMap(({ resource }) =>
    resource?.resourceType === "Encounter" ? placesOf(resource) : [],
  );
}

function placesOf(encounter: Encounter): Place[] {
  const patient = idOf(encounter.subject?.reference);
  const isTest = isTestData(encounter);
  const held = heldIn(encounter);
  if (held.length > 0) return held.map((one) => ({ ...one, patient, isTest }));
  const location = encounter.location?.find((one) => one.status !== "completed")?.location;
  const bed = location?.display ?? location?.reference ?? "";
  return bed ? [{ bed, patient, held: "", isTest }] : [];
}

function heldIn(encounter: Encounter): { bed: string; held: string }[] {
  const url = extension(encounter, "bed-held")?.url;
  return (encounter.extension ?? [])
    .filter((one) => url !== undefined && one.url === url)
    .map((one) => ({
      bed: part(one, "bed")?.valueString ?? "",
      held: part(one, "reason")?.valueString || "held",
    }));
}

/** A bed's name without its facility, for people: `NICU 1 3`. */
export function bedName(bed: string): string {
  return bed.replace(/@.*$/, "").split("/").filter(Boolean).join(" ");
}

/** Beds in the order in which people count them: 2 before 10. */
export const byBed = new Intl.Collator("en", { numeric: true }).compare;
