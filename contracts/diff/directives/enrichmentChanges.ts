import { formatDuration } from '../../../gateway/config/duration.ts';
import {
  type EnrichmentDirective,
  readEnrichmentDirectives,
} from '../../../gateway/enrichment/readEnrichmentDirectives.ts';
import { applicationsOf } from '../canonicalSubgraph.ts';
import { createChange, type SubgraphChange } from '../subgraphChange.ts';
import type { SubgraphVersion } from '../subgraphVersion.ts';
import { findInvalidUses, gatewayDirectivesOf } from './gatewayDirectives.ts';

/** Compares `@enrichment`, read the way the gateway reads it. */
export function enrichmentChanges(old: SubgraphVersion, next: SubgraphVersion): readonly SubgraphChange[] {
  const before = readEnrichmentDirectives(gatewayDirectivesOf(old.subgraph));
  const after = readEnrichmentDirectives(gatewayDirectivesOf(next.subgraph));
  const was = byCoordinate(before.uses);
  const is = byCoordinate(after.uses);
  const changes = [...new Set([...was.keys(), ...is.keys()])].flatMap(
    (coordinate): readonly SubgraphChange[] => {
      if (!next.elements.has(coordinate)) return [];
      const node = applicationsOf(next.elements.get(coordinate), 'tributary__enrichment')[0];
      return compareUses(coordinate, was.get(coordinate), is.get(coordinate), old).map((change) => ({
        ...change,
        node,
      }));
    },
  );
  return [...findInvalidUses('enrichment', before.problems, after.problems), ...changes];
}

function compareUses(
  coordinate: string,
  was: EnrichmentDirective | undefined,
  is: EnrichmentDirective | undefined,
  old: SubgraphVersion,
): readonly SubgraphChange[] {
  if (is === undefined) {
    const message = `${coordinate} is no longer an enrichment: the first response waits for it`;
    return [createChange('enrichment-removed', { message, coordinate })];
  }
  if (was === undefined) {
    const severity = old.elements.has(coordinate) ? 'dangerous' : 'safe';
    const message = `${coordinate} is now an enrichment: it may be deferred`;
    return [{ rule: 'enrichment-added', severity, message, coordinate }];
  }
  if (describeEnrichment(was) === describeEnrichment(is)) return [];
  const message = `${coordinate} is an enrichment with ${describeEnrichment(is)} instead of ${describeEnrichment(was)}`;
  return [createChange('enrichment-changed', { message, coordinate })];
}

function describeEnrichment({ budgetMs, priority = 'NORMAL' }: EnrichmentDirective): string {
  const budget = budgetMs === undefined ? 'the default budget' : `a budget of ${formatDuration(budgetMs)}`;
  return `${budget} and priority ${priority}`;
}

function byCoordinate(uses: readonly EnrichmentDirective[]): ReadonlyMap<string, EnrichmentDirective> {
  return new Map(uses.map((use) => [use.coordinate, use] as const));
}
