// Shapes that say a level or a state without colour.
import type { Level } from "../fhir/score";
import { LEVEL_WORD } from "../strings";

const SHAPE: Record<Level, string> = {
  low: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18Z",
  mild: "M12 3 22 20H2Z",
  moderate: "M12 1.5 22.5 12 12 22.5 1.5 12Z",
  severe: "M7.8 2h8.4L22 7.8v8.4L16.2 22H7.8L2 16.2V7.8Z",
};
const MARK: Partial<Record<Level, string>> = {
  mild: "M12 9v5M12 17v.5",
  moderate: "M12 7v6M12 16.5v.5",
  severe: "M9 6.5v7M9 17v.5M15 6.5v7M15 17v.5",
};

/** The level as a badge: a shape of its own, a colour of its own, and its word. */
export function LevelBadge({ level }: { level: Level }) {
  return (
    <span class={`level level-${level}`}>
      <svg viewBox="0 0 24 24" aria-hidden="true">
        <path class="shape" d={SHAPE[level]} />
        {MARK[level] && <path class="sign" d={MARK[level]} />}
      </svg>
      {LEVEL_WORD[level]}
    </span>
  );
}

export function Tick({ isOn }: { isOn: boolean }) {
  return (
    <svg class="tick" viewBox="0 0 16 16" aria-hidden="true">
      <path d={isOn ? "M2.5 8.5 6.5 12.5 13.5 4" : "M3.5 3.5 12.5 12.5M12.5 3.5 3.5 12.5"} />
    </svg>
  );
}
