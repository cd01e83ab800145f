// One bed of the ward.
import { useMemo } from "preact/hooks";
import { bedName } from "../fhir/census";
import type { Presence, Score } from "../fhir/score";
import { addressOf, go } from "../state/route";
import { slotNow } from "../state/series";
import { session } from "../state/session";
import { type Bed, HOUR, trendOf, trendsChanged } from "../state/ward";
import { MODALITY, reasonInWords, TEXT } from "../strings";
import { AlertBox } from "./alert";
import { Tick } from "./glyphs";
import { inWords, Plot, type PlotLook } from "./plot";
import { ScoreBlock } from "./score";

export function Card({ bed }: { bed: Bed }) {
  const name = bedName(bed.bed);
  const heading = `bed-${encodeURIComponent(bed.bed)}`;
  return (
    <article class={`card ${bed.alert?.wantsAnswer ? `wants-${bed.alert.level}` : ""}`} aria-labelledby={heading}>
      <h2 id={heading}>
        <a href={addressOf(bed.bed)} onClick={go}>
          {name}
        </a>
        {bed.place?.isTest && <span class="tag">{TEXT.test}</span>}
      </h2>
      <Inside bed={bed} />
    </article>
  );
}

function Inside({ bed }: { bed: Bed }) {
  if (bed.place === null) return <p class="state">{TEXT.empty}</p>;
  if (bed.place.held) return <Held reason={bed.place.held} />;
  return (
    <>
      <ScoreBlock score={bed.score} />
      {bed.score !== null && <Notes score={bed.score} />}
      <Presences presences={bed.score?.presences ?? []} />
      <Trend patient={bed.place.patient} />
      {bed.alert !== null && <AlertBox alert={bed.alert} bed={bed.bed} />}
    </>
  );
}

export function Held({ reason }: { reason: string }) {
  return (
    <div class="state is-held">
      <p class="word">{TEXT.held}</p>
      <p>{reason}</p>
      <p class="soft">{TEXT.heldMore}</p>
    </div>
  );
}

export function Notes({ score }: { score: Score }) {
  const notes = [
    TEXT.investigational,
    ...(score.isUnlike ? [TEXT.unlike] : []),
    ...(score.weights === "simulator" ? [TEXT.simulated] : []),
    ...(score.weights === "untrained" ? [TEXT.untrained] : []),
    ...score.drugs.map((one) => `${one.replaceAll("-", " ")} in effect`),
  ];
  return <p class="notes">{notes.join(" · ")}</p>;
}

export function Presences({ presences }: { presences: Presence[] }) {
  if (presences.length === 0) return null;
  return <ul class="presences">{presences.map(presence)}</ul>;
}

function presence(of: Presence) {
  const isThere = of.share !== null;
  return (
    <li key={of.name} class={isThere ? "is-present" : "is-absent"}>
      <Tick isOn={isThere} />
      <span class="name">{MODALITY[of.name] ?? of.name}</span>
      <span class="reason">{isThere ? "" : reasonInWords(of.reason)}</span>
      <span class="for-readers">{isThere ? TEXT.present : TEXT.absent}</span>
    </li>
  );
}

const SMALL: PlotLook = {
  label: TEXT.lastHour,
  unit: "",
  height: 76,
  range: [0, 10],
  lowLabel: "",
  highLabel: "",
  decimals: 1,
  colour: "line-score",
  isSmall: true,
  hasPoints: false,
  sync: "ward",
};
const SPARSE = { ...SMALL, hasPoints: true };

function Trend({ patient }: { patient: string }) {
  const changes = trendsChanged.value;
  const to = slotNow.value;
  const columns = useMemo(
    () => (changes < 0 ? undefined : trendOf(patient)?.columns("score", to - HOUR, to)),
    [patient, changes, to],
  );
  if (columns === undefined) {
    return (
      <p class="trend is-waiting soft">
        {TEXT.lastHour}: {TEXT.reading}
      </p>
    );
  }
  const look = session.value?.source === "other" ? SPARSE : SMALL;
  return (
    <figure class="trend">
      <figcaption>
        {TEXT.lastHour}
        <span class="axis" aria-hidden="true">
          0–10
        </span>
      </figcaption>
      <Plot columns={columns} look={look} from={to - HOUR} to={to} told={inWords(TEXT.lastHour, columns, 1)} />
    </figure>
  );
}
