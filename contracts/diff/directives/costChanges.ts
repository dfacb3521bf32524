import { type ConstDirectiveNode, Kind } from 'graphql';
import { namedTypeOf } from '../../../gateway/planning/supergraphDocument.ts';
import { canonicalizeDirective } from '../canonicalizeDirective.ts';
import { argumentValueOf, textValueOf } from '../links.ts';
import { createChange, type FixedChangeRuleId, type SubgraphChange } from '../subgraphChange.ts';
import { type ElementPair, singleApplicationsOf } from './elementPair.ts';

/** Compares `@cost` and `@listSize`. New elements have no earlier cost that anyone relied on. */
export function costChanges(pair: ElementPair): readonly SubgraphChange[] {
  return pair.old === undefined ? [] : [...weightChange(pair), ...listSizeChange(pair)];
}

function weightChange(pair: ElementPair): readonly SubgraphChange[] {
  const { coordinate } = pair;
  const [old, next] = singleApplicationsOf(pair, 'federation__cost');
  const before = numberOf(old, 'weight') ?? defaultWeightOf(pair);
  const after = numberOf(next, 'weight') ?? defaultWeightOf(pair);
  if (before === after) return [];
  return [
    createChange(after > before ? 'cost-raised' : 'cost-lowered', {
      message: `${coordinate} costs ${after} instead of ${before}`,
      coordinate,
      node: next,
    }),
  ];
}

/** The specification's default: objects weigh 1, scalars and enums 0. */
function defaultWeightOf({ next, nextVersion }: ElementPair): number {
  const type = 'type' in next ? nextVersion.subgraph.types.get(namedTypeOf(next)) : next;
  const isLeaf =
    type === undefined ||
    type.kind === Kind.SCALAR_TYPE_DEFINITION ||
    type.kind === Kind.ENUM_TYPE_DEFINITION ||
    type.kind === Kind.ENUM_VALUE_DEFINITION;
  return isLeaf ? 0 : 1;
}

function listSizeChange(pair: ElementPair): readonly SubgraphChange[] {
  const { coordinate } = pair;
  const [old, next] = singleApplicationsOf(pair, 'federation__listSize');
  const report = (rule: FixedChangeRuleId, message: string): readonly SubgraphChange[] => [
    createChange(rule, { message: `@listSize of ${coordinate} ${message}`, coordinate, node: next }),
  ];
  if (old === undefined) {
    return next === undefined ? [] : report('list-size-added', 'is new');
  }
  if (next === undefined) return report('list-size-removed', 'is gone');
  const before = numberOf(old, 'assumedSize');
  const after = numberOf(next, 'assumedSize');
  const changes: SubgraphChange[] = [];
  if (before !== undefined && after !== undefined && before !== after) {
    const rule = after > before ? 'list-size-raised' : 'list-size-lowered';
    changes.push(...report(rule, `assumes ${after} elements instead of ${before}`));
  }
  const isChanged = (before === undefined) !== (after === undefined) || slicingOf(old) !== slicingOf(next);
  if (isChanged) changes.push(...report('list-size-changed', 'counts differently'));
  return changes;
}

/** How the list size is computed when it is not assumed, as text. */
function slicingOf(directive: ConstDirectiveNode): string {
  const others = (directive.arguments ?? []).filter(({ name, value }) => {
    const isDefault =
      name.value === 'requireOneSlicingArgument' && value.kind === Kind.BOOLEAN && value.value;
    return name.value !== 'assumedSize' && !isDefault && value.kind !== Kind.NULL;
  });
  return canonicalizeDirective({ ...directive, arguments: others });
}

function numberOf(directive: ConstDirectiveNode | undefined, name: string): number | undefined {
  const value = directive && argumentValueOf(directive, name);
  // The first draft of the specification had weights as strings.
  const text = value?.kind === Kind.INT ? value.value : textValueOf(value);
  return text === undefined ? undefined : Number(text);
}
