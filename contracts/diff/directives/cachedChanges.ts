import { readCachedDirectives } from '../../../gateway/cache/rules/cachedDirectives.ts';
import { type DeclaredRule, resolveRuleLayers } from '../../../gateway/cache/rules/cacheRule.ts';
import { formatDuration } from '../../../gateway/config/duration.ts';
import { applicationsOf } from '../canonicalSubgraph.ts';
import { ancestorsOf } from '../elements.ts';
import { createChange, type FixedChangeRuleId, type SubgraphChange } from '../subgraphChange.ts';
import type { SubgraphVersion } from '../subgraphVersion.ts';
import { findInvalidUses, gatewayDirectivesOf } from './gatewayDirectives.ts';

type Rules = ReadonlyMap<string, DeclaredRule>;

/** Compares `@cached`, read the way the gateway reads it. */
export function cachedChanges(old: SubgraphVersion, next: SubgraphVersion): readonly SubgraphChange[] {
  const before = readCachedDirectives(gatewayDirectivesOf(old.subgraph));
  const after = readCachedDirectives(gatewayDirectivesOf(next.subgraph));
  const invalid = findInvalidUses('cached', before.problems, after.problems);
  const unreadable = new Set([...before.problems, ...after.problems].map((problem) => problem.split(':')[0]));
  const coordinates = [...new Set([...before.rules.keys(), ...after.rules.keys()])].filter(
    // Removed elements are reported as such, and unreadable directives cannot be compared.
    (coordinate) => next.elements.has(coordinate) && !unreadable.has(coordinate),
  );
  const changes = coordinates.flatMap((coordinate) => [
    ...ruleChanges(coordinate, before.rules.get(coordinate), after.rules.get(coordinate), old),
    ...scopeChanges(coordinate, before.rules, after.rules),
  ]);
  return [
    ...invalid,
    ...changes.map((change) => ({
      ...change,
      node: applicationsOf(next.elements.get(change.coordinate), 'tributary__cached')[0],
    })),
  ];
}

function ruleChanges(
  coordinate: string,
  before: DeclaredRule | undefined,
  after: DeclaredRule | undefined,
  old: SubgraphVersion,
): readonly SubgraphChange[] {
  const report = (rule: FixedChangeRuleId, message: string): SubgraphChange =>
    createChange(rule, { message: `${coordinate} ${message}`, coordinate });
  if (after === undefined)
    return before === undefined ? [] : [report('cached-removed', 'is no longer cached')];
  if (before === undefined) {
    const isForAll = after.scope !== 'PRIVATE' && old.elements.has(coordinate);
    const message = `${coordinate} is cached for ${formatDuration(after.maxAgeMs)} now`;
    return [{ rule: 'cached-added', severity: isForAll ? 'dangerous' : 'safe', message, coordinate }];
  }
  const changes: SubgraphChange[] = [];
  const compare = (
    what: string,
    was: number,
    is: number,
    raised: FixedChangeRuleId,
    lowered: FixedChangeRuleId,
  ): void => {
    if (was === is) return;
    const message = `has a ${what} of ${formatDuration(is)} instead of ${formatDuration(was)}`;
    changes.push(report(is > was ? raised : lowered, message));
  };
  compare('maxAge', before.maxAgeMs, after.maxAgeMs, 'cached-max-age-raised', 'cached-max-age-lowered');
  for (const [what, key] of [
    ['staleWhileRevalidate', 'staleWhileRevalidateMs'],
    ['staleIfError', 'staleIfErrorMs'],
  ] as const) {
    compare(what, before[key], after[key], 'cached-stale-raised', 'cached-stale-lowered');
  }
  if (before.tags.join('\0') !== after.tags.join('\0')) {
    const isAnyGone = before.tags.some((tag) => !after.tags.includes(tag));
    const message = `${coordinate} has the cache tags [${after.tags.join(', ')}] instead of [${before.tags.join(', ')}]`;
    const severity = isAnyGone ? 'dangerous' : 'safe';
    changes.push({ rule: 'cached-tags-changed', severity, message, coordinate });
  }
  return changes;
}

/** Compares whose values are shared. A field without a scope has that of its type. */
function scopeChanges(coordinate: string, before: Rules, after: Rules): readonly SubgraphChange[] {
  const was = scopeOf(coordinate, before);
  const is = scopeOf(coordinate, after);
  if (was === undefined || is === undefined || was === is) return [];
  const [type] = ancestorsOf(coordinate);
  const isReportedAtType =
    type !== undefined &&
    before.get(coordinate)?.scope === after.get(coordinate)?.scope &&
    scopeOf(type, before) === was &&
    scopeOf(type, after) === is;
  if (isReportedAtType) return [];
  return [
    is === 'PUBLIC'
      ? createChange('cached-made-public', {
          message: `${coordinate} is now cached for all clients; it was cached per client`,
          coordinate,
        })
      : createChange('cached-made-private', {
          message: `${coordinate} is now cached per client; it was cached for all clients`,
          coordinate,
        }),
  ];
}

function scopeOf(coordinate: string, rules: Rules): 'PUBLIC' | 'PRIVATE' | undefined {
  const layers = [coordinate, ...ancestorsOf(coordinate)].flatMap((holder) => rules.get(holder) ?? []);
  return resolveRuleLayers(layers)?.scope;
}
