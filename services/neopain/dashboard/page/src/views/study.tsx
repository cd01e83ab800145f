// A bed in study mode: no number, and the nurse's own score before any.
import { useState } from "preact/hooks";
import { ITEMS } from "../fhir/entry";
import { scoreFirst } from "../state/acts";
import { session } from "../state/session";
import { ENTRY, STUDY } from "../strings";
import { inWordsOf } from "./failure";
import { Items } from "./review";

export function OwnScore({ patient }: { patient: string }) {
  const [items, setItems] = useState<Map<string, number>>(new Map());
  const [said, say] = useState("");
  const [failed, setFailed] = useState("");
  const [isBusy, setBusy] = useState(false);
  if (!session.value?.mayReview) return null;
  const keep = async (event: Event) => {
    event.preventDefault();
    say("");
    setFailed(items.size < ITEMS.length ? ENTRY.itemsNeeded : "");
    if (items.size < ITEMS.length) return;
    setBusy(true);
    try {
      await scoreFirst(patient, items);
      setItems(new Map());
      say(STUDY.done);
    } catch (error) {
      setFailed(inWordsOf(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <section class="own-score" aria-labelledby="own-score-title">
      <h2 id="own-score-title">{STUDY.title}</h2>
      <p class="notes">{STUDY.how}</p>
      <form onSubmit={keep}>
        <Items items={items} onChange={setItems} />
        {failed && (
          <p class="failure" role="alert">
            {failed}
          </p>
        )}
        <p class="acts">
          <button type="submit" disabled={isBusy}>
            {STUDY.keep}
          </button>
        </p>
        <p class="result" role="status">
          {said}
        </p>
      </form>
    </section>
  );
}
