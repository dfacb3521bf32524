import { type ConstDirectiveNode, type ConstValueNode, Kind } from 'graphql';
import { argumentValueOf, textValueOf } from '../links.ts';
import { createChange, type SubgraphChange } from '../subgraphChange.ts';
import { type ElementPair, singleApplicationsOf } from './elementPair.ts';

const accessDirectives = [
  { directive: 'requiresScopes', argument: 'scopes', rule: 'requires-scopes' },
  { directive: 'policy', argument: 'policies', rule: 'policy' },
] as const;

/** Compares `@requiresScopes` and `@policy`. A client needs every member of one of the sets. */
export function accessChanges(pair: ElementPair): readonly SubgraphChange[] {
  return accessDirectives.flatMap(({ directive, argument, rule }): readonly SubgraphChange[] => {
    const { coordinate } = pair;
    const [old, next] = singleApplicationsOf(pair, `federation__${directive}`);
    if (next === undefined) {
      const message = `${coordinate} is no longer protected by @${directive}`;
      return old === undefined ? [] : [createChange(`${rule}-removed`, { message, coordinate })];
    }
    const after = setsOf(next, argument);
    if (old === undefined) {
      const severity = pair.old === undefined ? 'dangerous' : 'breaking';
      const message = `${coordinate} is protected by @${directive} now: ${printSets(after)}`;
      return [{ rule: `${rule}-added`, severity, message, coordinate, node: next }];
    }
    const before = setsOf(old, argument);
    const isLooser = isAtLeastAsPermissive(after, before);
    if (isLooser && isAtLeastAsPermissive(before, after)) return [];
    const message = `${coordinate} is protected by @${directive} with ${printSets(after)} instead of ${printSets(before)}`;
    const severity = isLooser ? 'dangerous' : 'breaking';
    return [{ rule: `${rule}-changed`, severity, message, coordinate, node: next }];
  });
}

type AccessSets = readonly ReadonlySet<string>[];

/** Whether `sets` grant access to everyone to whom `others` do. */
function isAtLeastAsPermissive(sets: AccessSets, others: AccessSets): boolean {
  return others.every((other) => sets.some((set) => set.isSubsetOf(other)));
}

function setsOf(directive: ConstDirectiveNode, argument: string): AccessSets {
  return elementsOf(argumentValueOf(directive, argument)).map(
    (set) => new Set(elementsOf(set).map((element) => textValueOf(element) ?? '')),
  );
}

/** A single value stands for a list of one. */
function elementsOf(value: ConstValueNode | undefined): readonly ConstValueNode[] {
  if (value === undefined) return [];
  return value.kind === Kind.LIST ? value.values : [value];
}

function printSets(sets: AccessSets): string {
  return sets
    .map((set) => [...set].sort().join(' and '))
    .sort()
    .join(', or ');
}
