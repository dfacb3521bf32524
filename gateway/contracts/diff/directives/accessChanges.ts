import { type ConstDirectiveNode, type ConstValueNode, Kind } from 'graphql';
import { argumentOf, textOf } from '../links.ts';
import type { SubgraphChange } from '../subgraphChange.ts';
import { appliedOnce, type ElementPair } from './elementPair.ts';

const lists = [
  { directive: 'requiresScopes', argument: 'scopes', rule: 'requires-scopes' },
  { directive: 'policy', argument: 'policies', rule: 'policy' },
] as const;

/** `@requiresScopes` and `@policy`: any of several sets is enough to get in. */
export function accessChanges(pair: ElementPair): readonly SubgraphChange[] {
  return lists.flatMap(({ directive, argument, rule }): readonly SubgraphChange[] => {
    const { coordinate } = pair;
    const [old, next] = appliedOnce(pair, `federation__${directive}`);
    if (next === undefined) {
      const message = `${coordinate} is no longer protected by @${directive}`;
      return old === undefined
        ? []
        : [{ rule: `${rule}-removed`, severity: 'dangerous', message, coordinate }];
    }
    const after = setsOf(next, argument);
    if (old === undefined) {
      const severity = pair.old === undefined ? 'dangerous' : 'breaking';
      const message = `${coordinate} is protected by @${directive} now: ${printSets(after)}`;
      return [{ rule: `${rule}-added`, severity, message, coordinate, node: next }];
    }
    const before = setsOf(old, argument);
    const isLooser = accepts(after, before);
    if (isLooser && accepts(before, after)) return [];
    const message = `${coordinate} is protected by @${directive} with ${printSets(after)} instead of ${printSets(before)}`;
    const severity = isLooser ? 'dangerous' : 'breaking';
    return [{ rule: `${rule}-changed`, severity, message, coordinate, node: next }];
  });
}

type Sets = readonly ReadonlySet<string>[];

/** Whether everybody whom `others` let in gets in. */
function accepts(sets: Sets, others: Sets): boolean {
  return others.every((other) => sets.some((set) => set.isSubsetOf(other)));
}

function setsOf(directive: ConstDirectiveNode, argument: string): Sets {
  return elementsOf(argumentOf(directive, argument)).map(
    (set) => new Set(elementsOf(set).map((element) => textOf(element) ?? '')),
  );
}

/** A value where a list is expected stands for a list of it. */
function elementsOf(value: ConstValueNode | undefined): readonly ConstValueNode[] {
  if (value === undefined) return [];
  return value.kind === Kind.LIST ? value.values : [value];
}

function printSets(sets: Sets): string {
  return sets
    .map((set) => [...set].sort().join(' and '))
    .sort()
    .join(', or ');
}
