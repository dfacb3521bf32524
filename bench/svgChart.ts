// Bar and line charts as SVG. Small on purpose: chart libraries for servers bring a document model or a layout engine.

/** Text and lines follow the reader's colour scheme, also where the file is shown as an image. */
const style = [
  'text{font:12px system-ui,sans-serif;fill:#24292f}',
  '.title{font-weight:600;font-size:14px}',
  '.grid{stroke:#d0d7de}',
  '.s0{fill:#0969da;stroke:#0969da}.s1{fill:#8c959f;stroke:#8c959f}.s2{fill:#bc4c00;stroke:#bc4c00}',
  '.line{fill:none;stroke-width:2}.dashed{stroke-dasharray:5 4}',
  '@media(prefers-color-scheme:dark){text{fill:#e6edf3}.grid{stroke:#30363d}.s0{fill:#58a6ff;stroke:#58a6ff}.s1{fill:#8b949e;stroke:#8b949e}.s2{fill:#ffa657;stroke:#ffa657}}',
].join('');

/** 0 is the subject, 1 a bound, 2 another program. */
export type Series = 0 | 1 | 2;

interface Bar {
  readonly label: string;
  readonly value: number;
  readonly series: Series;
}

/** Horizontal bars, each with its value. */
export function barChart(title: string, unit: string, bars: readonly Bar[]): string {
  const [labels, width, rowHeight, top] = [170, 640, 24, 40];
  const longest = Math.max(...bars.map(({ value }) => value));
  const scale = (value: number) => (value / longest) * (width - labels - 90);
  const rows = bars.flatMap(({ label, value, series }, index) => {
    const y = top + index * rowHeight;
    return [
      text(labels - 8, y + 15, label, 'text-anchor="end"'),
      `<rect class="s${series}" x="${labels}" y="${y + 3}" width="${round(scale(value))}" height="16" stroke="none"/>`,
      text(labels + scale(value) + 6, y + 15, `${shortNumber(value)} ${unit}`),
    ];
  });
  return svg(width, top + bars.length * rowHeight + 8, title, rows);
}

export interface Line {
  readonly label: string;
  readonly series: Series;
  readonly isDashed?: boolean;
  /** Ascending by x; all values above 0. */
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** Lines on two logarithmic axes. */
export function logChart(title: string, xLabel: string, yLabel: string, lines: readonly Line[]): string {
  const [width, height, left, right, top, bottom] = [640, 340, 70, 150, 56, 48];
  const all = lines.flatMap(({ points }) => points);
  const xTicks = [...new Set(all.map(([x]) => x))].sort((a, b) => a - b);
  const x = logScale(xTicks, left, width - right);
  const yRange = decades(all.map(([, value]) => value));
  const y = logScale(yRange, height - bottom, top);
  const grid = yRange.flatMap((value) => [
    `<line class="grid" x1="${left}" x2="${width - right}" y1="${round(y(value))}" y2="${round(y(value))}"/>`,
    text(left - 8, y(value) + 4, shortNumber(value), 'text-anchor="end"'),
  ]);
  const ticks = xTicks.map((value) =>
    text(x(value), height - bottom + 20, value.toLocaleString('en'), 'text-anchor="middle"'),
  );
  const labelHeights = spreadOut(lines.map(({ points }) => y(points.at(-1)?.[1] ?? Number.NaN)));
  const drawn = lines.flatMap(({ label, series, isDashed, points }, index) => [
    `<polyline class="line s${series}${isDashed ? ' dashed' : ''}" style="fill:none" points="${points.map(([px, py]) => `${round(x(px))},${round(y(py))}`).join(' ')}"/>`,
    ...(isDashed
      ? []
      : points.map(
          ([px, py]) => `<circle class="s${series}" cx="${round(x(px))}" cy="${round(y(py))}" r="3"/>`,
        )),
    text(x(points.at(-1)?.[0] ?? Number.NaN) + 8, (labelHeights[index] ?? 0) + 4, label),
  ]);
  const axes = [
    text(left, top - 12, yLabel),
    text((left + width - right) / 2, height - 8, xLabel, 'text-anchor="middle"'),
  ];
  return svg(width, height, title, [...grid, ...ticks, ...axes, ...drawn]);
}

function logScale(values: readonly number[], from: number, to: number): (value: number) => number {
  const [low, high] = [Math.log(Math.min(...values)), Math.log(Math.max(...values))];
  return (value) =>
    high === low ? (from + to) / 2 : from + ((Math.log(value) - low) / (high - low)) * (to - from);
}

/** The powers of ten around the values. */
function decades(values: readonly number[]): readonly number[] {
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values))));
  return Array.from({ length: high - low + 1 }, (_, index) => 10 ** (low + index));
}

/** Moves labels down that would overlap others. */
function spreadOut(heights: readonly number[]): readonly number[] {
  const moved = [...heights];
  const order = heights.map((_, index) => index).sort((a, b) => (heights[a] ?? 0) - (heights[b] ?? 0));
  for (const [place, index] of order.entries()) {
    const above = place === 0 ? Number.NEGATIVE_INFINITY : (moved[order[place - 1] ?? 0] ?? 0);
    moved[index] = Math.max(heights[index] ?? 0, above + 14);
  }
  return moved;
}

/** Three significant digits. */
function shortNumber(value: number): string {
  return Number(value.toPrecision(3)).toLocaleString('en', { maximumSignificantDigits: 3 });
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function text(x: number, y: number, content: string, attributes = ''): string {
  return `<text x="${round(x)}" y="${round(y)}" ${attributes}>${escapeXml(content)}</text>`;
}

function escapeXml(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function svg(width: number, height: number, title: string, content: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escapeXml(title).replaceAll('"', '&quot;')}">`,
    `<style>${style}</style>`,
    `<text class="title" x="12" y="22">${escapeXml(title)}</text>`,
    ...content,
    '</svg>',
    '',
  ].join('\n');
}
