import type { Finding } from '../finding.ts';
import { explains, onlyGives, type Schemas } from './explains.ts';
import type { Trouble } from './trouble.ts';

export interface Blame<One extends Trouble = Trouble> {
  /** What goes wrong, by the change that is the reason. */
  readonly blamed: ReadonlyMap<Finding, readonly One[]>;
  readonly unexplained: readonly One[];
}

/** Finds the changes that are the reasons of troubles. One may have several. */
export function blame<One extends Trouble>(
  changes: readonly Finding[],
  troubles: readonly One[],
  schemas: Schemas,
): Blame<One> {
  const blamed = new Map<Finding, One[]>();
  const unexplained: One[] = [];
  for (const trouble of troubles) {
    const reasons = reasonsOf(trouble, changes, schemas);
    if (reasons.length === 0) unexplained.push(trouble);
    for (const change of reasons) blamed.set(change, [...(blamed.get(change) ?? []), trouble]);
  }
  return { blamed, unexplained };
}

function reasonsOf(trouble: Trouble, changes: readonly Finding[], schemas: Schemas): readonly Finding[] {
  const near = changes.filter((change) => explains(change, trouble, schemas));
  // What is harmless is to blame only where nothing worse is.
  const bad = near.filter(({ severity }) => severity !== 'safe');
  if (bad.length > 0) return bad;
  const taking = near.filter((change) => !onlyGives(change));
  if (trouble.phase === 'in the end' && taking.length > 0) return taking;
  if (near.length > 0) return near;
  // A subgraph as a whole says nothing about its parts.
  return changes.filter(
    ({ rule, subgraph }) =>
      (rule === 'subgraph-removed' || rule === 'subgraph-added') &&
      (trouble.subgraph === undefined || trouble.subgraph === subgraph),
  );
}
