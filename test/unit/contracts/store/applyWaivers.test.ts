import { describe, expect, test } from '@jest/globals';
import type { Waiver } from '../../../../contracts/contractStore.ts';
import type { Finding } from '../../../../contracts/finding.ts';
import { applyWaivers } from '../../../../contracts/store/applyWaivers.ts';

const location = { file: 'contracts/waivers.yaml', line: 3, column: 3 };

const waiver: Waiver = {
  rule: 'field-removed',
  coordinate: 'Product.price',
  reason: 'Nobody asks for it.',
  owner: 'shop',
  expires: '2027-01-31',
  location,
};

const finding: Finding = {
  rule: 'field-removed',
  severity: 'breaking',
  message: 'Product.price is gone.',
  subgraph: 'products',
  coordinate: 'Product.price',
};

const waived = {
  ...finding,
  waivedBy: 'contracts/waivers.yaml:3 (shop, until 2027-01-31): Nobody asks for it.',
};

const unused: Finding = {
  rule: 'waiver-unused',
  severity: 'breaking',
  message: 'The waiver of field-removed at Product.price covers no finding. Its owner is shop.',
  advice:
    'Remove the waiver. If it is meant for a finding, its rule, coordinate and subgraph must be those of the finding.',
  subgraph: undefined,
  coordinate: 'Product.price',
  location,
};

describe('applyWaivers', () => {
  test('marks findings with the rule and coordinate of a waiver, and keeps their severity', () => {
    const others: Finding[] = [
      { ...finding, rule: 'field-type-changed' },
      { ...finding, coordinate: 'Product.prices' },
      { ...finding, coordinate: undefined },
    ];
    expect(applyWaivers([finding, ...others], [waiver], '2026-11-25')).toEqual([waived, ...others]);
  });

  test('marks an operation that failed before when waivers cover all of its problems', () => {
    const failing: Finding = {
      rule: 'operation-broken',
      severity: 'breaking',
      message: 'web/Page fails.',
      coordinate: 'web/Page',
    };
    const mark = (earlierProblems: Finding['earlierProblems'], ...waivers: Waiver[]) =>
      applyWaivers([{ ...failing, earlierProblems }], waivers, '2026-11-25');
    const price = ['Product.price'];
    expect(mark([price, price], waiver)).toEqual([{ ...failing, waivedBy: waived.waivedBy }]);
    const names = { ...waiver, coordinate: 'Product.name' };
    expect(mark([price, ['Product.name']], names, waiver)).toMatchObject([{ waivedBy: waived.waivedBy }]);
    expect(mark([price, ['Product.name']], waiver)).toEqual([failing, unused]);
    expect(mark([], waiver)).toEqual([failing, unused]);
    for (const rule of ['latency-slo', 'cached-max-age-raised', 'authenticated-removed'] as const)
      expect(mark([price], { ...waiver, rule })[0]).toEqual(failing);
    for (const rule of ['override-removed', 'directive-removed', 'inaccessible-added'] as const)
      expect(mark([price], { ...waiver, rule })[0]).toMatchObject({ waivedBy: waived.waivedBy });
    expect(mark([price], { ...waiver, expires: '2026-11-24' })[0]).toEqual(failing);
  });

  test('marks every matching finding, or only those of the subgraph that a waiver names', () => {
    const other = { ...finding, subgraph: 'inventory', severity: 'dangerous' as const };
    expect(applyWaivers([finding, other], [waiver], '2026-11-25')).toEqual([
      waived,
      { ...waived, subgraph: 'inventory', severity: 'dangerous' },
    ]);
    expect(applyWaivers([finding, other], [{ ...waiver, subgraph: 'products' }], '2026-11-25')).toEqual([
      waived,
      other,
    ]);
  });

  test('applies a waiver until the end of its last day, and reports it as breaking afterwards', () => {
    expect(applyWaivers([finding], [waiver], '2027-01-31')).toEqual([waived]);
    expect(applyWaivers([finding], [waiver], '2027-02-01')).toEqual([
      finding,
      {
        rule: 'waiver-expired',
        severity: 'breaking',
        message: 'The waiver of field-removed at Product.price expired on 2027-01-31. Its owner is shop.',
        advice: 'Resolve what the waiver covers, or agree on a later day.',
        subgraph: undefined,
        coordinate: 'Product.price',
        location,
      },
    ]);
  });

  test('reports a waiver that covers nothing as breaking', () => {
    expect(applyWaivers([], [waiver], '2026-11-25')).toEqual([unused]);
  });

  test.each(['safe', 'undecided', 'misuse'] as const)('does not mark findings that are %s', (severity) => {
    expect(applyWaivers([{ ...finding, severity }], [waiver], '2026-11-25')).toEqual([
      { ...finding, severity },
      unused,
    ]);
  });

  test('matches an operation, the code of a hint, and the name of a whole subgraph', () => {
    const named: Finding[] = [
      { rule: 'canary-failed', severity: 'breaking', message: '', coordinate: 'shop/Page' },
      { rule: 'composition-hint', severity: 'dangerous', message: '', coordinate: 'UNUSED_ENUM_TYPE' },
      { rule: 'subgraph-removed', severity: 'breaking', message: '', subgraph: 'products' },
      { rule: 'contract-drift', severity: 'dangerous', message: '', subgraph: 'products' },
    ];
    const waivers = named.map(({ rule, coordinate, subgraph }) => ({
      ...waiver,
      rule,
      coordinate: coordinate ?? subgraph ?? '',
    }));
    expect(applyWaivers(named, waivers, '2026-11-25').map(({ waivedBy }) => waivedBy !== undefined)).toEqual([
      true,
      true,
      true,
      true,
    ]);
  });

  test.each([
    'composition-error',
    'subgraph-invalid',
    'supergraph-refused',
    'boot-failed',
    'waiver-expired',
    'waiver-unused',
  ] as const)('reports a waiver for %s as useless in every check', (rule) => {
    const refused = { ...finding, rule };
    const found = applyWaivers([refused], [{ ...waiver, rule }], '2026-11-25', { isEvaluated: () => false });
    expect(found).toEqual([
      refused,
      {
        ...unused,
        message: expect.stringContaining(`covers no finding: ${rule} cannot be waived, because `),
        advice: 'Remove the waiver, and resolve the finding.',
      },
    ]);
  });

  test('does not report waivers out of scope', () => {
    const isAsked = ({ owner }: Waiver) => owner === 'shop';
    const wrong = [waiver, { ...waiver, expires: '2020-01-31' }, { ...waiver, rule: 'boot-failed' as const }];
    const others = wrong.map((one) => ({ ...one, owner: 'app' }));
    const apply = (waivers: Waiver[]) => applyWaivers([], waivers, '2026-11-25', { isInScope: isAsked });
    expect(apply(others)).toEqual([]);
    expect(apply(wrong)).toHaveLength(3);
    // Waivers out of scope still apply.
    expect(applyWaivers([finding], others, '2026-11-25', { isInScope: isAsked })).toEqual([
      { ...finding, waivedBy: expect.stringContaining('(app, until 2027-01-31)') },
    ]);
  });

  test('does not report a waiver as unused if the check did not evaluate its findings', () => {
    const isCovered = ({ subgraph }: Waiver) => subgraph === 'products';
    const elsewhere = { ...waiver, subgraph: 'inventory' };
    const here = { ...waiver, subgraph: 'products' };
    expect(applyWaivers([], [elsewhere, here], '2026-11-25', { isEvaluated: isCovered })).toEqual([
      { ...unused, subgraph: 'products' },
    ]);
  });
});
