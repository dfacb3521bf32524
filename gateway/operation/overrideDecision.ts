import { createHash } from 'node:crypto';

interface OverridePolicy {
  /** Name of a client header, in lower case. */
  readonly identityHeader?: string | undefined;
  /** Percentages by label, from 0 to 100. A label that is not here decides itself, `percent(5)` for 5 %, and is
   *  off where it has no percentage. */
  readonly labels: Readonly<Record<string, number>>;
}

/** Whether the fields of a label come from the subgraph that overrides. The same answer however often it is asked. */
export type OverrideDecision = (label: string) => boolean;

/** No label is on. */
export const noOverrides: OverrideDecision = () => false;

/** Decides by one number per client identity, where the request has one, or else by one per HTTP request. All
 *  labels are held against the same number: whoever has the labels of 5 % has those of 25 % too, so that the
 *  plans of an operation grow with its percentages and not with their combinations.
 *  `random` gives numbers from 0 up to 1. The headers stand for the request: operations of a batch share them. */
export function createOverrideDecisions(
  policy: OverridePolicy,
  random: () => number,
): (headers: ReadonlyMap<string, string>) => OverrideDecision {
  const positions = new WeakMap<ReadonlyMap<string, string>, number>();
  const shares = new Map<string, number>();
  const positionOf = (headers: ReadonlyMap<string, string>): number => {
    let position = positions.get(headers);
    if (position === undefined) {
      const identity = policy.identityHeader === undefined ? undefined : headers.get(policy.identityHeader);
      position = (identity ? hashIdentity(identity) : random()) * 100;
      positions.set(headers, position);
    }
    return position;
  };
  return (headers) => (label) => {
    let share = shares.get(label);
    if (share === undefined) {
      share = percentageOf(label, policy);
      shares.set(label, share);
    }
    if (share <= 0) return false;
    return share >= 100 || positionOf(headers) < share;
  };
}

function percentageOf(label: string, { labels }: OverridePolicy): number {
  if (Object.hasOwn(labels, label)) return labels[label] as number;
  return Number(/^percent\(([\d.]+)\)$/.exec(label)?.[1] ?? 0);
}

const identityHashBytes = 6;

/** From 0 up to 1, evenly. Nothing but the identity goes in: a client that is within 5 % stays within when these
 *  become 25 %, on whatever process it comes in. */
function hashIdentity(identity: string): number {
  const hash = createHash('sha256').update(identity).digest();
  return hash.readUIntBE(0, identityHashBytes) / 2 ** (8 * identityHashBytes);
}
