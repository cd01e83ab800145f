// Points of one infant by kind, on the grid of 10 s. Bounded: what is older than what is shown is dropped.
import { computed } from "@preact/signals";
import type { Kind, Point } from "../fhir/course";
import { serverNow, tick } from "./moment";

export const SLOT = 10;

/** The end of the newest whole slot by the server's time, in s; changes every ten seconds. */
export const slotNow = computed(() => {
  void tick.value;
  return Math.floor(serverNow() / 1000 / SLOT) * SLOT;
});

/** Columns for a plot: times in s, then value, low, high; null where there is no number, so that a gap is a gap. */
export type Columns = [number[], (number | null)[], (number | null)[], (number | null)[]];

export class Series {
  /** Up to when, in s, everything that the server had was read. */
  readUntil = 0;
  private readonly slots = new Map<Kind, Map<number, Point>>();

  /** `longest`: how many seconds are kept. */
  constructor(readonly longest: number) {}

  add(point: Point): void {
    const slots = this.slots.get(point.kind) ?? new Map<number, Point>();
    slots.set(Math.floor(point.at / SLOT) * SLOT, point);
    this.slots.set(point.kind, slots);
  }

  /** Drops what is older than what is kept. */
  prune(now: number): void {
    for (const slots of this.slots.values()) {
      for (const at of slots.keys()) if (at < now - this.longest) slots.delete(at);
    }
  }

  get size(): number {
    return [...this.slots.values()].reduce((sum, slots) => sum + slots.size, 0);
  }

  /** The newest slot that is known of a kind, in s. */
  newest(kind: Kind): number | null {
    const known = [...(this.slots.get(kind)?.keys() ?? [])];
    return known.length ? Math.max(...known) : null;
  }

  columns(kind: Kind, from: number, to: number): Columns {
    const slots = this.slots.get(kind);
    const columns: Columns = [[], [], [], []];
    for (let at = Math.ceil(from / SLOT) * SLOT; at <= to; at += SLOT) {
      const point = slots?.get(at);
      columns[0].push(at);
      columns[1].push(point?.value ?? null);
      columns[2].push(point?.low ?? null);
      columns[3].push(point?.high ?? null);
    }
    return columns;
  }
}
