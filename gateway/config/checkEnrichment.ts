import type { ConfigProblem } from './configError.ts';
import { durationMsOf, formatDuration } from './duration.ts';
import { type Section, sectionOf } from './isSection.ts';
import { adaptationDefaults, backoffDefaults, budgetDefaults } from './sections/enrichment.ts';

/** Checks the rules between options of the section `enrichment`, which is given as it is in the file. */
export function checkEnrichment(enrichment: Section): ConfigProblem[] {
  return [
    ...checkBudgets(enrichment),
    ...checkAdaptation(sectionOf(enrichment.adaptation)),
    ...checkBackoff(sectionOf(sectionOf(enrichment.jobs).backoff)),
  ];
}

function checkBudgets({ budget: written, bounds: writtenBounds, fields }: Section): ConfigProblem[] {
  const bounds = sectionOf(writtenBounds);
  const min = durationMsOf(bounds.min ?? budgetDefaults.min);
  const max = durationMsOf(bounds.max ?? budgetDefaults.max);
  if (min === undefined || max === undefined) return [];
  if (min > max) {
    return [
      {
        path: `enrichment.bounds.${bounds.max === undefined ? 'min' : 'max'}`,
        message: `conflicts: min is ${formatDuration(min)}, max is ${formatDuration(max)}`,
        expected: 'a min that is no longer than max',
      },
    ];
  }
  const budgets = Object.entries(sectionOf(fields)).map(([coordinate, field]): [string, unknown] => [
    `enrichment.fields.${coordinate}.budget`,
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
  return [
    ...checkOrder(adaptation, 'inlineBelow', 'inlineUntil'),
    ...checkOrder(adaptation, 'deferredBelow', 'deferredUntil'),
  ];
}

function checkOrder(
  adaptation: Section,
  below: keyof typeof adaptationDefaults,
  until: keyof typeof adaptationDefaults,
): ConfigProblem[] {
  const least = Number(adaptation[below] ?? adaptationDefaults[below]);
  const most = Number(adaptation[until] ?? adaptationDefaults[until]);
  if (!(least > most)) return [];
  return [
    {
      path: `enrichment.adaptation.${adaptation[until] === undefined ? below : until}`,
      message: `conflicts: ${below} is ${least}, ${until} is ${most}`,
      expected: `a value of ${below} that is no more than ${until}`,
    },
  ];
}

function checkBackoff({ base: writtenBase, max: writtenMax }: Section): ConfigProblem[] {
  const base = durationMsOf(writtenBase ?? backoffDefaults.base);
  const max = durationMsOf(writtenMax ?? backoffDefaults.max);
  if (base === undefined || max === undefined || base <= max) return [];
  return [
    {
      path: `enrichment.jobs.backoff.${writtenMax === undefined ? 'base' : 'max'}`,
      message: `conflicts: base is ${formatDuration(base)}, max is ${formatDuration(max)}`,
      expected: 'a base that is no longer than max',
    },
  ];
}
