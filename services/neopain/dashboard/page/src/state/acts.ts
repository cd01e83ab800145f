// What a nurse does, written as FHIR; `Refusal` has the server's words where it says no.
import type { Parameters, ParametersParameter } from "fhir/r4";
import { type Entry, judged, ownScore, rescored } from "../fhir/entry";
import { type Alert, readAlert } from "../fhir/flag";
import { ask } from "../fhir/http";
import { course } from "./course";
import { serverNow } from "./moment";
import { session } from "./session";
import { replaceAlert } from "./ward";

const WRITE_MS = 10_000;

async function operate(alert: Alert, operation: string, more: ParametersParameter[]): Promise<void> {
  const seen = { name: "seen", valueCode: alert.level };
  const body: Parameters = { resourceType: "Parameters", parameter: [seen, ...more] };
  const path = `${session.value?.fhir}Flag/${alert.id}/$${operation}`;
  const flag = readAlert(await ask(path, { method: "POST", body, longestMs: WRITE_MS }));
  if (flag !== null) replaceAlert(flag);
}

export function acknowledge(alert: Alert): Promise<void> {
  return operate(alert, "acknowledge", []);
}

export function snooze(alert: Alert, minutes: number): Promise<void> {
  return operate(alert, "snooze", [{ name: "minutes", valueInteger: minutes }]);
}

/** Accepts an entry, or rejects it with the reason, as the version that was seen. */
export async function judge(entry: Entry, status: "final" | "entered-in-error", reason: string): Promise<void> {
  const path = `${session.value?.fhir}Observation/${entry.id}`;
  const body = judged(entry, status, reason);
  await ask(path, { method: "PUT", body, version: entry.version, longestMs: WRITE_MS });
  await course.readEntries();
}

/** Puts a nurse's own score in the place of an entry. */
export async function rescore(entry: Entry, items: Map<string, number>, reason: string): Promise<void> {
  const body = rescored(entry, items, reason);
  await ask(`${session.value?.fhir}Observation`, { method: "POST", body, longestMs: WRITE_MS });
  await course.readEntries();
}

/** Keeps what a nurse scored by herself just now, in a unit in study mode. */
export async function scoreFirst(patient: string, items: Map<string, number>): Promise<void> {
  const body = ownScore(patient, items, serverNow());
  await ask(`${session.value?.fhir}Observation`, { method: "POST", body, longestMs: WRITE_MS });
  await course.readEntries();
}
