// One bed: its score, its course, and what is charted of it.
import { useEffect } from "preact/hooks";
import { bedName } from "../fhir/census";
import { STUDY_MODE } from "../fhir/score";
import { course } from "../state/course";
import { go } from "../state/route";
import { type Bed, beds, places } from "../state/ward";
import { TEXT } from "../strings";
import { AlertBox } from "./alert";
import { Held, Notes, Presences } from "./card";
import { Course } from "./course";
import { Entries } from "./entries";
import { ScoreBlock } from "./score";
import { OwnScore } from "./study";

export function BedPage({ bed }: { bed: string }) {
  const found = beds().find((one) => one.bed === bed);
  const patient = found?.place && !found.place.held ? found.place.patient : null;
  useEffect(() => {
    course.show(patient);
  }, [patient]);
  useEffect(() => () => course.show(null), []);
  return (
    <>
      <p class="way-back">
        <a href="/" onClick={go}>
          ← {TEXT.back}
        </a>
      </p>
      <h1>
        {TEXT.bed} {bedName(bed)}
        {found?.place?.isTest && <span class="tag">{TEXT.test}</span>}
      </h1>
      <Inside bed={found} />
    </>
  );
}

function Inside({ bed }: { bed: Bed | undefined }) {
  if (places.value === null) return <p class="hint">{TEXT.loading}</p>;
  if (bed === undefined || bed.place === null) return <p class="state">{bed ? TEXT.empty : TEXT.unknownBed}</p>;
  if (bed.place.held) return <Held reason={bed.place.held} />;
  return (
    <div class="bed">
      <section class="now" aria-label={TEXT.scoreNow}>
        <ScoreBlock score={bed.score} />
        {bed.score !== null && <Notes score={bed.score} />}
        <Presences presences={bed.score?.presences ?? []} />
        {bed.score?.reason === STUDY_MODE && <OwnScore key={bed.place.patient} patient={bed.place.patient} />}
        {bed.alert !== null && <AlertBox alert={bed.alert} bed={bed.bed} />}
      </section>
      <Course />
      <Entries />
    </div>
  );
}
