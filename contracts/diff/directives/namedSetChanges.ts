import type { ConstDirectiveNode } from 'graphql';
import { applicationsOf } from '../canonicalSubgraph.ts';
import type { ElementNode } from '../elements.ts';
import { argumentValueOf, textValueOf } from '../links.ts';
import { createChange, type FixedChangeRuleId, type SubgraphChange } from '../subgraphChange.ts';
import type { ElementPair } from './elementPair.ts';

interface NamedDirective {
  readonly directive: string;
  readonly added: FixedChangeRuleId;
  readonly removed: FixedChangeRuleId;
  readonly isReportedWhenNew: boolean;
}

const namedDirectives: readonly NamedDirective[] = [
  {
    directive: 'tag',
    added: 'tag-added',
    removed: 'tag-removed',
    isReportedWhenNew: true,
  },
  {
    directive: 'context',
    added: 'context-added',
    removed: 'context-removed',
    isReportedWhenNew: false,
  },
];

/** Compares repeatable directives with a name: `@tag`, `@context`. */
export function namedSetChanges(pair: ElementPair): readonly SubgraphChange[] {
  return namedDirectives.flatMap(({ directive, added, removed, isReportedWhenNew }) => {
    const { coordinate } = pair;
    const before = namesOf(pair.old, directive);
    const after = namesOf(pair.next, directive);
    const changes: SubgraphChange[] = [];
    for (const [name, node] of after) {
      if (before.has(name) || (pair.old === undefined && !isReportedWhenNew)) continue;
      const message = `${coordinate} has the new @${directive} ${JSON.stringify(name)}`;
      changes.push(createChange(added, { message, coordinate, node }));
    }
    for (const name of before.keys()) {
      if (after.has(name)) continue;
      const message = `${coordinate} no longer has @${directive} ${JSON.stringify(name)}`;
      changes.push(createChange(removed, { message, coordinate }));
    }
    return changes;
  });
}

function namesOf(
  element: ElementNode | undefined,
  directive: string,
): ReadonlyMap<string, ConstDirectiveNode> {
  return new Map(
    applicationsOf(element, `federation__${directive}`).map(
      (node) => [textValueOf(argumentValueOf(node, 'name')) ?? '', node] as const,
    ),
  );
}
