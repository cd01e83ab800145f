// A notice that somebody should look at the infant, and the answers to it.
import { useState } from "preact/hooks";
import { bedName } from "../fhir/census";
import type { Alert } from "../fhir/flag";
import { acknowledge, snooze } from "../state/acts";
import { serverNow } from "../state/moment";
import { session } from "../state/session";
import { ALERT, clock, dayAndClock, LEVEL_WORD } from "../strings";
import { inWordsOf } from "./failure";

const MINUTES = [1, 5, 10];

export function AlertBox({ alert, bed }: { alert: Alert; bed: string }) {
  const [failed, setFailed] = useState("");
  const [isBusy, setBusy] = useState(false);
  const act = async (how: () => Promise<void>) => {
    setBusy(true);
    setFailed("");
    await how().catch((error: unknown) => setFailed(inWordsOf(error)));
    setBusy(false);
  };
  return (
    <section class={`alert alert-${alert.level} ${alert.wantsAnswer ? "wants-answer" : ""}`}>
      <p class="what">
        <strong>{LEVEL_WORD[alert.level]}</strong> since {dayAndClock(alert.opened, serverNow())}
        <span class="tag">{ALERT.notice}</span>
      </p>
      <p class="standing">{standingOf(alert)}</p>
      {session.value?.mayReview && (
        <p class="acts">
          {alert.wantsAnswer && (
            <button type="button" disabled={isBusy} onClick={() => act(() => acknowledge(alert))}>
              {ALERT.acknowledge}
              <span class="for-readers"> {bedName(bed)}</span>
            </button>
          )}
          <Snooze bed={bed} isBusy={isBusy} onChoose={(minutes) => act(() => snooze(alert, minutes))} />
        </p>
      )}
      {failed && (
        <p class="failure" role="alert">
          {failed}
        </p>
      )}
    </section>
  );
}

function Snooze(props: { bed: string; isBusy: boolean; onChoose: (minutes: number) => void }) {
  const [isOpen, setOpen] = useState(false);
  const choose = (minutes: number) => {
    setOpen(false);
    props.onChoose(minutes);
  };
  return (
    <span class="snooze">
      <button
        type="button"
        class="quiet"
        aria-expanded={isOpen}
        disabled={props.isBusy}
        onClick={() => setOpen(!isOpen)}
      >
        {ALERT.snooze}
        <span class="for-readers"> {bedName(props.bed)}</span>
      </button>
      {isOpen &&
        MINUTES.map((minutes) => (
          <button type="button" class="quiet" key={minutes} onClick={() => choose(minutes)}>
            {minutes} {ALERT.minutes}
          </button>
        ))}
    </span>
  );
}

function standingOf(alert: Alert): string {
  const said: string[] = [];
  if (alert.snoozedUntil !== null) said.push(`${ALERT.snoozed} ${clock(alert.snoozedUntil)}`);
  if (alert.wantsAnswer) said.push(ALERT.notAnswered);
  else said.push(alert.acknowledgedBy ? `${ALERT.acknowledged}: ${alert.acknowledgedBy}` : ALERT.acknowledged);
  if (alert.isSustained) said.push(ALERT.sustained);
  if (alert.escalations) said.push(`${ALERT.escalated} ${alert.escalations}×`);
  return said.join(" · ");
}
