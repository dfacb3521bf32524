import { checkOrder, numbers } from './checkOrder.ts';
import { type ConfigProblem, formatConfigPath } from './configError.ts';
import { durationMsOf, formatDuration } from './duration.ts';
import { type Section, sectionOf } from './isSection.ts';
import { isTrue } from './isTrue.ts';
import { adaptationDefaults, backoffDefaults, budgetDefaults } from './sections/enrichment.ts';

/** Checks the rules between options of the section `enrichment`, which is given as it is in the file. */
export function checkEnrichment(enrichment: Section): ConfigProblem[] {
  return [
    ...checkShadow(enrichment),
    ...checkBudgets(enrichment),
    ...checkAdaptation(sectionOf(enrichment.adaptation)),
    ...checkOrder(
      sectionOf(sectionOf(enrichment.jobs).backoff),
      ['enrichment', 'jobs', 'backoff'],
      ['base', 'max'],
      backoffDefaults,
    ),
  ];
}

/** With `never`, the gateway does not know which fields are enrichments, and counts none. */
function checkShadow({ mode, shadow }: Section): ConfigProblem[] {
  if (mode !== 'never' || !isTrue(shadow)) return [];
  return [
    {
      path: 'enrichment.shadow',
      message: 'is true, but enrichment.mode is never, with which nothing is counted',
      expected: '`mode: adaptive` or `always`, with which responses wait as well',
    },
  ];
}

function checkBudgets({ budget: written, bounds: writtenBounds, fields }: Section): ConfigProblem[] {
  const bounds = sectionOf(writtenBounds);
  const min = durationMsOf(bounds.min ?? budgetDefaults.min);
  const max = durationMsOf(bounds.max ?? budgetDefaults.max);
  if (min === undefined || max === undefined) return [];
  if (min > max) return checkOrder(bounds, ['enrichment', 'bounds'], ['min', 'max'], budgetDefaults);
  const budgets = Object.entries(sectionOf(fields)).map(([coordinate, field]): [string, unknown] => [
    formatConfigPath(['enrichment', 'fields', coordinate, 'budget']),
    sectionOf(field).budget,
  ]);
  return [['enrichment.budget', written ?? budgetDefaults.budget] as const, ...budgets].flatMap(
    ([path, value]) => {
      const budget = durationMsOf(value);
      if (budget === undefined || (budget >= min && budget <= max)) return [];
      return {
        path,
        message: `is ${formatDuration(budget)}, outside of enrichment.bounds`,
        expected: `from ${formatDuration(min)} to ${formatDuration(max)}`,
      };
    },
  );
}

function checkAdaptation(adaptation: Section): ConfigProblem[] {
  return (
    [
      ['inlineBelow', 'inlineUntil'],
      ['deferredBelow', 'deferredUntil'],
    ] as const
  ).flatMap((keys) =>
    checkOrder(adaptation, ['enrichment', 'adaptation'], keys, adaptationDefaults, numbers),
  );
}
