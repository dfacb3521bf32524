import type { ConstDirectiveNode } from 'graphql';
import type { Severity } from '../../finding.ts';
import { applicationsOf } from '../canonicalSubgraph.ts';
import type { DiffRule } from '../diffRules.ts';
import type { ElementNode } from '../elements.ts';
import { argumentValueOf, textValueOf } from '../links.ts';
import type { SubgraphChange } from '../subgraphChange.ts';
import type { ElementPair } from './elementPair.ts';

interface NamedDirective {
  readonly directive: string;
  readonly added: readonly [rule: DiffRule, severity: Severity];
  readonly removed: readonly [rule: DiffRule, severity: Severity];
  readonly isReportedWhenNew: boolean;
}

const namedDirectives: readonly NamedDirective[] = [
  {
    directive: 'tag',
    added: ['tag-added', 'safe'],
    removed: ['tag-removed', 'safe'],
    isReportedWhenNew: true,
  },
  {
    directive: 'context',
    added: ['context-added', 'safe'],
    removed: ['context-removed', 'dangerous'],
    isReportedWhenNew: false,
  },
];

/** Directives that can stand several times with a name each: `@tag`, `@context`. */
export function namedSetChanges(pair: ElementPair): readonly SubgraphChange[] {
  return namedDirectives.flatMap(({ directive, added, removed, isReportedWhenNew }) => {
    const { coordinate } = pair;
    const before = namesOf(pair.old, directive);
    const after = namesOf(pair.next, directive);
    const changes: SubgraphChange[] = [];
    for (const [name, node] of after) {
      if (before.has(name) || (pair.old === undefined && !isReportedWhenNew)) continue;
      const message = `${coordinate} has the new @${directive} ${JSON.stringify(name)}`;
      changes.push({ rule: added[0], severity: added[1], message, coordinate, node });
    }
    for (const name of before.keys()) {
      if (after.has(name)) continue;
      const message = `${coordinate} has no @${directive} ${JSON.stringify(name)} any more`;
      changes.push({ rule: removed[0], severity: removed[1], message, coordinate });
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
