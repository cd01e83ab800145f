// A charted entry: what software suggested or a nurse scored, what it stands at and who said so.
import type { Observation } from "fhir/r4";
import { mark } from "../state/moment";
import { component, endOf, hasCode, idOf, LOINC, NIPS, numberOf, OWN, SCORES } from "./coded";
import { readScore, type Score } from "./score";

const TAGS = `${OWN}/CodeSystem/tag`;

export interface Entry {
  id: string;
  version: string;
  status: string;
  start: number;
  end: number;
  score: Score;
  kind: string;
  isNurse: boolean;
  /** Kept for a study: nobody verifies it. */
  isOfStudy: boolean;
  by: string;
  /** The last change: who, when, why by a word of ours, and in the person's own words. */
  changed: { by: string; at: number; cause: string; text: string } | null;
  derivedFrom: string;
  resource: Observation;
}

export function isCharted(of: Observation): boolean {
  return hasCode(of.code, SCORES, "pain-score") || hasCode(of.code, LOINC, NIPS);
}

export function readEntry(of: Observation): Entry {
  return {
    id: of.id ?? "",
    version: of.meta?.versionId ?? "",
    status: of.status,
    start: Date.parse(of.effectivePeriod?.start ?? of.effectiveDateTime ?? ""),
    end: endOf(of),
    score: readScore(of, mark()),
    kind: component(of, "entry-kind")?.valueCodeableConcept?.text ?? "",
    isNurse: hasCode(of.code, LOINC, NIPS),
    isOfStudy: of.meta?.tag?.some((one) => one.system === TAGS && one.code === "study") ?? false,
    by: of.performer?.[0]?.display ?? of.performer?.[0]?.identifier?.value ?? "",
    changed: lastChange(of),
    derivedFrom: idOf(of.derivedFrom?.[0]?.reference),
    resource: of,
  };
}

function lastChange(of: Observation): Entry["changed"] {
  const note = of.note?.findLast((one) => one.authorString !== undefined);
  if (note === undefined) return null;
  return { by: note.authorString ?? "", at: Date.parse(note.time ?? ""), ...causeAndReason(note.text) };
}

/** Behind "2. status: entered-in-error (review)." stands the person's own reason. */
function causeAndReason(text: string): { cause: string; text: string } {
  const ours = /^\d+\. status: [a-z-]+ \(([^)]*)\)\. ?/.exec(text);
  return ours === null ? { cause: "", text } : { cause: ours[1] ?? "", text: text.slice(ours[0].length) };
}

export const ITEMS: [string, number][] = [
  ["nips-facial-expression", 1],
  ["nips-cry", 2],
  ["nips-breathing", 1],
  ["nips-arms", 1],
  ["nips-legs", 1],
  ["nips-arousal", 1],
];

/** The Observation as it was read, accepted, or rejected with the reason. */
export function judged(entry: Entry, status: "final" | "entered-in-error", reason: string): Observation {
  const notes = entry.resource.note ?? [];
  return { ...entry.resource, status, note: reason ? [...notes, { text: reason }] : notes };
}

/** A nurse's own score in place of the entry. */
export function rescored(entry: Entry, items: Map<string, number>, reason: string): Observation {
  const derivedFrom = [{ reference: `Observation/${entry.id}/_history/${entry.version}` }];
  const resource = { ...scored(items), derivedFrom };
  return reason ? { ...resource, note: [{ text: reason }] } : resource;
}

/** What a nurse scored by herself, in a study: of an infant, at a time in ms. */
export function ownScore(patient: string, items: Map<string, number>, at: number): Observation {
  const effectiveDateTime = new Date(at).toISOString().replace(/\.\d+Z$/, "Z");
  return { ...scored(items), subject: { reference: `Patient/${patient}` }, effectiveDateTime };
}

function scored(items: Map<string, number>): Observation {
  return {
    resourceType: "Observation",
    status: "final",
    code: { coding: [{ system: LOINC, code: NIPS }] },
    valueQuantity: { value: [...items.values()].reduce((sum, one) => sum + one, 0) },
    component: [...items].map(([code, value]) => ({
      code: { coding: [{ system: SCORES, code }] },
      valueInteger: value,
    })),
  };
}

export function itemsOf(of: Observation): [string, number | null][] {
  return ITEMS.map(([code]) => [code, numberOf(component(of, code))]);
}
