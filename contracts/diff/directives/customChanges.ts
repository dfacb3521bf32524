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
    const before = textsOf(applicationsOf(old, name));
    const after = textsOf(applicationsOf(next, name));
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
        message: `${coordinate} has ${printAll(after)} instead of ${printAll(before)}`,
        coordinate,
        node: applicationsOf(next, name)[0],
      },
    ];
  });
}

const comparedElsewhere: ReadonlySet<string> = new Set([
  'deprecated',
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

function printAll(texts: ReadonlySet<string>): string {
  return texts.size === 0 ? 'none' : [...texts].sort().join(' ');
}
