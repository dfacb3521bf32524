import { Kind } from 'graphql';
import { contextSelectionOf, writtenContextSelectionOf } from '../fieldSet.ts';
import { createChange, type SubgraphChange } from '../subgraphChange.ts';
import { type ElementPair, singleApplicationsOf } from './elementPair.ts';

/** Compares `@fromContext`. The gateway passes such an argument, so it is not part of the API. */
export function fromContextChanges(pair: ElementPair): readonly SubgraphChange[] {
  const { coordinate, next: argument } = pair;
  const [old, next] = singleApplicationsOf(pair, 'federation__fromContext');
  const before = old && contextSelectionOf(old);
  const after = next && contextSelectionOf(next);
  if (before === after) return [];
  if (next === undefined) {
    const isRequired =
      argument.kind === Kind.INPUT_VALUE_DEFINITION &&
      argument.type.kind === Kind.NON_NULL_TYPE &&
      argument.defaultValue === undefined;
    const message = `${coordinate} is no longer filled by the gateway from a context`;
    return [
      { rule: 'from-context-removed', severity: isRequired ? 'breaking' : 'dangerous', message, coordinate },
    ];
  }
  if (old !== undefined) {
    const message = `${coordinate} is filled with "${writtenContextSelectionOf(next)}" from a context instead of "${writtenContextSelectionOf(old)}"`;
    return [createChange('from-context-changed', { message, coordinate, node: next })];
  }
  if (pair.hasNewAncestor) return [];
  // Clients that pass the argument are refused. No client passes a new argument.
  const severity = pair.old === undefined ? 'dangerous' : 'breaking';
  const message = `${coordinate} is now filled with "${writtenContextSelectionOf(next)}" by the gateway from a context`;
  return [{ rule: 'from-context-added', severity, message, coordinate, node: next }];
}
