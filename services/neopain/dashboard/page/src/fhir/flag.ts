// A Flag as an alert: a notice that somebody should look, no alarm.
import type { Flag } from "fhir/r4";
import { codeIn, extension, idOf, OWN, part } from "./coded";
import type { Level } from "./score";

export interface Alert {
  id: string;
  patient: string;
  level: Exclude<Level, "low">;
  opened: number;
  wantsAnswer: boolean;
  isSustained: boolean;
  escalations: number;
  snoozedUntil: number | null;
  acknowledgedBy: string;
}

export function readAlert(flag: Flag): Alert | null {
  const level = codeIn(flag.code, `${OWN}/CodeSystem/alert-level`);
  if (level !== "mild" && level !== "moderate" && level !== "severe") return null;
  const until = extension(flag, "alert-snoozed-until")?.valueDateTime;
  return {
    id: flag.id ?? "",
    patient: idOf(flag.subject.reference),
    level,
    opened: Date.parse(flag.period?.start ?? ""),
    wantsAnswer: extension(flag, "alert-wants-answer")?.valueBoolean ?? false,
    isSustained: extension(flag, "alert-sustained")?.valueBoolean ?? false,
    escalations: extension(flag, "alert-escalations")?.valueInteger ?? 0,
    snoozedUntil: until === undefined ? null : Date.parse(until),
    acknowledgedBy: lastBy(flag),
  };
}

function lastBy(flag: Flag): string {
  const acts = (flag.extension ?? []).filter((one) => one.url.endsWith("/alert-acknowledged"));
  return part(acts.at(-1), "by")?.valueString ?? "";
}
