import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { plotsOf } from '../../../bench/plots.ts';
import { markdown, profilesPage, publishedPage } from '../../../bench/report.ts';
import {
  latestDirectory,
  mergeResults,
  type Report,
  type Results,
  readResults,
} from '../../../bench/results.ts';
import { selectScenarios } from '../../../bench/scenarios.ts';
import { logChart } from '../../../bench/svgChart.ts';

const roles = { 'floor-merged': 'floor', mercurius: 'peer' } as const;

/** The medians of targets in one scenario, by their CPU per request. */
function report(scenario: string, cpus: Readonly<Record<string, number | undefined>>): Report {
  const rows = Object.entries(cpus).map(([target, cpuMsPerRequest]) => {
    const role = roles[target as keyof typeof roles] ?? 'subject';
    if (cpuMsPerRequest === undefined) return { target, role, rounds: [], failure: 'No answer\nat all' };
    const medians = {
      requestsPerSecond: 100,
      p50Ms: 1,
      p99Ms: 10 * cpuMsPerRequest,
      cpuMsPerRequest,
      subgraphRequestsPerRequest: 2,
      peakRssMib: 250,
      wrongAnswers: 0,
    };
    return { target, role, rounds: [medians], medians };
  });
  return { scenario, kind: 'throughput', answerBytes: 1000, rows };
}

function results(reports: readonly Report[], commit = 'abc1234'): Results {
  return { circumstances: { cpu: 'A processor × 2', memory: '24 GiB', node: 'Node v26', commit }, reports };
}

const targetsOf = ({ reports }: Results) =>
  reports.map(({ scenario, rows }) => [scenario, ...rows.map(({ target }) => target)]);

describe('results of several runs', () => {
  test('are merged: later rows replace equal ones, and other rows and scenarios remain', () => {
    const earlier = results([
      report('big', { 'floor-merged': 1, tributary: 3 }),
      report('small', { tributary: 1 }),
    ]);
    const later = results([
      report('big', { tributary: 2, mercurius: 9 }),
      report('unique', { tributary: 4 }),
    ]);
    const merged = mergeResults(earlier, later);
    expect(targetsOf(merged)).toEqual([
      ['big', 'floor-merged', 'tributary', 'mercurius'],
      ['small', 'tributary'],
      ['unique', 'tributary'],
    ]);
    expect(markdown(merged)).toContain('| `big`, CPU of the floor | ≤ 1.25 × | 2.00 × |');
  });

  test('are not merged if they are of different commits', () => {
    expect(() => mergeResults(results([]), results([], 'def5678'))).toThrow(
      /commit was abc1234 and is def5678\. Choose another name with --into/,
    );
  });
});

