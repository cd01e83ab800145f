// The ward: a card for each bed.

import { session } from "../state/session";
import { type Bed, beds, places } from "../state/ward";
import { TEXT } from "../strings";
import { Card } from "./card";

export function WardPage() {
  const shown = beds();
  return (
    <>
      <h1 class="for-readers">{TEXT.ward}</h1>
      {session.value?.source === "other" && <p class="hint">{TEXT.sourceOther}</p>}
      {places.value === null && <p class="hint">{TEXT.loading}</p>}
      {places.value !== null && shown.length === 0 && <p class="hint">{TEXT.noBeds}</p>}
      <ul class={`ward ${shown.length <= 2 ? "is-few" : ""}`}>{shown.map(item)}</ul>
    </>
  );
}

function item(bed: Bed) {
  return (
    <li key={`${bed.bed} ${bed.place?.patient ?? ""}`}>
      <Card bed={bed} />
    </li>
  );
}
