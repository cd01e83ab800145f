// The course of one infant: sums of 10 s as far back as is shown, and the charted entries.
import { signal } from "@preact/signals";
import { KINDS, type Point } from "../fhir/course";
import type { Entry } from "../fhir/entry";
import type { Searches } from "../fhir/searches";
import { serverNow } from "./moment";
import { Series } from "./series";

export const RANGES = [1, 4, 12, 24] as const;
const OVERLAP_SECONDS = 40;
const HOUR = 3600;
const LONGEST = 24 * HOUR;

class Course {
  searches: Searches | null = null;
  readonly patient = signal<string | null>(null);
  readonly hours = signal<number>(1);
  readonly entries = signal<Entry[] | null>(null);
  /** How far back was read, in s, while that goes on; null once it is done. */
  readonly reading = signal<number | null>(null);
  /** Counts changes of the series. */
  readonly changed = signal(0);
  series = new Series(LONGEST);
  private from = Number.POSITIVE_INFINITY;
  private isFilling = false;

  /** The infant of the page that is open; null: none is. */
  show(patient: string | null): void {
    if (patient === this.patient.value) return;
    this.forget();
    this.patient.value = patient;
    if (patient !== null) this.readAtOnce();
  }

  forget(): void {
    this.patient.value = null;
    this.entries.value = null;
    this.reading.value = null;
    this.series = new Series(LONGEST);
    this.from = Number.POSITIVE_INFINITY;
    this.changed.value += 1;
  }

  showHours(hours: number): void {
    this.hours.value = hours;
    void this.fill();
  }

  async readEntries(): Promise<void> {
    const patient = this.patient.value;
    if (patient === null || this.searches === null) return;
    const found = await this.searches.entries(patient);
    if (patient === this.patient.value) this.entries.value = found;
  }

  /** What is new since the newest that is known; then what lies further back. */
  async readNewest(): Promise<void> {
    const patient = this.patient.value;
    if (patient === null || this.searches === null) return;
    const known = KINDS.flatMap((kind) => this.series.newest(kind) ?? []);
    if (known.length > 0) {
      const from = Math.max(Math.max(...known) - OVERLAP_SECONDS, serverNow() / 1000 - this.hours.value * HOUR);
      await this.searches.points(from, (points) => this.take(patient, points), { patient });
    }
    void this.fill();
  }

  private readAtOnce(): void {
    // A failure shows in what is read regularly, too.
    this.readEntries().catch(() => {});
    void this.fill();
  }

  /** Reads back, newest first, as far as is shown and was not read yet. */
  private async fill(): Promise<void> {
    const patient = this.patient.value;
    const wanted = serverNow() / 1000 - this.hours.value * HOUR;
    if (patient === null || this.searches === null || this.isFilling || this.from <= wanted + OVERLAP_SECONDS) return;
    this.isFilling = true;
    const until = Number.isFinite(this.from) ? { until: this.from } : {};
    const take = (points: Point[]) => this.takeOlder(patient, points);
    try {
      await this.searches.points(wanted, take, { patient, ...until });
      if (patient === this.patient.value) this.from = wanted;
    } catch {
      // What is read regularly fails then too, and wants it again once it does not.
    } finally {
      this.isFilling = false;
      this.reading.value = null;
    }
    if (patient !== this.patient.value) void this.fill();
  }

  private takeOlder(patient: string, points: Point[]): boolean {
    const goesOn = this.take(patient, points);
    const oldest = points.at(-1)?.at;
    if (goesOn && oldest !== undefined) {
      this.from = Math.min(this.from, oldest);
      this.reading.value = oldest;
    }
    return goesOn;
  }

  private take(patient: string, points: Point[]): boolean {
    if (patient !== this.patient.value) return false;
    for (const point of points) this.series.add(point);
    this.series.prune(serverNow() / 1000);
    this.changed.value += 1;
    return true;
  }
}

export const course = new Course();