describe('the page of results', () => {
  const measured = results([
    report('big', { 'floor-merged': 1, tributary: 1.2, mercurius: undefined }),
    report('small', { 'floor-merged': 0.1, tributary: 0.2, mercurius: 0.25 }),
    report('latency-50', { 'floor-merged': 4, tributary: 4.1 }),
  ]);

  test('compares every target with the floor and the best other gateway', () => {
    const page = markdown(measured);
    expect(page).toContain('A processor × 2, 24 GiB, Node v26, commit abc1234');
    expect(page).toContain('| tributary | 100 | 1.0 / 2.0 | 0.200 | 0.200–0.200 | 2.00 | 1.25 |');
    expect(page).toContain('| mercurius | not measured: No answer |');
  });

  test('has a line for each target that was measured, and none for the others', () => {
    const lines = markdown(measured).split('\n');
    expect(lines).toContain('| `small`, CPU of Mercurius | ≤ 1 × | 0.80 × |');
    expect(lines).toContain('| `latency-50`, p99 above that of the floor | ≤ 3 ms | 1.0 ms |');
    expect(lines).toContain('| `big`, peak resident memory | ≤ 300 MiB | 250 MiB |');
    expect(lines.filter((line) => line.includes('`unique`') || line.includes('NaN'))).toEqual([]);
    expect(lines.filter((line) => line.includes('`big`, less than'))).toEqual([]);
  });

  test('replaces what is between the marks of a page', () => {
    const page = 'Before\n<!-- results: begin -->\nold\n<!-- results: end -->\nAfter\n';
    const written = publishedPage(page, measured);
    expect(written).toMatch(
      /^Before\n<!-- results: begin -->\n\nA processor[\s\S]*\n\n<!-- results: end -->\nAfter\n$/,
    );
    expect(written).toContain('(../bench/results/latest/small.svg)');
    expect(publishedPage(written, measured)).toBe(written);
    expect(() => publishedPage('no marks', measured)).toThrow('The page has no <!-- results: begin -->');
  });

  test('with profiles has those of Tributary and of the floor', () => {
    const profile = {
      cpu: [{ name: 'parseText', place: 'gateway/read.ts:12', share: 0.175 }],
      allocations: [{ name: '(V8 API)', place: '', share: 0.5 }],
    };
    const small = report('small', { 'floor-merged': 0.1, tributary: 0.2, mercurius: 0.3 });
    const rows = small.rows.map((row) => (row.target === 'floor-merged' ? row : { ...row, profile }));
    const page = profilesPage(results([{ ...small, rows } as Report]));
    expect(page.match(/^## .*$/gm)).toEqual(['## small, tributary']);
    expect(page).toContain('| `parseText` | gateway/read.ts:12 | 17.5 | 35.0 |');
    expect(page).toContain('| `(V8 API)` |  | 50.0 |');
  });

  test('in the documentation is that of the committed results, with all plots', () => {
    const latest = readResults(join(latestDirectory, 'results.json'));
    const page = readFileSync(join(import.meta.dirname, '../../../docs/performance.md'), 'utf8');
    expect(publishedPage(page, latest)).toBe(page);
    const plots = plotsOf(latest);
    expect(plots.length).toBeGreaterThan(2);
    for (const { name, svg } of plots) {
      expect({ name, svg: readFileSync(join(latestDirectory, name), 'utf8') }).toEqual({ name, svg });
    }
  });
});

describe('plots', () => {
  test('show bars in the order of their values', () => {
    const [plot] = plotsOf(results([report('big', { mercurius: 10, tributary: 1.234, 'floor-merged': 1 })]));
    expect(plot?.name).toBe('big.svg');
    const texts = Array.from(plot?.svg.matchAll(/<text[^>]*>([^<]*)</g) ?? [], ([, text]) => text);
    expect(texts).toEqual([
      'big: CPU per request',
      ...['floor-merged', '1 ms', 'tributary', '1.23 ms', 'mercurius', '10 ms'],
    ]);
    const widths = Array.from(plot?.svg.matchAll(/<rect[^>]* width="([\d.]+)"/g) ?? [], ([, width]) =>
      Number(width),
    );
    expect(widths[2]).toBeCloseTo(10 * (widths[0] ?? 0), 0);
  });

  test('show growth on logarithmic axes, with a line in proportion', () => {
    const reports = [1000, 10, 100].map((size) =>
      report(`growth-representations-${size}`, { tributary: size / 100, 'floor-merged': size / 200 }),
    );
    const [plot] = plotsOf(results(reports));
    expect(plot?.name).toBe('growth-representations.svg');
    const lines = Array.from(plot?.svg.matchAll(/points="([^"]*)"/g) ?? [], ([, points = '']) =>
      points.split(' ').map((point) => point.split(',').map(Number)),
    );
    expect(lines).toHaveLength(3);
    // Equal factors are equal distances, and growth in proportion is a straight line, which the dashed one covers.
    const [tributary = [], , proportional] = lines;
    const [[x0 = 0, y0 = 0] = [], [x1 = 0, y1 = 0] = [], [x2 = 0, y2 = 0] = []] = tributary;
    expect(x2 - x1).toBeCloseTo(x1 - x0, 0);
    expect(y2 - y1).toBeCloseTo(y1 - y0, 0);
    expect(y1).toBeLessThan(y0);
    expect(proportional).toEqual(tributary);
  });

  test('are omitted for a single point', () => {
    expect(plotsOf(results([report('growth-clients-10', { tributary: 1 })]))).toEqual([]);
  });

  test('are well-formed, also with characters that XML reserves', () => {
    const svg = logChart('a < b & "c"', 'x', 'y', [
      {
        label: '<d>',
        series: 0,
        points: [
          [1, 1],
          [2, 2],
        ],
      },
    ]);
    const open: string[] = [];
    for (const [, slash, name = '', attributes = ''] of svg.matchAll(
      /<(\/?)(\w+)((?:\s+[\w:-]+="[^"<]*")*)\s*\/?>/g,
    )) {
      if (slash === '/') expect(open.pop()).toBe(name);
      else if (!svg.includes(`<${name}${attributes}/>`)) open.push(name);
    }
    expect(open).toEqual([]);
    expect(svg).toContain('a &lt; b &amp; "c"');
    expect(svg).toContain('aria-label="a &lt; b &amp; &quot;c&quot;"');
    expect(svg).toContain('&lt;d&gt;');
  });
});

describe('the selection of scenarios', () => {
  test('takes names, and beginnings of names with an asterisk', () => {
    const names = (selection: string) => selectScenarios(selection).map(({ name }) => name);
    expect(names('small,latency-*')).toEqual(['small', 'latency-50', 'latency-500', 'latency-burst']);
    expect(names('big')).toEqual(['big']);
    expect(() => selectScenarios('bg')).toThrow(/^Unknown scenario bg; choose from big, unique/);
    expect(() => selectScenarios('nothing-*')).toThrow('Unknown scenario nothing-*');
  });
});
