// What is known of the ward: who lies where, newest scores, alerts, the last hour of scores.
import { signal } from "@preact/signals";
import { byBed, type Place } from "../fhir/census";
import type { Point } from "../fhir/course";
import type { Alert } from "../fhir/flag";
import { ageOf, type Score } from "../fhir/score";
import { link } from "./link";
import { serverNow } from "./moment";
import { Series } from "./series";

/** A score comes once a second: one that is older than this is drawn as old, and after the second limit not at all. */
export const OLD_SECONDS = 6;
export const GONE_SECONDS = 30;
/** The same of a charted value, where there are no live scores. */
export const CHARTED_OLD_SECONDS = 30 * 60;
export const CHARTED_GONE_SECONDS = 4 * 3600;
export const HOUR = 3600;

export type Freshness = "fresh" | "old" | "gone";

export interface Bed {
  bed: string;
  /** None: the bed has become empty while this page was open. */
  place: Place | null;
  score: Score | null;
  alert: Alert | null;
}

export const places = signal<Place[] | null>(null);
const beforeNow = signal<ReadonlySet<string>>(new Set());
const scores = signal<ReadonlyMap<string, Score>>(new Map());
const alerts = signal<ReadonlyMap<string, Alert>>(new Map());

/** Counts the changes of trends, which are kept apart since they grow. */
export const trendsChanged = signal(0);
const trends = new Map<string, Series>();

export function takePlaces(found: Place[]): void {
  const known = new Set([...beforeNow.value, ...found.map((one) => one.bed)]);
  if (known.size !== beforeNow.value.size) beforeNow.value = known;
  places.value = found;
  const here = new Set(found.map((one) => one.patient));
  for (const patient of trends.keys()) if (!here.has(patient)) trends.delete(patient);
}

export function takeScores(found: Score[]): void {
  scores.value = new Map(found.map((one) => [one.patient, one]));
}

export function takeAlerts(found: Alert[]): void {
  alerts.value = new Map(found.map((one) => [one.patient, one]));
}

/** An alert as it is after it was answered. */
export function replaceAlert(alert: Alert): void {
  alerts.value = new Map([...alerts.value, [alert.patient, alert]]);
}

export function takeTrend(points: Point[]): void {
  for (const point of points) {
    if (point.kind !== "score") continue;
    const series = trends.get(point.patient) ?? new Series(HOUR);
    series.add(point);
    trends.set(point.patient, series);
  }
  for (const series of trends.values()) series.prune(serverNow() / 1000);
  trendsChanged.value += 1;
}

/** Everything of these infants was read up to then, in s; also where that was nothing. */
export function markTrends(patients: string[], until: number): void {
  for (const patient of patients) {
    const series = trends.get(patient) ?? new Series(HOUR);
    series.readUntil = until;
    trends.set(patient, series);
  }
  trendsChanged.value += 1;
}

export function trendOf(patient: string): Series | undefined {
  return trends.get(patient);
}

/** Forgets everything: nobody is signed in any more. */
export function forgetWard(): void {
  places.value = null;
  beforeNow.value = new Set();
  scores.value = new Map();
  alerts.value = new Map();
  trends.clear();
}

/** The beds in order. A held bed has no score: it is not sure whose it would be. */
export function beds(): Bed[] {
  const lying = places.value ?? [];
  const taken = new Set(lying.map((one) => one.bed));
  const empty = [...beforeNow.value].filter((one) => !taken.has(one)).map((bed) => ({ bed, place: null }));
  return [...lying.map((place) => ({ bed: place.bed, place })), ...empty]
    .map(({ bed, place }) => ({ bed, place, ...ofPlace(place) }))
    .sort((one, other) => byBed(one.bed, other.bed));
}

function ofPlace(place: Place | null): { score: Score | null; alert: Alert | null } {
  if (place === null) return { score: null, alert: null };
  const alert = alerts.value.get(place.patient) ?? null;
  const score = scores.value.get(place.patient) ?? null;
  return { score: place.held || isElsewhere(place, score) ? null : score, alert };
}

/** Whether an infant was scored in another bed than the one in which the census had it when it was last read. */
function isElsewhere(place: Place, score: Score | null): boolean {
  return score !== null && score.bed !== "" && score.bed !== place.bed;
}

/** Whether the census says otherwise by now than what is shown. */
export function haveMoved(): boolean {
  return (places.value ?? []).some((one) => isElsewhere(one, scores.value.get(one.patient) ?? null));
}

/** Whether a number may look as if it were of now. Without a connection none does. */
export function freshnessOf(score: Score): Freshness {
  const age = ageOf(score);
  if (age > (score.isLive ? GONE_SECONDS : CHARTED_GONE_SECONDS)) return "gone";
  if (link.value.state !== "up") return "old";
  return age > (score.isLive ? OLD_SECONDS : CHARTED_OLD_SECONDS) ? "old" : "fresh";
}
