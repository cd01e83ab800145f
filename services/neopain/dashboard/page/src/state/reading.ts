// Keeps what is shown as new as the server has it: told by its events what to read again, or by asking in turn.
import { byBed } from "../fhir/census";
import { readEvents } from "../fhir/events";
import { SignedOut, Unreachable } from "../fhir/http";
import { Searches } from "../fhir/searches";
import type { ServerEvent } from "../fhir/sse";
import { LINK } from "../strings";
import { Chores } from "./chores";
import { course } from "./course";
import { down, hear, link, pause, SILENCE_SECONDS, silentFor, up, waitAfter } from "./link";
import { mark, secondsSince, serverNow } from "./moment";
import { endSession, readSession, type Session, session } from "./session";
import {
  forgetWard,
  HOUR,
  haveMoved,
  markTrends,
  places,
  takeAlerts,
  takePlaces,
  takeScores,
  takeTrend,
  trendOf,
} from "./ward";

const POLL_MS = 5_000;
const SHORTEST_SECONDS = 5;
const OVERLAP_SECONDS = 40;

/** Runs as long as the page is open. */
export async function keepReading(): Promise<void> {
  let failures = 0;
  for (;;) {
    try {
      const now = session.value ?? (await readSession());
      await (now.events ? follow(now) : poll(now));
      failures = 0;
    } catch (error) {
      if (error instanceof SignedOut) {
        if (!(await isStillSignedIn())) return;
      }
      failures = link.value.state === "up" ? 1 : failures + 1;
      down(navigator.onLine ? LINK.unreachable : LINK.offline);
      await pause(waitAfter(failures));
    }
  }
}

/** A token that has ended is one thing, a session that has is another. */
async function isStillSignedIn(): Promise<boolean> {
  try {
    await readSession();
    return true;
  } catch (error) {
    if (!(error instanceof SignedOut)) return true;
    forgetWard();
    course.forget();
    endSession();
    return false;
  }
}

/** Reads what the stream's events name, until its token ends. `Unreachable` when it ends otherwise. */
async function follow(now: Session): Promise<void> {
  const chores = choresOf(now);
  const stop = new AbortController();
  let reason = "";
  const take = (event: ServerEvent) => {
    if (event.type === "end") reason = event.data;
    else hand(event, chores);
  };
  const regularly = setInterval(() => chores.want("places", "scores", "alerts"), POLL_MS);
  const listening = setInterval(() => giveUpOnSilence(stop), 500);
  const begun = mark();
  const giveUp = () => stop.abort();
  window.addEventListener("offline", giveUp);
  hear();
  try {
    await Promise.race([readEvents(`${now.fhir}$events`, take, hear, stop.signal), chores.failure]);
  } finally {
    window.removeEventListener("offline", giveUp);
    clearInterval(regularly);
    clearInterval(listening);
    chores.stop();
    stop.abort();
  }
  // A new token is had at once; one that never lasts is no connection.
  if (!reason.includes("token") || secondsSince(begun) < SHORTEST_SECONDS) throw new Unreachable(LINK.ended);
}

function giveUpOnSilence(stop: AbortController): void {
  if (silentFor() <= SILENCE_SECONDS) return;
  down(LINK.silent);
  stop.abort();
}

function hand(event: ServerEvent, chores: Chores): void {
  if (event.type === "ready" || event.type === "reset") {
    void chores.want("places", "scores", "alerts", "entries").then(() => {
      up();
      return chores.want("trend", "course");
    });
  }
  if (event.type === "live-score") void chores.want("scores");
  if (event.type === "alert") void chores.want("alerts");
  if (event.type === "aggregate") void chores.want("trend", "course");
  if (event.type === "entry") void chores.want("entries");
}

/** Asks in turn, where the server has no events. */
async function poll(now: Session): Promise<void> {
  const chores = choresOf(now);
  try {
    for (;;) {
      await Promise.race([chores.want("places", "scores", "alerts", "entries"), chores.failure]);
      up();
      await Promise.race([chores.want("trend", "course"), chores.failure]);
      await pause(POLL_MS);
    }
  } finally {
    chores.stop();
  }
}

function choresOf(now: Session): Chores {
  const searches = new Searches(now.fhir, now.source === "neopain");
  course.searches = searches;
  const chores: Chores = new Chores({
    places: async () => takePlaces(await searches.places()),
    scores: async () => {
      takeScores(await searches.newest());
      if (haveMoved()) void chores.want("places");
    },
    alerts: async () => takeAlerts(await searches.alerts()),
    trend: () => later(readTrends(searches)),
    course: () => later(course.readNewest()),
    entries: () => course.readEntries(),
  });
  return chores;
}

/** What is long, and is wanted again with the next sum: where it is not had, the plot has a gap, and no more is lost. */
async function later(reading: Promise<void>): Promise<void> {
  try {
    await reading;
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
  }
}

/** The last hour of whoever has none yet, one after the other; of the others only what is new, all at once. */
async function readTrends(searches: Searches): Promise<void> {
  if (course.patient.value !== null) return;
  const now = serverNow() / 1000;
  const lying = (places.value ?? []).filter((one) => !one.held);
  const patients = lying.sort((one, other) => byBed(one.bed, other.bed)).map((one) => one.patient);
  const known = patients.filter((one) => (trendOf(one)?.readUntil ?? 0) > now - 3 * OVERLAP_SECONDS);
  for (const patient of patients.filter((one) => !known.includes(one))) {
    await searches.points(now - HOUR, taken, { patient, scoresOnly: true });
    markTrends([patient], now);
  }
  if (known.length === 0) return;
  await searches.points(now - 4 * OVERLAP_SECONDS, taken, { scoresOnly: true });
  markTrends(known, now);
}

function taken(points: Parameters<typeof takeTrend>[0]): boolean {
  takeTrend(points);
  return true;
}
