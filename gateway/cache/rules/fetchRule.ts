import type { CacheScope } from '../../execution/cachingContribution.ts';
import { type CacheRule, mergeTags, strictestRule, strictestScope } from './cacheRule.ts';
import type { CacheRules } from './cacheRules.ts';
import { isUsable } from './lifetime.ts';
import type { OperationShape } from './operationShape.ts';
import { type FieldOwner, type SelectedField, visitSelections } from './visitSelections.ts';

/** Whether what a fetch brings may be kept. */
type FetchRule =
  | { readonly isCacheable: true; readonly rule: CacheRule }
  /** `reason`: for people, with a coordinate where there is one. */
  | { readonly isCacheable: false; readonly reason: string };

/** The rule of everything that a fetch of this shape brings: the strictest of all that it selects. A field without
 *  a rule makes the whole fetch uncached, but for `__typename` and fields of keys, which tell which object it is,
 *  and for fields of value types, which are parts of the field that holds them. It reads the whole operation: once
 *  for each shape and supergraph is enough. */
export function fetchRuleOf(shape: OperationShape, rules: CacheRules): FetchRule {
  if (shape.kind !== 'query') return { isCacheable: false, reason: `a ${shape.kind} is never kept` };
  const found = new RuleAccumulator();
  visitSelections<boolean>(
    shape,
    rules.graph,
    (selected, isCovered) => {
      if (selected.owners.length === 0) found.missingReason ??= `${selected.name} is not in the supergraph`;
      const covers = selected.owners.map((owner) => addOwner(owner, selected, isCovered));
      return covers.length > 0 && covers.every((covered) => covered);
    },
    false,
  );
  if (found.missingReason !== undefined) return { isCacheable: false, reason: found.missingReason };
  if (found.rule === undefined) return { isCacheable: false, reason: 'nothing that it selects has a rule' };
  if (!isUsable(found.rule.lifetime)) return { isCacheable: false, reason: 'the shortest rule is 0s' };
  return {
    isCacheable: true,
    rule: {
      lifetime: found.rule.lifetime,
      scope: strictestScope(found.rule.scope, found.scope),
      tags: mergeTags(found.rule.tags, found.tags),
    },
  };

  /** Whether values of value types below are parts of something that has a rule. */
  function addOwner(owner: FieldOwner, selected: SelectedField, isCovered: boolean): boolean {
    const { type, isIdentityField } = owner;
    const { name } = selected;
    const hasFieldRule = rules.hasFieldRule(type, name);
    if (isIdentityField && !hasFieldRule) {
      // How long an object is what it is does not depend on how long its values are kept; for whom it is does.
      // That an entity has the type it was asked for by tells nothing.
      const isAskedFor = name === '__typename' && selected.isEntityField;
      if (!isAskedFor) found.restrict(rules.ruleForType(type, shape.subgraph));
      return isCovered && type.isValueType;
    }
    if (isCovered && type.isValueType && !hasFieldRule && !rules.hasTypeRule(type)) return true;
    const rule = rules.ruleForField(type, name, shape.subgraph);
    if (rule === undefined) found.missingReason ??= `${type.name}.${name} has no rule`;
    else found.add(rule);
    return rule !== undefined;
  }
}

class RuleAccumulator {
  rule: CacheRule | undefined;
  scope: CacheScope = 'PUBLIC';
  tags: readonly string[] = [];
  missingReason: string | undefined;

  add(rule: CacheRule): void {
    this.rule = this.rule === undefined ? rule : strictestRule(this.rule, rule);
  }

  /** Whom it is for and what it is invalidated by, without how long. */
  restrict(rule: CacheRule | undefined): void {
    if (rule === undefined) return;
    this.scope = strictestScope(this.scope, rule.scope);
    this.tags = mergeTags(this.tags, rule.tags);
  }
}
