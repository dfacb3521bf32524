import type { CacheScope } from '../../execution/cachingContribution.ts';
import { type CacheRule, mergeTags, strictestRule, strictestScope } from './cacheRule.ts';
import type { CacheRules } from './cacheRules.ts';
import { isUsable } from './lifetime.ts';
import {
  type FieldOwner,
  type OperationShape,
  type SelectedField,
  visitSelections,
} from './visitSelections.ts';

/** Whether the values of a fetch may be stored. */
type FetchRule = {
  /** Coordinates of the selected fields that have a rule. */
  readonly ruledFields: readonly string[];
  /** The rules that define the durations of these fields. */
  readonly ruleNames: readonly string[];
} & (
  | { readonly isCacheable: true; readonly rule: CacheRule }
  /** `reason`: text for people, with the coordinate of the field if one prevents caching. */
  | { readonly isCacheable: false; readonly reason: string }
);

/** The rule of all values of a fetch: the strictest rule of the fields that it selects. One field without a rule makes
 *  the whole fetch uncacheable, except `__typename` and key fields, which only identify an object, and fields of value
 *  types, which belong to the field that contains them. Reads the whole operation, so call it once for each shape and
 *  supergraph. */
export function fetchRuleOf(shape: OperationShape, rules: CacheRules): FetchRule {
  if (shape.kind !== 'query')
    return { isCacheable: false, reason: `a ${shape.kind} is never cached`, ruledFields: [], ruleNames: [] };
  const accumulator = new RuleAccumulator();
  visitSelections<boolean>(
    shape,
    rules.graph,
    (selected, isCovered) => {
      if (selected.owners.length === 0)
        accumulator.missingReason ??= `${selected.name} is not in the supergraph`;
      return selected.owners.map((owner) => addOwner(owner, selected, isCovered)).every(Boolean);
    },
    false,
  );
  const found = { ruledFields: [...accumulator.ruledFields], ruleNames: [...accumulator.ruleNames] };
  if (accumulator.missingReason !== undefined)
    return { isCacheable: false, reason: accumulator.missingReason, ...found };
  if (accumulator.rule === undefined)
    return { isCacheable: false, reason: 'no selected field has a rule', ...found };
  if (!isUsable(accumulator.rule.lifetime))
    return { isCacheable: false, reason: 'the shortest maxAge is 0s', ...found };
  return {
    isCacheable: true,
    ...found,
    rule: {
      lifetime: accumulator.rule.lifetime,
      scope: strictestScope(accumulator.rule.scope, accumulator.scope),
      tags: mergeTags(accumulator.rule.tags, accumulator.tags),
    },
  };

  /** Returns whether the rule also covers value types in the field. */
  function addOwner(owner: FieldOwner, selected: SelectedField, isCovered: boolean): boolean {
    const { type, isIdentityField } = owner;
    const { name } = selected;
    const hasFieldRule = rules.hasFieldRule(type, name);
    if (isIdentityField && !hasFieldRule) {
      // The identity of an object does not expire, but it may be private. The `__typename` of a fetched entity reveals
      // nothing, because the representation contained it.
      const isFromRepresentation = name === '__typename' && selected.isEntityField;
      if (!isFromRepresentation) accumulator.restrict(rules.ruleForType(type, shape.subgraph));
      return isCovered && type.isValueType;
    }
    if (isCovered && type.isValueType && !hasFieldRule && !rules.hasTypeRule(type)) return true;
    const rule = rules.ruleForField(type, name, shape.subgraph);
    if (rule === undefined) accumulator.missingReason ??= `${type.name}.${name} has no rule`;
    else {
      accumulator.add(rule, `${type.name}.${name}`);
      for (const ruleName of rules.ruleNamesFor(type, name, shape.subgraph))
        accumulator.ruleNames.add(ruleName);
    }
    return rule !== undefined;
  }
}

class RuleAccumulator {
  rule: CacheRule | undefined;
  scope: CacheScope = 'PUBLIC';
  tags: readonly string[] = [];
  missingReason: string | undefined;
  readonly ruledFields = new Set<string>();
  readonly ruleNames = new Set<string>();

  add(rule: CacheRule, coordinate: string): void {
    this.ruledFields.add(coordinate);
    this.rule = this.rule === undefined ? rule : strictestRule(this.rule, rule);
  }

  /** Adds the scope and the tags of a rule, but not its lifetime. */
  restrict(rule: CacheRule | undefined): void {
    if (rule === undefined) return;
    this.scope = strictestScope(this.scope, rule.scope);
    this.tags = mergeTags(this.tags, rule.tags);
  }
}
