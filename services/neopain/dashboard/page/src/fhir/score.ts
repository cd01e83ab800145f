// An Observation as a score: a number with its interval, or the reason why there is none.
import type { Observation } from "fhir/r4";
import { type Mark, secondsSince, serverNow } from "../state/moment";
import {
  component,
  componentNumber,
  endOf,
  extension,
  hasCode,
  isTestData,
  LOINC,
  NIPS,
  numberOf,
  SCORES,
} from "./coded";

export type Level = "low" | "mild" | "moderate" | "severe";

/** Where a class of NIPS begins, cut half-way between whole points (2.5, 3.5, 4.5 of 7), on the scale 0 to 10. */
export const LEVEL_FROM: [Exclude<Level, "low">, number][] = [
  ["severe", 6.43],
  ["moderate", 5],
  ["mild", 3.57],
];

/** Why a number is not told in a unit in which nurses score first. */
export const STUDY_MODE = "study-mode";

export interface Presence {
  name: string;
  /** Percent of windows; null where it is absent. */
  share: number | null;
  reason: string;
}

export interface Score {
  id: string;
  patient: string;
  /** The bed in which it was scored, as the census has it; empty where the server does not say. */
  bed: string;
  value: number | null;
  low: number | null;
  high: number | null;
  nips: number | null;
  reason: string;
  presences: Presence[];
  drugs: string[];
  end: number;
  /** How old it was when it was told, in s, and when that was. */
  age: number;
  told: Mark;
  isLive: boolean;
  isUnlike: boolean;
  weights: string;
  isTest: boolean;
}

export function levelOf(value: number): Level {
  return LEVEL_FROM.find(([, from]) => value >= from)?.[0] ?? "low";
}

/** Seconds since the end of what the score is about. */
export function ageOf(score: Score): number {
  return score.age + secondsSince(score.told);
}

export function readScore(of: Observation, told: Mark): Score {
  const end = endOf(of);
  const isOwn = hasCode(of.code, LOINC, NIPS) === false;
  const value = numberOf(of);
  return {
    id: of.id ?? "",
    patient: of.subject?.reference?.split("/").at(-1) ?? "",
    bed: extension(of, "score-bed")?.valueString ?? "",
    value: isOwn || value === null ? value : (value * 10) / 7,
    low: componentNumber(of, "interval-low"),
    high: componentNumber(of, "interval-high"),
    nips: isOwn ? numberOf(component(of, NIPS, LOINC)) : value,
    reason: value === null ? (of.dataAbsentReason?.text ?? of.dataAbsentReason?.coding?.[0]?.code ?? "") : "",
    presences: ["face", "cry", "physiology", "movement"].flatMap((name) => readPresence(of, name)),
    drugs: readDrugs(of),
    end,
    age: componentNumber(of, "age") ?? Math.max(0, (serverNow() - end) / 1000),
    told,
    isLive: hasCode(of.code, SCORES, "live-pain-score"),
    isUnlike: component(of, "unlike-training-data")?.valueBoolean ?? false,
    weights: component(of, "weights")?.valueCodeableConcept?.coding?.[0]?.code ?? "",
    isTest: isTestData(of),
  };
}

function readPresence(of: Observation, name: string): Presence[] {
  const found = component(of, `modality-${name}`);
  if (found === undefined) return [];
  return [{ name, share: numberOf(found), reason: found.dataAbsentReason?.text ?? "" }];
}

function readDrugs(of: Observation): string[] {
  const classes = ["analgesic", "sedative", "neuromuscular-blocker"];
  return classes.filter((one) => component(of, `drug-${one}`) !== undefined);
}
