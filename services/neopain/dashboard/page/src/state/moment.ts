// Time as the server has it. The clock of this device may be wrong, and it may have slept.
import { signal } from "@preact/signals";

/** A moment of this device, from which time is counted on. */
export interface Mark {
  steady: number;
  wall: number;
}

export function mark(): Mark {
  return { steady: performance.now(), wall: Date.now() };
}

/** Seconds since the mark. While the device slept only its clock went on; a clock that was set back counts for nothing. */
export function secondsSince(from: Mark): number {
  return Math.max(0, performance.now() - from.steady, Date.now() - from.wall) / 1000;
}

let anchor: { server: number; at: Mark } = { server: Date.now(), at: mark() };

/** Takes the server's time from the Date header of an answer that was asked for at `asked`. */
export function takeServerDate(header: string | null, asked: Mark): void {
  const server = header === null ? Number.NaN : Date.parse(header);
  if (!Number.isNaN(server)) anchor = { server, at: asked };
}

/** The server's time in ms, to a second. */
export function serverNow(): number {
  return anchor.server + secondsSince(anchor.at) * 1000;
}

/** Counts up twice a second: what shows an age reads it. */
export const tick = signal(0);

export function startTicking(): void {
  setInterval(() => {
    tick.value += 1;
  }, 500);
}
