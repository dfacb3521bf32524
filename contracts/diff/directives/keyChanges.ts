import type { ConstDirectiveNode } from 'graphql';
import { isResolvable } from '../canonicalizeDirective.ts';
import { applicationsOf } from '../canonicalSubgraph.ts';
import type { ElementNode } from '../elements.ts';
import { fieldPathsOf, writtenFieldSetOf } from '../fieldSet.ts';
import { createChange, type SubgraphChange } from '../subgraphChange.ts';
import type { ElementPair } from './elementPair.ts';

interface Key {
  readonly node: ConstDirectiveNode;
  readonly isResolvable: boolean;
}

/** Compares `@key`. The keys of a type are a set of field sets. Messages show them as written. */
export function keyChanges({ coordinate, old, next }: ElementPair): readonly SubgraphChange[] {
  if (old === undefined) return [];
  const before = keysOf(old);
  const after = keysOf(next);
  // While the subgraph resolves another key, plans decide whether anything breaks.
  const loss = [...after.values()].some((key) => key.isResolvable) ? 'dangerous' : 'breaking';
  const changes: SubgraphChange[] = [];

  for (const [fields, { node, isResolvable: wasResolvable }] of before) {
    const key = after.get(fields);
    if (key === undefined) {
      changes.push({
        rule: 'key-removed',
        severity: wasResolvable ? loss : 'dangerous',
        message: `${coordinate} no longer has @key "${writtenFieldSetOf(node)}"`,
        coordinate,
      });
    } else if (key.isResolvable !== wasResolvable) {
      changes.push({
        rule: wasResolvable ? 'key-not-resolvable' : 'key-resolvable',
        severity: wasResolvable ? loss : 'safe',
        message: `${coordinate} can ${wasResolvable ? 'no longer' : 'now'} be resolved by its @key "${writtenFieldSetOf(key.node)}"`,
        coordinate,
        node: key.node,
      });
    }
  }
  for (const [fields, { node }] of after) {
    if (before.has(fields)) continue;
    const message = `${coordinate} has the new @key "${writtenFieldSetOf(node)}"`;
    changes.push(createChange('key-added', { message, coordinate, node }));
  }
  return changes;
}

/** Keys by their normalised fields. */
function keysOf(element: ElementNode): ReadonlyMap<string, Key> {
  const keys = new Map<string, Key>();
  for (const node of applicationsOf(element, 'federation__key')) {
    const fields = fieldPathsOf(node).join(' ');
    // One resolvable key of two with the same fields is enough.
    const known = keys.get(fields)?.isResolvable ?? false;
    keys.set(fields, { node, isResolvable: known || isResolvable(node) });
  }
  return keys;
}
