import { type ConstDirectiveNode, DEFAULT_DEPRECATION_REASON } from 'graphql';
import { argumentValueOf, textValueOf } from '../links.ts';
import { createChange, type SubgraphChange } from '../subgraphChange.ts';
import { type ElementPair, singleApplicationsOf } from './elementPair.ts';

/** Compares `@deprecated`, also of arguments and input fields. */
export function deprecationChanges(pair: ElementPair): readonly SubgraphChange[] {
  if (pair.old === undefined) return [];
  const { coordinate } = pair;
  const [old, next] = singleApplicationsOf(pair, 'deprecated');
  if (next === undefined) {
    const message = `${coordinate} is no longer deprecated`;
    return old === undefined ? [] : [createChange('deprecation-removed', { message, coordinate })];
  }
  const reason = reasonOf(next);
  if (old !== undefined && reasonOf(old) === reason) return [];
  return [
    createChange(old === undefined ? 'deprecation-added' : 'deprecation-reason-changed', {
      message: `${coordinate} is deprecated: ${reason}`,
      coordinate,
      node: next,
    }),
  ];
}

function reasonOf(directive: ConstDirectiveNode): string {
  return textValueOf(argumentValueOf(directive, 'reason')) ?? DEFAULT_DEPRECATION_REASON;
}
