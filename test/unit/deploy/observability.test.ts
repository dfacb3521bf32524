import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { createDashboard } from '../../../deploy/observability/dashboard.ts';
import { createMetrics } from '../../../gateway/telemetry/metrics.ts';
import { findPromtool } from '../../harness/promtool.ts';

const root = join(import.meta.dirname, '../../..');
const directory = join(root, 'deploy/observability');

// The first run on a machine may have to download promtool.
const downloadTimeoutMs = 300_000;

interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly runbook_url: string };
}

/** A scenario of alerts.test.yaml. */
interface RuleTest {
  readonly alert_rule_test?: readonly {
    readonly alertname: string;
    readonly exp_alerts: readonly object[];
  }[];
}

async function readText(path: string): Promise<string> {
  return readFile(join(root, path), 'utf8');
}

async function readYaml(path: string) {
  return parse(await readText(path));
}

async function readAlerts(): Promise<Alert[]> {
  const { groups } = await readYaml('deploy/observability/alerts.yaml');
  return groups.flatMap(({ rules }: { rules: Alert[] }) => rules);
}

/** The labels of each metric in docs/observability.md, of which another test knows that it lists exactly the metrics of
 *  the gateway; and the metrics of the process. */
async function readMetrics(): Promise<Map<string, ReadonlySet<string>>> {
  const metrics = new Map<string, ReadonlySet<string>>([['up', new Set()]]);
  const rows = (await readText('docs/observability.md')).matchAll(
    /^\| (`tributary_.+?) \| (counter|gauge|histogram) \| (.*?) ?\| /gm,
  );
  const namesIn = (cell: string) => Array.from(cell.matchAll(/`(\w+)`/g), ([, name = '']) => name);
  for (const [, names = '', type = '', labels = ''] of rows) {
    const endings = type === 'histogram' ? ['_bucket', '_sum', '_count'] : [''];
    for (const name of namesIn(names)) {
      for (const ending of endings) {
        metrics.set(name + ending, new Set([...namesIn(labels), ...(ending === '_bucket' ? ['le'] : [])]));
      }
    }
  }
  for (const [, name = ''] of (await createMetrics().text()).matchAll(/^# TYPE (\w+)/gm)) {
    metrics.set(name, new Set());
  }
  return metrics;
}

/** Metrics and labels of an expression that do not exist. The labels of a `by` belong to the metric in it. */
function unknownNames(expr: string, metrics: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  const withoutTexts = expr.replaceAll(/"[^"]*"/g, '""');
  const used = [...withoutTexts.matchAll(/\b((?:tributary|nodejs|process)_\w+|up)\b(?:\{([^}]*)\})?/g)];
  const grouped = Array.from(withoutTexts.matchAll(/\bby \(([^)]*)\)/g), ([, labels = '']) => labels);
  // Each `by` of these expressions is followed by one metric.
  return used.flatMap(([, metric = '', matchers = ''], index) => {
    const known = metrics.get(metric);
    if (known === undefined) return [metric];
    const labels = [
      ...Array.from(matchers.matchAll(/(\w+)(?:=|!)/g), ([, label = '']) => label),
      ...(grouped.length === used.length ? (grouped[index] ?? '').split(', ') : []),
    ];
    return labels
      .filter((label) => label !== '' && label !== 'job' && label !== 'instance' && !known.has(label))
      .map((label) => `${metric}{${label}}`);
  });
}

describe('the Grafana dashboard', () => {
  interface GrafanaPanel {
    readonly title: string;
    readonly description?: string;
    readonly targets?: readonly { readonly expr: string }[];
  }
  const { panels } = createDashboard() as { panels: readonly GrafanaPanel[] };

  test('is the output of deploy/observability/dashboard.ts', async () => {
    const committed = await readText('deploy/observability/grafana/tributary.generated.json');
    // If this fails: node deploy/observability/dashboard.ts > deploy/observability/grafana/tributary.generated.json
    expect(JSON.parse(committed)).toEqual(createDashboard());
  });

  test('uses only metrics and labels that the gateway has', async () => {
    const metrics = await readMetrics();
    const expressions = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
    expect(expressions.length).toBeGreaterThan(40);
    expect(expressions.flatMap((expr) => unknownNames(expr, metrics))).toEqual([]);
    expect(
      unknownNames('sum by (nothing) (rate(tributary_shed_total{kind="x"}[5m])) + tributary_x', metrics),
    ).toEqual(['tributary_shed_total{kind}', 'tributary_x']);
  });

  test('shows every metric of docs/observability.md', async () => {
    const nameOf = (series: string): string => series.replace(/_(bucket|sum|count)$/, '');
    const expressions = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)).join('\n');
    const shown = new Set(Array.from(expressions.matchAll(/\btributary_\w+/g), ([name]) => nameOf(name)));
    const documented = [...(await readMetrics()).keys()].filter((name) => name.startsWith('tributary_'));
    expect(documented.length).toBeGreaterThan(50);
    expect(documented.filter((name) => !shown.has(nameOf(name)))).toEqual([]);
  });

  test('explains each panel', () => {
    const withoutText = panels.filter(
      ({ targets, description = '' }) => targets !== undefined && description === '',
    );
    expect(withoutText.map(({ title }) => title)).toEqual([]);
  });
});

describe('the alerts', () => {
  test('use only metrics and labels that the gateway has', async () => {
    const metrics = await readMetrics();
    const alerts = await readAlerts();
    expect(alerts.flatMap(({ expr }) => unknownNames(expr, metrics))).toEqual([]);
  });

  test('link to a section of docs/runbooks.md each, and the page has no others', async () => {
    const page = await readText('docs/runbooks.md');
    const sections = Array.from(page.matchAll(/^## (Tributary\w+)$/gm), ([, name = '']) => name);
    const alerts = await readAlerts();
    expect(alerts.map(({ alert }) => alert).sort()).toEqual(sections.sort());
    for (const { alert, annotations } of alerts) {
      expect(annotations.runbook_url).toBe(`docs/runbooks.md#${alert.toLowerCase()}`);
    }
  });

  test(
    'fire when everything fails, and none of them fires on a healthy gateway, as promtool evaluates them',
    async () => {
      const promtool = await findPromtool();
      const run = (...args: string[]) => promisify(execFile)(promtool, args, { cwd: directory });
      await run('check', 'config', 'prometheus.yaml');
      await run('test', 'rules', 'alerts.test.yaml');
      const { tests } = await readYaml('deploy/observability/alerts.test.yaml');
      const firing = (tests as RuleTest[]).flatMap(({ alert_rule_test = [] }) =>
        alert_rule_test.filter(({ exp_alerts }) => exp_alerts.length > 0),
      );
      const tested = new Set(firing.map(({ alertname }) => alertname));
      expect(tested).toEqual(new Set((await readAlerts()).map(({ alert }) => alert)));
    },
    downloadTimeoutMs,
  );
});

test('the collector receives the spans of the gateways and passes them to exporters that it has', async () => {
  const { receivers, processors, exporters, service } = await readYaml(
    'deploy/observability/otel-collector.yaml',
  );
  for (const pipeline of Object.values<Record<string, string[]>>(service.pipelines)) {
    expect(Object.keys(receivers)).toEqual(expect.arrayContaining(pipeline.receivers ?? []));
    expect(Object.keys(processors)).toEqual(expect.arrayContaining(pipeline.processors ?? []));
    expect(Object.keys(exporters)).toEqual(expect.arrayContaining(pipeline.exporters ?? []));
  }
  const { services } = parse(await readText('docker-compose.yml'), { merge: true });
  const endpoint = new URL(services['gateway-1'].environment.OTEL_EXPORTER_OTLP_ENDPOINT);
  expect(receivers.otlp.protocols.http.endpoint).toBe(`0.0.0.0:${endpoint.port}`);
  expect(Object.keys(services)).toContain(endpoint.hostname);
});
