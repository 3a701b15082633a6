// The chart of a report: a bar for each ratio on a logarithmic scale, as an SVG that can be read on light and on dark.
import { advantage, type CaseFigures, type Report } from "./figures.ts";
import { LABELS } from "./peers.ts";
import { figure } from "./table.ts";

/** The sides that are drawn, and their colours on light and on dark. */
const COLORS: Readonly<Record<string, readonly [string, string]>> = {
  bare: ["#57606a", "#9ea7b3"],
  node: ["#1a7f37", "#3fb950"],
  cpython: ["#0969da", "#58a6ff"],
  uvloop: ["#bc4c00", "#f0883e"],
  std: ["#8250df", "#bc8cff"],
};

const [WIDTH, LEFT, RIGHT, TOP] = [860, 310, 50, 64];
const [BAR, GAP, GROUP] = [9, 8, 26];
/** The scale's ends: bars beyond them are cut, and say their figure all the same. */
const [LOWEST, HIGHEST] = [0.1, 10];

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** Where a ratio stands on the scale, in pixels. */
export function position(ratio: number): number {
  const part = Math.log(Math.min(Math.max(ratio, LOWEST), HIGHEST) / LOWEST) / Math.log(HIGHEST / LOWEST);
  return Math.round((LEFT + part * (WIDTH - LEFT - RIGHT)) * 10) / 10;
}

function style(): string {
  const fills = (tone: 0 | 1) => Object.entries(COLORS).map(([key, tones]) => `.${key}{fill:${tones[tone]}}`).join("");
  return `<style>text{font:12px system-ui,sans-serif;fill:#1f2328}.small{font-size:10px}.head{font-weight:600}` +
    `line{stroke:#d1d9e0}.one{stroke:#1f2328}${fills(0)}@media(prefers-color-scheme:dark){text{fill:#e6edf3}` +
    `line{stroke:#3d444d}.one{stroke:#e6edf3}${fills(1)}}</style>`;
}

function bars(subject: CaseFigures): { side: string; ratio: number }[] {
  return Object.keys(COLORS).flatMap((side) => {
    const ratio = advantage(subject, side);
    return ratio === null ? [] : [{ side, ratio }];
  });
}

/** The chart as the text of an SVG file. Cases without a drawn side are left out. */
export function chart_of(report: Report): string {
  const body: string[] = [];
  const drawn = new Set<string>();
  let y = TOP;
  const shown = report.cases.filter((subject) => subject.chart && bars(subject).length > 0);
  for (const [group, cases] of Map.groupBy(shown, ({ group }) => group)) {
    body.push(`<text class="head" x="8" y="${y + 16}">${escaped(group)}</text>`);
    y += GROUP;
    for (const subject of cases) {
      const lines = bars(subject);
      const middle = y + lines.length * BAR / 2 + 4;
      body.push(`<text x="${LEFT - 32}" y="${middle}" text-anchor="end">${escaped(subject.name)}</text>`);
      for (const { side, ratio } of lines) {
        drawn.add(side);
        const [from, to] = [position(1), position(ratio)];
        const x = Math.min(from, to);
        const width = Math.max(1, Math.abs(to - from)).toFixed(1);
        const text_x = ratio >= 1 ? to + 3 : to - 3;
        body.push(
          `<rect class="${side}" x="${x}" y="${y}" width="${width}" height="${BAR - 2}"/>` +
            `<text class="small" x="${text_x}" y="${y + BAR - 2}" text-anchor="${ratio >= 1 ? "start" : "end"}">` +
            `${figure(ratio)}</text>`,
        );
        y += BAR;
      }
      y += GAP;
    }
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${y + 8}" viewBox="0 0 ${WIDTH} ${
      y + 8
    }" role="img">`,
    `<title>How many times as good as others asyncio for Deno is</title>`,
    style(),
    `<text class="head" x="8" y="18">How many times as good: right of 1 this library is better, left of it the other</text>`,
    ...legend([...drawn]),
    ...[0.1, 0.2, 0.5, 1, 2, 5, 10].map((ratio) => grid_line(ratio, y)),
    ...body,
    "</svg>\n",
  ].join("\n");
}

function legend(sides: readonly string[]): string[] {
  const ordered = Object.keys(COLORS).filter((side) => sides.includes(side));
  return ordered.map((side, index) => {
    const x = 8 + index * 120;
    return `<rect class="${side}" x="${x}" y="30" width="10" height="10"/>` +
      `<text x="${x + 15}" y="39">${escaped(LABELS[side])}</text>`;
  });
}

function grid_line(ratio: number, bottom: number): string {
  const x = position(ratio);
  return `<line${ratio === 1 ? ' class="one"' : ""} x1="${x}" y1="${TOP}" x2="${x}" y2="${bottom}"/>` +
    `<text class="small" x="${x}" y="${TOP - 4}" text-anchor="middle">${ratio}</text>`;
}
