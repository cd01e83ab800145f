// Ten seconds of scores or vitals, for plots.
import type { Observation } from "fhir/r4";
import { codeIn, componentNumber, LOINC, numberOf, SCORES } from "./coded";

export const KINDS = ["score", "heart-rate", "spo2", "respiration", "movement"] as const;
export type Kind = (typeof KINDS)[number];

export interface Point {
  kind: Kind;
  patient: string;
  /** Begin, in s. */
  at: number;
  value: number | null;
  low: number | null;
  high: number | null;
}

const OWN_CODE: Record<string, Kind> = {
  "aggregated-pain-score": "score",
  "aggregated-heart-rate": "heart-rate",
  "aggregated-spo2": "spo2",
  "aggregated-respiration": "respiration",
  "aggregated-movement": "movement",
  "pain-score": "score",
};
const LOINC_CODE: Record<string, Kind> = {
  "8867-4": "heart-rate",
  "59408-5": "spo2",
  "2708-6": "spo2",
  "9279-1": "respiration",
};

/** The point of an Observation; null for one that belongs on no plot. */
export function readPoint(of: Observation): Point | null {
  const kind = OWN_CODE[codeIn(of.code, SCORES) ?? ""] ?? LOINC_CODE[codeIn(of.code, LOINC) ?? ""];
  const begin = Date.parse(of.effectivePeriod?.start ?? of.effectiveDateTime ?? "");
  if (kind === undefined || Number.isNaN(begin)) return null;
  const [low, high] = kind === "score" ? ["interval-low", "interval-high"] : ["low", "high"];
  return {
    kind,
    patient: of.subject?.reference?.split("/").at(-1) ?? "",
    at: begin / 1000,
    value: numberOf(of),
    low: componentNumber(of, low),
    high: componentNumber(of, high),
  };
}
