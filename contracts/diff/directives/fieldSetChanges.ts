import type { ConstDirectiveNode } from 'graphql';
import { fieldPathsOf, printFieldPaths, writtenFieldSetOf } from '../fieldSet.ts';
import { createChange, type FixedChangeRuleId, type SubgraphChange } from '../subgraphChange.ts';
import { type ElementPair, singleApplicationsOf } from './elementPair.ts';

interface FieldSetRules {
  readonly directive: string;
  readonly added: FixedChangeRuleId;
  readonly widened: FixedChangeRuleId;
  readonly narrowed: FixedChangeRuleId;
  readonly removed: FixedChangeRuleId;
}

const requires: FieldSetRules = {
  directive: 'requires',
  added: 'requires-added',
  widened: 'requires-widened',
  narrowed: 'requires-narrowed',
  removed: 'requires-removed',
};

const provides: FieldSetRules = {
  directive: 'provides',
  added: 'provides-added',
  widened: 'provides-widened',
  narrowed: 'provides-narrowed',
  removed: 'provides-removed',
};

/** Compares `@requires` and `@provides` by the fields that they select. A new field has no earlier plans that could
 *  break. */
export function fieldSetChanges(pair: ElementPair): readonly SubgraphChange[] {
  return pair.old === undefined ? [] : [requires, provides].flatMap((rules) => compareFieldSets(pair, rules));
}

function compareFieldSets(pair: ElementPair, rules: FieldSetRules): readonly SubgraphChange[] {
  const [old, next] = singleApplicationsOf(pair, `federation__${rules.directive}`);
  const before = pathsOf(old);
  const after = pathsOf(next);
  const more = after.difference(before);
  const fewer = before.difference(after);
  const report = (rule: FixedChangeRuleId, what: string): SubgraphChange =>
    createChange(rule, {
      message: `@${rules.directive} of ${pair.coordinate} ${what}`,
      coordinate: pair.coordinate,
      node: next,
    });
  if (old === undefined)
    return next === undefined ? [] : [report(rules.added, `is new: "${writtenFieldSetOf(next)}"`)];
  if (next === undefined) return [report(rules.removed, `is gone: "${writtenFieldSetOf(old)}"`)];
  return [
    ...(more.size === 0 ? [] : [report(rules.widened, `also selects "${printFieldPaths(next, more)}" now`)]),
    ...(fewer.size === 0
      ? []
      : [report(rules.narrowed, `no longer selects "${printFieldPaths(old, fewer)}"`)]),
  ];
}

function pathsOf(directive: ConstDirectiveNode | undefined): ReadonlySet<string> {
  return new Set(directive === undefined ? [] : fieldPathsOf(directive));
}
