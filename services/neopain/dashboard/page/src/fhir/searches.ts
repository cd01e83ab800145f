// What the pages search for. Our own server has live scores and sums of 10 s; any other has what is charted.
import type { Bundle as AnyBundle, FhirResource, Observation } from "fhir/r4";
import { mark } from "../state/moment";
import { type Place, readPlaces } from "./census";
import { type Point, readPoint } from "./course";
import { type Entry, isCharted, readEntry } from "./entry";
import { type Alert, readAlert } from "./flag";
import { ask } from "./http";
import { readScore, type Score } from "./score";

type Bundle = AnyBundle<FhirResource>;

const MOST = 500;
const MOST_PAGES = 120;
const OTHER_SCORES = "http://loinc.org|98012-8,https://neopain.org/fhir/CodeSystem/score|pain-score";
const OTHER_VITALS = "8867-4,59408-5,2708-6,9279-1";

/** A FHIR server, as far as the pages read it. */
export class Searches {
  constructor(
    readonly base: string,
    readonly isOwn: boolean,
  ) {}

  async places(): Promise<Place[]> {
    const bundle = await ask<Bundle>(this.address("Encounter", { status: "in-progress", _count: String(MOST) }));
    return readPlaces(bundle);
  }

  async alerts(): Promise<Alert[]> {
    const flags = await this.all("Flag", { status: "active" });
    return flags.flatMap((one) => (one.resourceType === "Flag" ? (readAlert(one) ?? []) : []));
  }

  /** The newest score of each infant. */
  async newest(patient?: string): Promise<Score[]> {
    const told = mark();
    const by: Record<string, string> = this.isOwn ? { category: "live" } : { code: OTHER_SCORES, _sort: "-date" };
    const address = this.address("Observation", { ...by, ...subject(patient), _count: this.isOwn ? "500" : "200" });
    const found = observationsIn(await ask<Bundle>(address))
      .filter(isMeant)
      .map((one) => readScore(one, told));
    return this.isOwn ? found : newestOfEach(found);
  }

  /** Hands over points from `from` (in s) on, newest first, page by page. */
  async points(
    from: number,
    onPage: (points: Point[]) => boolean,
    which: { patient?: string; scoresOnly?: boolean; until?: number },
  ): Promise<void> {
    const codes = which.scoresOnly ? "aggregated-pain-score" : "";
    const own = { category: "aggregate", ...(codes ? { code: codes } : {}) };
    const other = { code: which.scoresOnly ? OTHER_SCORES : `${OTHER_SCORES},${OTHER_VITALS}` };
    const parameters = new URLSearchParams({
      ...(this.isOwn ? own : other),
      ...subject(which.patient),
      date: `ge${instant(from)}`,
      _sort: "-date",
      _count: String(MOST),
    });
    if (which.until !== undefined) parameters.append("date", `lt${instant(which.until)}`);
    let address: string | undefined = `${this.base}Observation?${parameters}`;
    for (let page = 0; address !== undefined && page < MOST_PAGES; page += 1) {
      const bundle: Bundle = await ask<Bundle>(address, { longestMs: 15_000 });
      if (!onPage(observationsIn(bundle).flatMap((one) => readPoint(one) ?? []))) return;
      address = this.next(bundle);
    }
  }

  async entries(patient: string): Promise<Entry[]> {
    const by: Record<string, string> = this.isOwn ? {} : { code: OTHER_SCORES };
    const address = this.address("Observation", { ...by, patient, _sort: "-date", _count: "50" });
    return observationsIn(await ask<Bundle>(address))
      .filter(isCharted)
      .map(readEntry);
  }

  async entry(id: string): Promise<Entry> {
    return readEntry(await ask<Observation>(`${this.base}Observation/${id}`));
  }

  private async all(type: string, parameters: Record<string, string>): Promise<FhirResource[]> {
    const bundle = await ask<Bundle>(this.address(type, { ...parameters, _count: String(MOST) }));
    return (bundle.entry ?? []).flatMap((one) => one.resource ?? []);
  }

  private address(type: string, parameters: Record<string, string>): string {
    return `${this.base}${type}?${new URLSearchParams(parameters)}`;
  }

  /** The next page, by the path of this page's own server. */
  private next(bundle: Bundle): string | undefined {
    const url = bundle.link?.find((one) => one.relation === "next")?.url;
    if (url === undefined) return undefined;
    const next = new URL(url, document.location.href);
    return next.origin === document.location.origin
      ? next.pathname + next.search
      : `${this.base}Observation${next.search}`;
  }
}

function subject(patient: string | undefined): Record<string, string> {
  return patient === undefined ? {} : { patient };
}

function instant(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace(/\.\d+Z$/, "Z");
}

function observationsIn(bundle: Bundle): Observation[] {
  return (bundle.entry ?? []).flatMap((one) => (one.resource?.resourceType === "Observation" ? one.resource : []));
}

/** What was taken back is no newest value. */
function isMeant(of: Observation): boolean {
  return of.status !== "entered-in-error" && of.status !== "cancelled";
}

function newestOfEach(scores: Score[]): Score[] {
  const newest = new Map<string, Score>();
  for (const one of scores) {
    const known = newest.get(one.patient);
    if (known === undefined || one.end > known.end) newest.set(one.patient, one);
  }
  return [...newest.values()];
}
