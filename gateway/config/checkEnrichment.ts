import type { ConfigProblem } from './configError.ts';
import { formatDuration, parseDuration } from './duration.ts';
import { sectionOf } from './isSection.ts';
import { adaptationDefaults, backoffDefaults, budgetDefaults } from './sections/enrichment.ts';

type Section = Readonly<Record<string, unknown>>;

/** What is wrong between options of the section `enrichment`, each of which is right for itself. `enrichment`: as it
 *  was written. */
export function checkEnrichment(enrichment: Section): ConfigProblem[] {
  return [
    ...checkBudget(enrichment),
    ...checkAdaptation(sectionOf(enrichment.adaptation)),
    ...checkBackoff(sectionOf(sectionOf(enrichment.jobs).backoff)),
  ];
}

function checkBudget({ budget: written, bounds: writtenBounds }: Section): ConfigProblem[] {
  const bounds = sectionOf(writtenBounds);
  const min = millisecondsOf(bounds.min ?? budgetDefaults.min);
  const max = millisecondsOf(bounds.max ?? budgetDefaults.max);
  const budget = millisecondsOf(written ?? budgetDefaults.budget);
  if (min === undefined || max === undefined) return [];
  if (min > max) {
    return [
      {
        path: `enrichment.bounds.${bounds.max === undefined ? 'min' : 'max'}`,
        message: `leaves no room: min is ${formatDuration(min)}, max ${formatDuration(max)}`,
        expected: 'a min that is no longer than max',
      },
    ];
  }
  if (budget === undefined || (budget >= min && budget <= max)) return [];
  return [
    {
      path: 'enrichment.budget',
      message: `is ${formatDuration(budget)}, outside of enrichment.bounds`,
      expected: `from ${formatDuration(min)} to ${formatDuration(max)}`,
    },
  ];
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
      message: `leaves no room: ${below} is ${least}, ${until} ${most}`,
      expected: `a value of ${below} that is no more than ${until}`,
    },
  ];
}

function checkBackoff({ base: writtenBase, max: writtenMax }: Section): ConfigProblem[] {
  const base = millisecondsOf(writtenBase ?? backoffDefaults.base);
  const max = millisecondsOf(writtenMax ?? backoffDefaults.max);
  if (base === undefined || max === undefined || base <= max) return [];
  return [
    {
      path: `enrichment.jobs.backoff.${writtenMax === undefined ? 'base' : 'max'}`,
      message: `leaves no room: base is ${formatDuration(base)}, max ${formatDuration(max)}`,
      expected: 'a base that is no longer than max',
    },
  ];
}

function millisecondsOf(value: unknown): number | undefined {
  return typeof value === 'string' ? parseDuration(value) : typeof value === 'number' ? value : undefined;
}
