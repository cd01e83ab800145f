// Colours: as the system has them, or as was chosen on this device.
import { effect, signal } from "@preact/signals";

export const THEMES = ["system", "light", "dark", "night"] as const;
export type Theme = (typeof THEMES)[number];

const KEY = "neopain-colours";

function chosen(): Theme {
  const kept = localStorage.getItem(KEY);
  return THEMES.find((one) => one === kept) ?? "system";
}

export const theme = signal<Theme>(chosen());
/** Counts changes of colours, also those of the system. */
export const coloursChanged = signal(0);

export function startTheme(): void {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const show = () => {
    const dark = system.matches ? "dark" : "light";
    document.documentElement.dataset.theme = theme.value === "system" ? dark : theme.value;
    coloursChanged.value += 1;
  };
  system.addEventListener("change", show);
  effect(() => {
    localStorage.setItem(KEY, theme.value);
    document.documentElement.dataset.theme = theme.value;
    queueMicrotask(show);
  });
}

/** A colour of the style sheet, for what is drawn on a canvas. */
export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
