// A plot of a number with its band over time. A gap in the data is a gap in the line.
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import type { Columns } from "../state/series";
import { colour, coloursChanged } from "../state/theme";
import { COURSE } from "../strings";

export interface PlotLook {
  label: string;
  unit: string;
  height: number;
  /** What the axis shows at least. */
  range: [number, number];
  lowLabel: string;
  highLabel: string;
  decimals: number;
  /** The style sheet's name of the line's colour. */
  colour: string;
  /** Without axes, legend and cursor. */
  isSmall: boolean;
  /** Single charted values instead of a line. */
  hasPoints: boolean;
  sync: string;
}

const CLOCK_VALUES = [
  [3600, "{HH}:{mm}", null, null, null, null, null, null, 1],
  [60, "{HH}:{mm}", null, null, null, null, null, null, 1],
  [1, "{HH}:{mm}:{ss}", null, null, null, null, null, null, 1],
] as unknown as uPlot.Axis.Values;

function optionsOf(look: PlotLook, width: number): uPlot.Options {
  const said = (_: uPlot, value: number | null) => (value === null ? "–" : value.toFixed(look.decimals));
  const axis = { stroke: colour("text-soft"), grid: { stroke: colour("grid"), width: 1 }, ticks: { show: false } };
  const edge: uPlot.Series = { stroke: "transparent", points: { show: false }, value: said };
  return {
    width,
    height: look.height,
    padding: look.isSmall ? [4, 2, 2, 2] : [8, 8, 0, 0],
    cursor: look.isSmall ? { show: false } : { sync: { key: look.sync }, y: false, drag: { x: false, y: false } },
    legend: { show: !look.isSmall, live: true },
    scales: { x: { time: true }, y: { range: (_, least, most) => widened(look.range, least, most) } },
    axes: look.isSmall
      ? [{ show: false }, { show: false }]
      : [
          { ...axis, values: CLOCK_VALUES, space: 70 },
          { ...axis, size: 44, space: 28 },
        ],
    series: [
      { label: "Time", value: "{HH}:{mm}:{ss}" },
      {
        label: `${look.label}${look.unit ? `, ${look.unit}` : ""}`,
        stroke: colour(look.colour),
        width: look.isSmall ? 2 : 1.75,
        points: { show: look.hasPoints, size: 7, fill: colour(look.colour) },
        value: said,
      },
      { ...edge, label: look.lowLabel },
      { ...edge, label: look.highLabel },
    ],
    bands: [{ series: [3, 2], fill: colour(`${look.colour}-band`) }],
  };
}

function widened([from, to]: PlotLook["range"], least: number | null, most: number | null): uPlot.Range.MinMax {
  return [Math.min(from, least ?? from), Math.max(to, most ?? to)];
}

interface PlotProps {
  columns: Columns;
  look: PlotLook;
  from: number;
  to: number;
  /** What a screen reader is told of it. */
  told: string;
}

export function Plot({ columns, look, from, to, told }: PlotProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const painted = coloursChanged.value;
  useEffect(() => {
    const element = place.current;
    if (element === null || painted < 0) return;
    const made = new uPlot(optionsOf(look, Math.max(80, element.clientWidth)), [[], [], [], []], element);
    plot.current = made;
    const watcher = new ResizeObserver(() => {
      const width = Math.max(80, element.clientWidth);
      if (width !== made.width) made.setSize({ width, height: look.height });
    });
    watcher.observe(element);
    return () => {
      watcher.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [look, painted]);
  useEffect(() => {
    plot.current?.setData(columns, false);
    plot.current?.setScale("x", { min: from, max: to });
  }, [columns, from, to, look, painted]);
  return <div class={look.isSmall ? "plot is-small" : "plot"} ref={place} role="img" aria-label={told} />;
}

/** Moves the cursor of every plot of a group, for whoever has no mouse. */
export function moveCursor(group: HTMLElement, event: KeyboardEvent): void {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (step === undefined) return;
  event.preventDefault();
  const over = group.querySelector<HTMLElement>(".u-over");
  if (over === null) return;
  const box = over.getBoundingClientRect();
  const before = Number.parseFloat(group.dataset.cursor ?? String(box.width));
  const left = Math.min(box.width - 1, Math.max(0, before + step * (event.shiftKey ? 40 : 8)));
  group.dataset.cursor = String(left);
  const at = { clientX: box.left + left, clientY: box.top + box.height / 2, bubbles: true };
  over.dispatchEvent(new MouseEvent("mouseenter", at));
  over.dispatchEvent(new MouseEvent("mousemove", at));
}

/** What the columns say in words: newest, smallest, largest, and whether there are gaps. */
export function inWords(name: string, columns: Columns, decimals: number): string {
  const values = columns[1].filter((one) => one !== null);
  if (values.length === 0) return `${name}: ${COURSE.none}`;
  const [least, most] = [Math.min(...values), Math.max(...values)].map((one) => one.toFixed(decimals));
  const newest = values.at(-1)?.toFixed(decimals);
  const missing = columns[1].length - values.length;
  return `${name}: from ${least} to ${most}, newest ${newest}; ${missing ? "with gaps" : "without gaps"}`;
}
