/** What all plots have in common: colours and type of the page, and staying as large as the place that they are in. */
import type uPlot from "uplot";

/** 1, 2, 5, 10, …: there are no half steps. */
export const wholeIncrements = Array.from({ length: 24 }, (_, i) => [1, 2, 5][i % 3]! * 10 ** Math.floor(i / 3));

export interface PlotStyle {
  /** A custom property of the page. */
  readonly colour: (name: string) => string;
  readonly axis: uPlot.Axis;
}

export function plotStyle(host: HTMLElement): PlotStyle {
  const style = getComputedStyle(host);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const axis = {
    stroke: colour("--ink-3"),
    font: `11px ${colour("--font")}`,
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { show: false },
  };
  return { colour, axis };
}

export interface KeptPlot {
  readonly plot: uPlot;
  destroy(): void;
}

/** Keeps a plot in its host: resized with it, and built anew when the colours change. */
export function keepPlot(host: HTMLElement, build: () => uPlot): KeptPlot {
  let plot = build();
  const resizing = new ResizeObserver(() => plot.setSize({ width: host.clientWidth, height: host.clientHeight }));
  resizing.observe(host);
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  const rebuild = (): void => {
    plot.destroy();
    plot = build();
  };
  scheme.addEventListener("change", rebuild);
  return {
    get plot() {
      return plot;
    },
    destroy() {
      resizing.disconnect();
      scheme.removeEventListener("change", rebuild);
      plot.destroy();
    },
  };
}
