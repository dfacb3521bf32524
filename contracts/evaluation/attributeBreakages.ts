import type { Finding } from '../finding.ts';
import type { Breakage } from './breakage.ts';
import { type ApiSchemas, coversBreakage, isAdditive } from './coversBreakage.ts';

interface BreakageAttribution<One extends Breakage = Breakage> {
  /** The breakages by the change that causes them. */
  readonly byChange: ReadonlyMap<Finding, readonly One[]>;
  readonly unattributed: readonly One[];
}

/** Attributes each breakage to the changes that may cause it. One breakage may have several causes. */
export function attributeBreakages<One extends Breakage>(
  changes: readonly Finding[],
  troubles: readonly One[],
  schemas: ApiSchemas,
): BreakageAttribution<One> {
  const blamed = new Map<Finding, One[]>();
  const unexplained: One[] = [];
  for (const trouble of troubles) {
    const reasons = causesOf(trouble, changes, schemas);
    if (reasons.length === 0) unexplained.push(trouble);
    for (const change of reasons) blamed.set(change, [...(blamed.get(change) ?? []), trouble]);
  }
  return { byChange: blamed, unattributed: unexplained };
}

function causesOf(trouble: Breakage, changes: readonly Finding[], schemas: ApiSchemas): readonly Finding[] {
  const near = changes.filter((change) => coversBreakage(change, trouble, schemas));
  // A safe change is a cause only when no worse change is.
  const bad = near.filter(({ severity }) => severity !== 'safe');
  if (bad.length > 0) return bad;
  const taking = near.filter((change) => !isAdditive(change));
  if (trouble.phase === 'after rollout' && taking.length > 0) return taking;
  if (near.length > 0) return near;
  // A subgraph that is added or removed as a whole has no coordinates that a breakage could match.
  return changes.filter(
    ({ rule, subgraph }) =>
      (rule === 'subgraph-removed' || rule === 'subgraph-added') &&
      (trouble.subgraph === undefined || trouble.subgraph === subgraph),
  );
}
