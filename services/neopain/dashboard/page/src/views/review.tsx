// A nurse's answer to an entry, with what she saw and a confirmation.
import { useEffect, useRef, useState } from "preact/hooks";
import { type Entry, ITEMS } from "../fhir/entry";
import { Refusal } from "../fhir/http";
import { judge, rescore } from "../state/acts";
import { course } from "../state/course";
import { clockSeconds, ENTRY, NIPS_ITEM, TEXT } from "../strings";
import { ValueOf } from "./entries";
import { inWordsOf } from "./failure";

export type Act = "accept" | "change" | "reject";

const TITLE: Record<Act, string> = {
  accept: ENTRY.acceptTitle,
  change: ENTRY.changeTitle,
  reject: ENTRY.rejectTitle,
};

interface ReviewProps {
  entry: Entry;
  act: Act;
  onClose: (said: string) => void;
}

export function Review({ entry, act, onClose }: ReviewProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [items, setItems] = useState<Map<string, number>>(new Map());
  const [reason, setReason] = useState("");
  const [failed, setFailed] = useState("");
  const [isBusy, setBusy] = useState(false);
  useEffect(() => dialog.current?.showModal(), []);
  const confirm = async (event: Event) => {
    event.preventDefault();
    const lacking = lacks(act, items, reason);
    setFailed(lacking);
    if (lacking) return;
    setBusy(true);
    try {
      await write(entry, act, items, reason.trim());
      onClose(ENTRY.done);
    } catch (error) {
      setBusy(false);
      if (!(error instanceof Refusal && error.status === 412)) return setFailed(inWordsOf(error));
      await course.readEntries().catch(() => {});
      onClose(ENTRY.conflict);
    }
  };
  return (
    <dialog ref={dialog} class="review" aria-labelledby="review-title" onClose={() => onClose("")}>
      <form onSubmit={confirm}>
        <h2 id="review-title">{TITLE[act]}</h2>
        <p class="seen">
          <span class="label">
            {ENTRY.seen} ({clockSeconds(entry.start)}–{clockSeconds(entry.end)})
          </span>
          <ValueOf entry={entry} />
        </p>
        <p class="notes">{TEXT.investigationalLong}</p>
        {act === "change" && <Items items={items} onChange={setItems} />}
        {act !== "accept" && <Reason reason={reason} isNeeded={act === "reject"} onChange={setReason} />}
        {failed && (
          <p class="failure" role="alert">
            {failed}
          </p>
        )}
        <p class="acts">
          <button type="submit" disabled={isBusy}>
            {ENTRY[act]}
          </button>
          <button type="button" class="quiet" onClick={() => onClose("")}>
            {ENTRY.cancel}
          </button>
        </p>
      </form>
    </dialog>
  );
}

function lacks(act: Act, items: Map<string, number>, reason: string): string {
  if (act === "change" && items.size < ITEMS.length) return ENTRY.itemsNeeded;
  return act === "reject" && reason.trim() === "" ? ENTRY.reasonNeeded : "";
}

function write(entry: Entry, act: Act, items: Map<string, number>, reason: string): Promise<void> {
  if (act === "change") return rescore(entry, items, reason);
  return judge(entry, act === "accept" ? "final" : "entered-in-error", reason);
}

export function Items({
  items,
  onChange,
}: {
  items: Map<string, number>;
  onChange: (items: Map<string, number>) => void;
}) {
  const total = [...items.values()].reduce((sum, one) => sum + one, 0);
  return (
    <div class="items">
      {ITEMS.map(([code, most]) => (
        <fieldset key={code}>
          <legend>{NIPS_ITEM[code as keyof typeof NIPS_ITEM]}</legend>
          {Array.from({ length: most + 1 }, (_, points) => (
            <label key={code + String(points)} class={items.get(code) === points ? "is-chosen" : ""}>
              <input
                type="radio"
                name={code}
                checked={items.get(code) === points}
                onChange={() => onChange(new Map([...items, [code, points]]))}
              />
              {points}
            </label>
          ))}
        </fieldset>
      ))}
      <p class="total" aria-live="polite">
        {ENTRY.total} <strong>{items.size === ITEMS.length ? total : "–"}</strong> / 7
      </p>
    </div>
  );
}

function Reason(props: { reason: string; isNeeded: boolean; onChange: (reason: string) => void }) {
  return (
    <label class="reason">
      <span>{props.isNeeded ? ENTRY.reason : ENTRY.reasonMay}</span>
      <textarea
        rows={2}
        maxLength={1000}
        required={props.isNeeded}
        value={props.reason}
        onInput={(event) => props.onChange(event.currentTarget.value)}
      />
    </label>
  );
}
