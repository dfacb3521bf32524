import type { ConstDirectiveNode } from 'graphql';
import { argumentValueOf, textValueOf } from '../links.ts';
import { createChange, type FixedChangeRuleId, type SubgraphChange } from '../subgraphChange.ts';
import { type ElementPair, singleApplicationsOf } from './elementPair.ts';

/** Compares `@override`. Usually the field is new in this subgraph. */
export function overrideChanges(pair: ElementPair): readonly SubgraphChange[] {
  const { coordinate } = pair;
  const [old, next] = singleApplicationsOf(pair, 'federation__override');
  const report = (rule: FixedChangeRuleId, message: string): SubgraphChange =>
    createChange(rule, { message, coordinate, node: next });
  const before = readOverride(old);
  const after = readOverride(next);

  if (before === undefined) {
    if (after === undefined) return [];
    const part = after.label === undefined ? '' : `, for requests by ${quote(after.label)}`;
    return [report('override-added', `${coordinate} is taken over from ${quote(after.from)}${part}`)];
  }
  if (after === undefined) {
    const message = `${coordinate} is no longer taken over from ${quote(before.from)}`;
    return [report('override-removed', message)];
  }
  const changes: SubgraphChange[] = [];
  if (before.from !== after.from) {
    const message = `${coordinate} is taken over from ${quote(after.from)} instead of ${quote(before.from)}`;
    changes.push(report('override-from-changed', message));
  }
  if (before.label !== after.label) changes.push(labelChange(before.label, after.label));
  return changes;

  function labelChange(was: string | undefined, is: string | undefined): SubgraphChange {
    if (was === undefined) {
      const message = `${coordinate} is taken over only for requests by ${quote(is)}`;
      return report('override-label-added', message);
    }
    if (is === undefined) {
      const message = `${coordinate} is taken over for all requests, not only by ${quote(was)}`;
      return report('override-label-removed', message);
    }
    const message = `${coordinate} is taken over for requests by ${quote(is)} instead of ${quote(was)}`;
    return report('override-label-changed', message);
  }
}

function readOverride(
  directive: ConstDirectiveNode | undefined,
): { readonly from: string | undefined; readonly label: string | undefined } | undefined {
  return (
    directive && {
      from: textValueOf(argumentValueOf(directive, 'from')),
      label: textValueOf(argumentValueOf(directive, 'label')),
    }
  );
}

function quote(text: string | undefined): string {
  return JSON.stringify(text ?? '');
}
