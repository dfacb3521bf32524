import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { findAdvice } from '../../../gateway/cache/notStoredAdvice.ts';
import { RuleUsages } from '../../../gateway/cache/ruleUsages.ts';
import { configuredRule, readRulesOf } from '../../harness/cachedSubgraphs.ts';

const sdl = `
  interface Named { name: String }
  type Query { top: Product @cached(maxAge: "1m") }
  type Product implements Named @key(fields: "id") @cached(maxAge: "5s", scope: PRIVATE, tags: ["p"]) { id: ID! name: String }`;
const noStore = 'Cache-Control: no-store';

async function start() {
  const { rules } = await readRulesOf(
    { shop: sdl },
    { 'Product.name': configuredRule(1_000), 'subgraph:shop': configuredRule(2_000) },
  );
  const clock = { now: 0 };
  const lines: Record<string, unknown>[] = [];
  const log = {
    info: (fields: object) => lines.push({ level: 'info', ...fields }),
    warn: (fields: object) => lines.push({ level: 'warn', ...fields }),
  };
  const usages = new RuleUsages({ log: log as never, now: () => clock.now });
  const usageOf = (...ruleNames: string[]) =>
    usages.usageOf({ subgraph: 'shop', ruleNames, ruledFields: ruleNames.map((name) => `field of ${name}`) });
  const report = () => usages.report(rules, (_, scope) => [scope.toLowerCase()]);
  return { rules, clock, lines, usageOf, report };
}

test('the names of a rule are those of the narrowest level with a rule', async () => {
  const { rules } = await start();
  const type = (name: string) => rules.graph.types.get(name) as never;
  expect(rules.ruleNamesFor(type('Product'), 'name', 'shop')).toEqual(['Product.name']);
  expect(rules.ruleNamesFor(type('Product'), 'id', 'shop')).toEqual(['Product']);
  expect(rules.ruleNamesFor(type('Query'), 'top', 'shop')).toEqual(['Query.top']);
  const { rules: others } = await readRulesOf(
    { shop: sdl.replaceAll(/@cached\([^)]*\)/g, '') },
    { Named: configuredRule(1), 'subgraph:shop': configuredRule(2) },
  );
  const product = others.graph.types.get('Product') as never;
  expect(others.ruleNamesFor(product, 'name', 'shop')).toEqual(['Named']);
  expect(others.ruleNamesFor(others.graph.types.get('Query') as never, 'top', 'shop')).toEqual([
    'subgraph:shop',
  ]);
  expect(others.ruleNamesFor(others.graph.types.get('Query') as never, 'top', 'other')).toEqual([]);
});

test('the report lists every rule with what it did, and says what to look at if it did nothing', async () => {
  const { usageOf, report } = await start();
  const name = usageOf('Product.name');
  name.onLookup('misses', 1);
  name.onStored();
  const both = usageOf('Product', 'Query.top');
  both.onLookup('hits', 2);
  for (const outcome of ['stale', 'misses'] as const) both.onLookup(outcome, 1);
  both.onNotStored('Query.other has no rule', 'info', 3);
  usageOf('subgraph:shop').onLookup('misses', 1);
  const counts = { subgraph: 'shop', hits: 0, stale: 0, misses: 0, stored: 0, notStored: [] };
  const used = {
    ...counts,
    hits: 2,
    stale: 1,
    misses: 1,
    notStored: [
      {
        reason: 'Query.other has no rule',
        advice: findAdvice('Query.other has no rule'),
        count: 3,
        fields: ['field of Product', 'field of Query.top'],
      },
    ],
  };
  const rule = { staleWhileRevalidateMs: 0, staleIfErrorMs: 0, scope: 'PUBLIC', tags: [] };
  expect(Map.groupBy(report(), ({ rule }) => rule)).toEqual(
    new Map<string, unknown>([
      [
        'Query.top',
        [
          {
            ...rule,
            rule: 'Query.top',
            source: 'directive',
            maxAgeMs: 60_000,
            subgraphs: [{ ...used, keyHeaders: ['public'] }],
          },
        ],
      ],
      [
        'Product',
        [
          {
            ...rule,
            rule: 'Product',
            source: 'directive',
            maxAgeMs: 5_000,
            scope: 'PRIVATE',
            tags: ['p'],
            subgraphs: [{ ...used, keyHeaders: ['private'] }],
          },
        ],
      ],
      [
        'Product.name',
        [
          {
            ...rule,
            rule: 'Product.name',
            source: 'configuration',
            maxAgeMs: 1_000,
            advice: expect.stringContaining('list it in cache.ignoreHeaders'),
            subgraphs: [{ ...counts, misses: 1, stored: 1, keyHeaders: ['public'] }],
          },
        ],
      ],
      [
        'subgraph:shop',
        [
          {
            ...rule,
            rule: 'subgraph:shop',
            source: 'configuration',
            maxAgeMs: 2_000,
            advice: expect.stringContaining('No response has arrived'),
            subgraphs: [{ ...counts, misses: 1, keyHeaders: ['public'] }],
          },
        ],
      ],
    ]),
  );
});

