import type { ConstDirectiveNode } from 'graphql';
import { argumentValueOf, textValueOf } from '../links.ts';
import { createChange, type SubgraphChange } from '../subgraphChange.ts';
import type { SubgraphVersion } from '../subgraphVersion.ts';

/** Compares the federation version and the composed directives of a subgraph. */
export function linkChanges(old: SubgraphVersion, next: SubgraphVersion): readonly SubgraphChange[] {
  return [...versionChange(old, next), ...composedChanges(old, next)];
}

function versionChange(old: SubgraphVersion, next: SubgraphVersion): readonly SubgraphChange[] {
  const [before, after] = [old, next].map(({ subgraph }) => subgraph.federation?.version ?? '1');
  if (before === after) return [];
  return [
    {
      rule: 'federation-version-changed',
      severity: before === '1' || after === '1' ? 'dangerous' : 'safe',
      message: `The schema is made for Federation ${after} instead of ${before}`,
      coordinate: 'schema',
      node: next.subgraph.federation?.node,
    },
  ];
}

function composedChanges(old: SubgraphVersion, next: SubgraphVersion): readonly SubgraphChange[] {
  const before = old.subgraph.composedDirectives;
  const after = next.subgraph.composedDirectives;
  const changes: SubgraphChange[] = [];
  for (const [name, node] of after) {
    if (before.has(name)) continue;
    const message = `${composedNameOf(node)} is part of the supergraph now`;
    changes.push(createChange('compose-directive-added', { message, coordinate: 'schema', node }));
  }
  for (const [name, node] of before) {
    if (after.has(name)) continue;
    const message = `${composedNameOf(node)} is no longer part of the supergraph`;
    changes.push(createChange('compose-directive-removed', { message, coordinate: 'schema' }));
  }
  return changes;
}

/** The composed directive as the subgraph calls it, with `@`. */
function composedNameOf(node: ConstDirectiveNode): string {
  return textValueOf(argumentValueOf(node, 'name')) ?? '';
}
