// Which page is open, by the address: / is the ward, /bed/NICU/1/3 a bed.
import { signal } from "@preact/signals";

const BED = "/bed/";

function bedIn(path: string): string | null {
  if (!path.startsWith(BED)) return null;
  return path.slice(BED.length).split("/").map(decodeURIComponent).join("/") || null;
}

/** The bed of the page that is open; null: the ward. */
export const openBed = signal<string | null>(bedIn(location.pathname));

export function addressOf(bed: string): string {
  return BED + bed.split("/").map(encodeURIComponent).join("/");
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
