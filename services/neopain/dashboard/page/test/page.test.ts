// What needs no browser: the stream's events however they are cut, and that what is kept is bounded.
import assert from "node:assert/strict";
import { test } from "node:test";
import { EventReader } from "../src/fhir/sse";
import { ownScore, readEntry } from "../src/fhir/entry";
import { levelOf, readScore, STUDY_MODE } from "../src/fhir/score";
import { Chores } from "../src/state/chores";
import { Series } from "../src/state/series";
import { beds, haveMoved, takePlaces, takeScores } from "../src/state/ward";
import { dayAndClock, dayUnlessToday, span, stateInWords } from "../src/strings";

const STREAM =
  'retry: 2000\n\nevent: ready\nid: a-1\ndata: {}\n\n: heartbeat\n\nevent: live-score\r\ndata: {"a":1}\r\n\r\n';

test("any cut of a stream gives the same events", () => {
  const whole = new EventReader().take(STREAM);
  assert.deepEqual(whole, [
    { type: "ready", data: "{}" },
    { type: "live-score", data: '{"a":1}' },
  ]);
  for (let cut = 0; cut <= STREAM.length; cut += 1) {
    const reader = new EventReader();
    assert.deepEqual([...reader.take(STREAM.slice(0, cut)), ...reader.take(STREAM.slice(cut))], whole);
  }
});

test("twelve hours of sums leave one hour of them", () => {
  const series = new Series(3600);
  for (let at = 0; at < 12 * 3600; at += 10) {
    series.add({ kind: "score", patient: "p", at, value: 1, low: 0, high: 2 });
    series.prune(at);
  }
  assert.equal(series.size, 361);
});

test("where there is no sum there is a gap and no zero", () => {
  const series = new Series(3600);
  series.add({ kind: "score", patient: "p", at: 10, value: 4, low: 3, high: 5 });
  series.add({ kind: "score", patient: "p", at: 30, value: null, low: null, high: null });
  assert.deepEqual(series.columns("score", 0, 40)[1], [null, 4, null, null, null]);
});

test("levels begin where the classes of NIPS do", () => {
  assert.deepEqual([3.5, 3.6, 4.9, 5, 6.4, 6.5].map(levelOf), [
    "low",
    "mild",
    "mild",
    "moderate",
    "moderate",
    "severe",
  ]);
});

test("ages are said as people say them", () => {
  assert.deepEqual([0.9, 89, 90, 3600, 7500].map(span), ["0 s", "89 s", "1 min", "1 h", "2 h 5 min"]);
});

test("a day is said where it is not today, with its year where it is not this one", () => {
  const now = new Date(2026, 6, 7, 12, 0).getTime();
  assert.equal(dayUnlessToday(new Date(2026, 6, 7, 0, 0).getTime(), now), "");
  assert.equal(dayUnlessToday(new Date(2026, 6, 6, 23, 59).getTime(), now), "6 Jul");
  assert.equal(dayUnlessToday(new Date(2025, 6, 7, 12, 0).getTime(), now), "7 Jul 2025");
  assert.equal(dayUnlessToday(new Date(2025, 11, 31, 23, 59).getTime(), now), "31 Dec 2025");
  assert.equal(dayAndClock(new Date(2026, 6, 7, 9, 5).getTime(), now), "09:05");
  assert.equal(dayAndClock(new Date(2025, 6, 7, 9, 5).getTime(), now), "7 Jul 2025 09:05");
});

test("only what a nurse scored instead of is called replaced", () => {
  const noted = (text: string) =>
    readEntry({
      resourceType: "Observation",
      status: "cancelled",
      code: {},
      note: [{ authorString: "A. Nurse", time: "2026-07-07T12:00:00Z", text }],
    }).changed;
  const rescored = noted("1. status: cancelled (review). she moved");
  const unsent = noted("1. status: cancelled (not-sent). test bed");
  assert.deepEqual([rescored?.text, unsent?.text], ["she moved", "test bed"]);
  assert.equal(stateInWords("cancelled", rescored?.cause ?? ""), "Replaced");
  assert.equal(stateInWords("cancelled", unsent?.cause ?? ""), "Withdrawn");
  assert.equal(stateInWords("cancelled", noted("of another server")?.cause ?? ""), "Withdrawn");
});

test("what is wanted while it runs is read once more, and no oftener", async () => {
  let reads = 0;
  const work = async () => {
    reads += 1;
    await new Promise((done) => setTimeout(done, 300));
  };
  const chores = new Chores({ places: work, scores: work, alerts: work, trend: work, course: work, entries: work });
  const first = chores.want("scores");
  await new Promise((done) => setTimeout(done, 200));
  await Promise.all([first, chores.want("scores"), chores.want("scores"), chores.want("scores")]);
  assert.equal(reads, 2);
});

test("a nurse's own score in a study is derived from nothing and names infant and time", () => {
  const items = new Map([
    ["nips-cry", 2],
    ["nips-arms", 1],
  ]);
  const body = ownScore("p-1", items, Date.UTC(2026, 9, 5, 12, 0, 1, 234));
  assert.equal(body.derivedFrom, undefined);
  assert.equal(body.effectiveDateTime, "2026-10-05T12:00:01Z");
  assert.deepEqual([body.subject?.reference, body.valueQuantity?.value], ["Patient/p-1", 3]);
});

test("a score that is kept for a study has no number, and an entry of one is known by its tag", () => {
  const masked = {
    resourceType: "Observation",
    status: "preliminary",
    code: {},
    meta: { tag: [{ system: "https://neopain.org/fhir/CodeSystem/tag", code: "study" }] },
    dataAbsentReason: { coding: [{ code: "masked" }], text: "study-mode" },
  } as const;
  const score = readScore(structuredClone(masked) as never, { at: 0 } as never);
  assert.deepEqual([score.value, score.reason], [null, STUDY_MODE]);
  assert.equal(readEntry(structuredClone(masked) as never).isOfStudy, true);
});

test("a score is shown at no bed that its infant has left, and the census is read again", () => {
  const scored = (patient: string, bed: string, value: number) =>
    readScore(
      {
        resourceType: "Observation",
        status: "preliminary",
        code: {},
        subject: { reference: `Patient/${patient}` },
        extension: [{ url: "https://neopain.org/fhir/StructureDefinition/score-bed", valueString: bed }],
        valueQuantity: { value },
      },
      { steady: 0, wall: 0 },
    );
  const place = (bed: string, patient: string) => ({ bed, patient, held: "", isTest: false });
  takePlaces([place("NICU/1/1", "anna"), place("NICU/1/2", "bert")]);
  takeScores([scored("anna", "NICU/1/1", 1), scored("bert", "NICU/1/2", 7)]);
  assert.deepEqual([beds().map((one) => one.score?.value), haveMoved()], [[1, 7], false]);

  // They have changed beds, and the places are of before.
  takeScores([scored("anna", "NICU/1/2", 1), scored("bert", "NICU/1/1", 7)]);
  assert.deepEqual([beds().map((one) => one.score), haveMoved()], [[null, null], true]);

  takePlaces([place("NICU/1/1", "bert"), place("NICU/1/2", "anna")]);
  assert.deepEqual([beds().map((one) => one.score?.value), haveMoved()], [[7, 1], false]);
});
