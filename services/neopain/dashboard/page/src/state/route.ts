// Which page is open, by the address: / is the ward, /bed/NICU%2F1%2F3 a bed.
import { signal } from "@preact/signals";

const BED = "/bed/";

function bedIn(path: string): string | null {
  if (!path.startsWith(BED)) return null;
  return decodeURIComponent(path.slice(BED.length).replace(/\/$/, "")) || null;
}

/** The bed of the page that is open; null: the ward. */
export const openBed = signal<string | null>(bedIn(location.pathname));

export function addressOf(bed: string): string {
  return BED + encodeURIComponent(bed);
}

export function startRouting(): void {
  window.addEventListener("popstate", () => {
    openBed.value = bedIn(location.pathname);
  });
}

/** Follows a link within the page. */
export function go(event: MouseEvent): void {
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
  const link = (event.currentTarget as HTMLElement).closest("a");
  if (link === null) return;
  event.preventDefault();
  history.pushState(null, "", link.href);
  openBed.value = bedIn(link.pathname);
  window.scrollTo(0, 0);
}
