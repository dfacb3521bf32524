import type { Finding } from '../finding.ts';
import { explains, type Schemas } from './explains.ts';
import type { Trouble } from './trouble.ts';

export interface Blame {
  /** What goes wrong, by the change that is the reason. */
  readonly blamed: ReadonlyMap<Finding, readonly Trouble[]>;
  readonly unexplained: readonly Trouble[];
}

/** Finds the changes that are the reasons of troubles. One may have several. */
export function blame(changes: readonly Finding[], troubles: readonly Trouble[], schemas: Schemas): Blame {
  const blamed = new Map<Finding, Trouble[]>();
  const unexplained: Trouble[] = [];
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
  if (near.length > 0) return near;
  // A subgraph as a whole says nothing about its parts.
  return changes.filter(
    ({ rule, subgraph }) =>
      (rule === 'subgraph-removed' || rule === 'subgraph-added') &&
      (trouble.subgraph === undefined || trouble.subgraph === subgraph),
  );
}