test('a rule that no fetch uses is reported as such', async () => {
  const { report } = await start();
  expect(report().map(({ advice, subgraphs }) => [advice?.slice(0, 33), subgraphs])).toEqual(
    report().map(() => ['No fetch has used this rule since', []]),
  );
  expect(report()).toHaveLength(4);
});

test('a reason is logged once for each rule and subgraph, with the rules that it was not logged for', async () => {
  const { lines, usageOf } = await start();
  for (const _ of [1, 2]) usageOf('Product').onNotStored(noStore, 'warn', 1);
  usageOf('Product', 'Query.top').onNotStored(noStore, 'warn', 1);
  usageOf('Product').onNotStored('the response has errors', 'info', 1);
  const shop = { subgraph: 'shop', advice: expect.any(String) };
  expect(lines).toEqual([
    { ...shop, level: 'warn', rules: ['Product'], fields: ['field of Product'], reason: noStore },
    {
      ...shop,
      level: 'warn',
      rules: ['Query.top'],
      fields: ['field of Product', 'field of Query.top'],
      reason: noStore,
    },
    {
      ...shop,
      level: 'info',
      rules: ['Product'],
      fields: ['field of Product'],
      reason: 'the response has errors',
    },
  ]);
});

test('at most 20 lines are logged in a minute, and a reason that was not logged is logged later', async () => {
  const { clock, lines, usageOf } = await start();
  const usage = usageOf('Product');
  for (let number = 0; number < 30; number++) usage.onNotStored(`reason ${number}`, 'warn', 1);
  expect(lines).toHaveLength(20);
  clock.now = 60_000;
  for (let number = 0; number < 30; number++) usage.onNotStored(`reason ${number}`, 'warn', 1);
  expect(lines.slice(20).map(({ reason }) => reason)).toEqual(
    Array.from({ length: 10 }, (_, index) => `reason ${20 + index}`),
  );
});

test('reasons that contain text of a subgraph take a limited amount of memory, and all are counted', async () => {
  const { usageOf, report } = await start();
  const usage = usageOf('Product');
  for (let number = 0; number < 1_000; number++) usage.onNotStored(`reason ${number}`, 'warn', 1);
  const notStored = report().find(({ rule }) => rule === 'Product')?.subgraphs[0]?.notStored ?? [];
  expect(notStored).toHaveLength(51);
  expect(notStored.at(-1)).toEqual({ reason: 'other reasons', count: 950, fields: [] });
});

test('docs/caching.md has the advice for every reason', async () => {
  const page = await readFile(join(import.meta.dirname, '../../../docs/caching.md'), 'utf8');
  const section = page.split('\n## Nothing is cached?\n')[1]?.split('\n## ')[0] ?? '';
  const rows = Array.from(section.matchAll(/^\| (`.*) \| (.*) \|$/gm), ([, reasons = '', advice = '']) => ({
    reasons: Array.from(reasons.matchAll(/`([^`]+)`/g), ([, reason = '']) => reason),
    advice: advice.replaceAll('`', ''),
  }));
  const documented = rows
    .flatMap(({ reasons, advice }) => reasons.map((reason) => ({ reason, advice })))
    .filter(({ reason }) => reason !== 'reason' && reason !== 'other reasons');
  expect(documented).toEqual(documented.map(({ reason }) => ({ reason, advice: findAdvice(reason) })));
  expect(new Set(documented.map(({ advice }) => advice)).size).toBe(12);
});
