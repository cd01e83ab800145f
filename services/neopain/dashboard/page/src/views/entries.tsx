// What is charted of the infant, what it stands at, and the nurse's answer to it.
import { useState } from "preact/hooks";
import type { Entry } from "../fhir/entry";
import { levelOf } from "../fhir/score";
import { course } from "../state/course";
import { serverNow } from "../state/moment";
import { session } from "../state/session";
import { clockSeconds, dayAndClock, dayUnlessToday, ENTRY, reasonInWords, stateInWords, STUDY, TEXT } from "../strings";
import { LevelBadge } from "./glyphs";
import { type Act, Review } from "./review";

const FEW = 8;

export function Entries() {
  const [open, setOpen] = useState<{ entry: Entry; act: Act } | null>(null);
  const [said, say] = useState("");
  const [shown, show] = useState(FEW);
  const entries = course.entries.value;
  const close = (result: string) => {
    setOpen(null);
    say(result);
  };
  return (
    <section class="entries" aria-labelledby="entries-title">
      <h2 id="entries-title">{ENTRY.title}</h2>
      <p class="result" role="status">
        {said}
      </p>
      {entries === null && <p class="hint">{TEXT.loading}</p>}
      {entries?.length === 0 && <p class="hint">{ENTRY.none}</p>}
      <ul>
        {entries?.slice(0, shown).map((entry) => (
          <Row key={entry.id} entry={entry} onAct={(act) => setOpen({ entry, act })} />
        ))}
      </ul>
      {entries !== null && entries.length > shown && (
        <button type="button" class="quiet" onClick={() => show(entries.length)}>
          {ENTRY.older}
        </button>
      )}
      {open !== null && <Review entry={open.entry} act={open.act} onClose={close} />}
    </section>
  );
}

function Row({ entry, onAct }: { entry: Entry; onAct: (act: Act) => void }) {
  const now = serverNow();
  const when = `${dayUnlessToday(entry.end, now)} ${clockSeconds(entry.start)}–${clockSeconds(entry.end)}`.trim();
  return (
    <li class={`entry is-${entry.status}`}>
      <div class="value">
        <ValueOf entry={entry} />
      </div>
      <div class="what">
        <p>
          <strong>{when}</strong> <span class={`status status-${entry.status}`}>{stateOf(entry)}</span>
        </p>
        <p class="soft">{byWhom(entry, now)}</p>
      </div>
      {session.value?.mayReview && <Acts entry={entry} onAct={onAct} when={when} />}
    </li>
  );
}

export function ValueOf({ entry }: { entry: Entry }) {
  const { value, nips, low, high, reason } = entry.score;
  if (entry.isNurse) return <span class="points">NIPS {nips ?? "–"}</span>;
  if (value === null) {
    return (
      <span class="no-value">
        {TEXT.noScore}: {reasonInWords(reason)}
      </span>
    );
  }
  return (
    <>
      <span class="points">{value.toFixed(1)}</span>
      <LevelBadge level={levelOf(value)} />
      <span class="soft">
        {low !== null && high !== null && `${low.toFixed(1)}–${high.toFixed(1)} · `}
        {nips !== null && `${TEXT.nips} ${nips.toFixed(1)}`}
      </span>
    </>
  );
}

function Acts({ entry, onAct, when }: { entry: Entry; onAct: (act: Act) => void; when: string }) {
  const acts = actsOf(entry);
  return (
    <div class="acts">
      {acts.map((act) => (
        <button type="button" key={act} class={act === "accept" ? "" : "quiet"} onClick={() => onAct(act)}>
          {ENTRY[act]}
          <span class="for-readers"> {when}</span>
        </button>
      ))}
    </div>
  );
}

/** What may follow: a suggestion is accepted, changed or rejected; what was accepted may still be rejected. */
function actsOf(entry: Entry): Act[] {
  if (entry.isOfStudy && !entry.isNurse) return [];
  if (entry.status === "preliminary") return ["accept", "change", "reject"];
  return entry.status === "final" || entry.status === "amended" ? ["reject"] : [];
}

function stateOf(entry: Entry): string {
  if (entry.isOfStudy && !entry.isNurse) return STUDY.kept;
  return stateInWords(entry.status, entry.changed?.cause ?? "");
}

function byWhom(entry: Entry, now: number): string {
  const first = entry.isNurse
    ? `${ENTRY.nurseScore}: ${entry.by}`
    : [ENTRY.software, entry.kind].filter(Boolean).join(" · ");
  const changed = entry.changed;
  if (changed === null) return first;
  const reason = changed.text ? `: ${changed.text}` : "";
  const state = stateInWords(entry.status, changed.cause);
  return `${first} · ${state} by ${changed.by}, ${dayAndClock(changed.at, now)}${reason}`;
}
