// Whether what is shown is what the server has. Silence is a lost connection: a quiet stream still says so.
import { signal } from "@preact/signals";
import { LINK } from "../strings";
import { type Mark, mark, secondsSince, serverNow } from "./moment";

export type Link = { state: "starting" } | { state: "up" } | { state: "down"; since: number; why: string };

export const link = signal<Link>({ state: "starting" });

/** The stream says something at least every 2 s: without it for longer than this the connection is lost. */
export const SILENCE_SECONDS = 5;
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 10_000;

let heard: Mark = mark();

/** Something came from the server. */
export function hear(): void {
  heard = mark();
}

export function silentFor(): number {
  return secondsSince(heard);
}

export function up(): void {
  if (link.value.state !== "up") link.value = { state: "up" };
}

/** The connection is lost; the first moment and reason stay. */
export function down(why: string): void {
  if (link.value.state !== "down") link.value = { state: "down", since: serverNow(), why };
}

export function isUp(): boolean {
  return link.value.state === "up";
}

/** How long to wait before the try after so many that failed: longer each time, up to 10 s, never two pages at once. */
export function waitAfter(failures: number): number {
  const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.max(0, failures - 1));
  return longest / 2 + (Math.random() * longest) / 2;
}

/** Waits, but no longer than until the device says that it is back, or somebody looks. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    const over = () => {
      clearTimeout(timer);
      window.removeEventListener("online", over);
      document.removeEventListener("visibilitychange", over);
      resolve();
    };
    const timer = setTimeout(over, ms);
    window.addEventListener("online", over);
    document.addEventListener("visibilitychange", over);
  });
}

export function watchDevice(): void {
  window.addEventListener("offline", () => down(LINK.offline));
}
