import type { ConstDirectiveNode } from 'graphql';
import { canonicalizeDirective } from '../canonicalizeDirective.ts';
import { applicationsOf } from '../canonicalSubgraph.ts';
import type { SubgraphChange } from '../subgraphChange.ts';
import type { ElementPair } from './elementPair.ts';

/** Compares the directives that no other comparison knows. The applications of a directive are a set. */
export function customChanges(pair: ElementPair): readonly SubgraphChange[] {
  if (pair.old === undefined) return [];
  const { old, next, coordinate, nextVersion } = pair;
  const names = new Set(
    [...(old.directives ?? []), ...(next.directives ?? [])]
      .map(({ name }) => name.value)
      .filter((name) => !comparedElsewhere.has(name)),
  );
  return [...names].flatMap((name): readonly SubgraphChange[] => {
    const [applied, appliedNow] = [applicationsOf(old, name), applicationsOf(next, name)];
    const before = textsOf(applied);
    const after = textsOf(appliedNow);
    if (before.symmetricDifference(after).size === 0) return [];
    // A directive that is not composed matters only to the subgraph's own tools.
    const isComposed = nextVersion.subgraph.composedDirectives.has(name) || name.includes('__');
    const rule =
      before.size === 0
        ? 'custom-directive-added'
        : after.size === 0
          ? 'custom-directive-removed'
          : 'custom-directive-changed';
    return [
      {
        rule,
        severity: isComposed ? 'dangerous' : 'safe',
        message: `${coordinate} has ${printAll(appliedNow)} instead of ${printAll(applied)}`,
        coordinate,
        node: appliedNow[0],
      },
    ];
  });
}

const comparedElsewhere: ReadonlySet<string> = new Set([
  'deprecated',
  'oneOf',
  ...[
    'authenticated',
    'context',
    'cost',
    'external',
    'fromContext',
    'inaccessible',
    'interfaceObject',
    'key',
    'listSize',
    'override',
    'policy',
    'provides',
    'requires',
    'requiresScopes',
    'shareable',
    'tag',
  ].map((name) => `federation__${name}`),
  'tributary__cached',
  'tributary__enrichment',
]);

function textsOf(directives: readonly ConstDirectiveNode[]): ReadonlySet<string> {
  return new Set(directives.map(canonicalizeDirective));
}

/** The directives as their authors wrote them, under the names of the subgraph. */
function printAll(directives: readonly ConstDirectiveNode[]): string {
  const written = directives.map(({ loc }) => loc?.source.body.slice(loc.start, loc.end) ?? '');
  return directives.length === 0 ? 'none' : written.join(' ').replaceAll(/\s+/g, ' ');
}
