import type { Supergraph } from '../../supergraph/supergraph.ts';
import { nextTurn } from '../../time/nextTurn.ts';
import type { ConsumerOperation, ContractStore } from '../contractStore.ts';
import type { Place } from '../finding.ts';
import { planOnSupergraph, refusalsOf } from '../graph/planOnSupergraph.ts';
import { agreements } from '../judge/agreements.ts';
import { endTroubles } from '../judge/endTroubles.ts';

export interface GuardQuestion {
  readonly store: Pick<ContractStore, 'operations' | 'waivers'>;
  readonly next: Supergraph;
  /** What is in use; `undefined` where nothing is. */
  readonly current: Supergraph | undefined;
  /** In UTC, `2027-01-31`: waivers expire by it. */
  readonly today: string;
  /** How many operations are planned at the same time. */
  readonly underWay: number;
  readonly signal: AbortSignal;
}

/** An operation of the store that worked, and does not with the next supergraph. */
export interface BrokenOperation {
  readonly consumer: string;
  readonly operation: string;
  readonly place: Place;
  readonly reasons: readonly string[];
  /** Parts of the schema that it is about. */
  readonly coordinates: readonly string[];
}

/** Tries every operation on the next supergraph, in the threads of its planner, and tells those that work now and will
 *  not then. What does not work now either is no reason to stay. In this thread one operation is looked at a turn.
 *  Errors: the signal's reason. */
export async function findBrokenOperations(question: GuardQuestion): Promise<readonly BrokenOperation[]> {
  const { store, underWay, signal } = question;
  const found = new Map<ConsumerOperation, BrokenOperation>();
  const open = store.operations.values();
  let lastTurn = Promise.resolve();
  // What waits for the next turn comes all in that one: each waits for the one before it.
  const ownTurn = (): Promise<void> => {
    lastTurn = lastTurn.then(nextTurn);
    return lastTurn;
  };
  const work = async (): Promise<void> => {
    for (const operation of open) {
      await ownTurn();
      const broken = await tryOperation(operation, question);
      // A planner that was closed meanwhile plans nothing, which says nothing about the operation.
      signal.throwIfAborted();
      if (broken !== undefined) found.set(operation, broken);
    }
  };
  await Promise.all(Array.from({ length: underWay }, work));
  return store.operations.flatMap((operation) => found.get(operation) ?? []);
}

async function tryOperation(
  operation: ConsumerOperation,
  { next, current, store, today }: GuardQuestion,
): Promise<BrokenOperation | undefined> {
  const after = await planOnSupergraph(operation, next);
  if (current === undefined) {
    return after.kind === 'failed' ? brokenBy(after.problems) : undefined;
  }
  if (refusalsOf(operation, current.apiSchema).length > 0) return undefined;
  const troubles = endTroubles(operation, after, current.apiSchema, next.apiSchema);
  if (troubles.length === 0) return undefined;
  const isPlanning =
    after.kind === 'failed' && after.problems.every(({ kind }) => kind === 'unplannable' || kind === 'limit');
  if (isPlanning && (await planOnSupergraph(operation, current)).kind === 'failed') return undefined;
  return brokenBy(troubles);

  function brokenBy(
    reasons: readonly { readonly message: string; readonly coordinates: readonly string[] }[],
  ): BrokenOperation | undefined {
    const { consumer, name, place } = operation;
    const waived = new Set(
      store.waivers
        .filter(({ rule, expires }) => today <= expires && !isOfHowWell(rule))
        .map(({ coordinate }) => coordinate),
    );
    if (waived.has(`${consumer}/${name}`)) return undefined;
    // What was agreed on breaks in the end: a waiver is for a change, and this is what has become of it.
    const left = reasons.filter(({ coordinates }) => !coordinates.some((one) => waived.has(one)));
    if (left.length === 0) return undefined;
    return {
      consumer,
      operation: name,
      place,
      reasons: [...new Set(left.map(({ message }) => message))],
      coordinates: [...new Set(left.flatMap(({ coordinates }) => coordinates))],
    };
  }
}

/** An operation may be slower or staler than was agreed on, and is still to work. */
function isOfHowWell(rule: string): boolean {
  return rule === 'plan-cost' || agreements.has(rule);
}
