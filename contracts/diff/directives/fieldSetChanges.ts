import type { ConstDirectiveNode } from 'graphql';
import type { Severity } from '../../finding.ts';
import type { DiffRule } from '../diffRules.ts';
import { fieldPathsOf } from '../fieldSet.ts';
import type { SubgraphChange } from '../subgraphChange.ts';
import { type ElementPair, singleApplicationsOf } from './elementPair.ts';

type RatedRule = readonly [rule: DiffRule, severity: Severity];

interface FieldSetRules {
  readonly directive: string;
  readonly added: RatedRule;
  readonly widened: RatedRule;
  readonly narrowed: RatedRule;
  readonly removed: RatedRule;
}

const requires: FieldSetRules = {
  directive: 'requires',
  added: ['requires-added', 'dangerous'],
  widened: ['requires-widened', 'dangerous'],
  narrowed: ['requires-narrowed', 'safe'],
  removed: ['requires-removed', 'safe'],
};

const provides: FieldSetRules = {
  directive: 'provides',
  added: ['provides-added', 'safe'],
  widened: ['provides-widened', 'safe'],
  narrowed: ['provides-narrowed', 'dangerous'],
  removed: ['provides-removed', 'dangerous'],
};

/** `@requires` and `@provides`, by the fields that they select. A new field is all new: nobody sends less for it. */
export function fieldSetChanges(pair: ElementPair): readonly SubgraphChange[] {
  return pair.old === undefined
    ? []
    : [requires, provides].flatMap((verdicts) => compareFieldSets(pair, verdicts));
}

function compareFieldSets(pair: ElementPair, verdicts: FieldSetRules): readonly SubgraphChange[] {
  const [old, next] = singleApplicationsOf(pair, `federation__${verdicts.directive}`);
  const before = pathsOf(old);
  const after = pathsOf(next);
  const more = [...after.difference(before)].join(' ');
  const fewer = [...before.difference(after)].join(' ');
  const tell = ([rule, severity]: RatedRule, what: string): SubgraphChange => ({
    rule,
    severity,
    message: `@${verdicts.directive} of ${pair.coordinate} ${what}`,
    coordinate: pair.coordinate,
    node: next,
  });
  if (old === undefined) return next === undefined ? [] : [tell(verdicts.added, `is new: "${more}"`)];
  if (next === undefined) return [tell(verdicts.removed, `is gone: "${fewer}"`)];
  return [
    ...(more === '' ? [] : [tell(verdicts.widened, `also selects "${more}" now`)]),
    ...(fewer === '' ? [] : [tell(verdicts.narrowed, `no longer selects "${fewer}"`)]),
  ];
}

function pathsOf(directive: ConstDirectiveNode | undefined): ReadonlySet<string> {
  return new Set(directive === undefined ? [] : fieldPathsOf(directive));
}
