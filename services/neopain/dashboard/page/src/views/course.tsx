// Score, vitals and movement on one time axis with one cursor.
import { useMemo, useRef } from "preact/hooks";
import { KINDS, type Kind } from "../fhir/course";
import { course, RANGES } from "../state/course";
import { slotNow } from "../state/series";
import { session } from "../state/session";
import { COURSE, clock, TEXT } from "../strings";
import { inWords, moveCursor, Plot, type PlotLook } from "./plot";

const SHARED = { isSmall: false, hasPoints: false, sync: "bed", lowLabel: "lowest", highLabel: "highest" };
const LOOKS: Record<Kind, PlotLook> = {
  score: {
    ...SHARED,
    label: COURSE.score,
    unit: TEXT.ofTen,
    height: 300,
    range: [0, 10],
    lowLabel: COURSE.low,
    highLabel: COURSE.high,
    decimals: 1,
    colour: "line-score",
  },
  "heart-rate": vital("heart-rate", "/min", 0, "line-heart", [100, 180]),
  spo2: vital("spo2", "%", 0, "line-spo2", [85, 100]),
  respiration: vital("respiration", "/min", 0, "line-respiration", [20, 80]),
  movement: vital("movement", "0 to 1", 2, "line-movement", [0, 1]),
};
const SPARSE = Object.fromEntries(KINDS.map((kind) => [kind, { ...LOOKS[kind], hasPoints: true }])) as typeof LOOKS;

function vital(
  kind: Exclude<Kind, "score">,
  unit: string,
  decimals: number,
  colour: string,
  range: PlotLook["range"],
): PlotLook {
  return { ...SHARED, label: COURSE[kind], unit, height: 150, range, decimals, colour };
}

export function Course() {
  const group = useRef<HTMLElement>(null);
  const to = slotNow.value;
  const from = to - course.hours.value * 3600;
  return (
    <section class="course" aria-labelledby="course-title">
      <header>
        <h2 id="course-title">{COURSE.title}</h2>
        <Ranges />
        {course.reading.value !== null && (
          <p class="soft">
            {COURSE.readingBack} {clock(course.reading.value * 1000)}
          </p>
        )}
      </header>
      <section
        class="plots"
        ref={group}
        aria-label={COURSE.cursor}
        tabIndex={0}
        onKeyDown={(event) => group.current && moveCursor(group.current, event)}
      >
        {KINDS.map((kind) => (
          <OnePlot key={kind} kind={kind} from={from} to={to} />
        ))}
      </section>
    </section>
  );
}

function OnePlot({ kind, from, to }: { kind: Kind; from: number; to: number }) {
  const changes = course.changed.value;
  const columns = useMemo(
    () => (changes < 0 ? null : course.series.columns(kind, from, to)),
    [kind, from, to, changes],
  );
  const look = session.value?.source === "other" ? SPARSE[kind] : LOOKS[kind];
  if (columns === null) return null;
  return <Plot columns={columns} look={look} from={from} to={to} told={inWords(look.label, columns, look.decimals)} />;
}

function Ranges() {
  return (
    <fieldset class="ranges">
      <legend class="for-readers">{COURSE.range}</legend>
      {RANGES.map((hours) => (
        <label key={hours} class={course.hours.value === hours ? "is-chosen" : ""}>
          <input
            type="radio"
            name="range"
            checked={course.hours.value === hours}
            onChange={() => course.showHours(hours)}
          />
          {hours} {COURSE.hours}
        </label>
      ))}
    </fieldset>
  );
}
