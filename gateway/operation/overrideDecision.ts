import { createHash } from 'node:crypto';

interface OverridePolicy {
  /** Percentages from 0 to 100 by label. For a label without an entry, `percent(5)` means 5 % and any other label 0 %. */
  readonly labels: Readonly<Record<string, number>>;
}

/** Whether a label is active, so that the overriding subgraph resolves its fields. Consistent for one request. */
export type OverrideDecision = (label: string) => boolean;

/** Decides labels by one number for each client identity, or for each HTTP request without an identity. All labels are
 *  compared with the same number: a client with an active 5 % label also has every 25 % label. So the number of plans of
 *  an operation grows with its percentages, not with their combinations.
 *  `random` returns numbers in [0, 1). The `headers` object identifies the HTTP request, because all operations of a
 *  batch share it. */
export function createOverrideDecisions(
  policy: OverridePolicy,
  random: () => number,
): (identity: string | undefined, headers: ReadonlyMap<string, string>) => OverrideDecision {
  const positions = new WeakMap<ReadonlyMap<string, string>, number>();
  const percentages = new Map<string, number>();
  const positionOf = (identity: string | undefined, headers: ReadonlyMap<string, string>): number => {
    let position = positions.get(headers);
    if (position === undefined) {
      position = (identity === undefined ? random() : hashIdentity(identity)) * 100;
      positions.set(headers, position);
    }
    return position;
  };
  return (identity, headers) => (label) => {
    let percentage = percentages.get(label);
    if (percentage === undefined) {
      percentage = percentageOf(label, policy);
      percentages.set(label, percentage);
    }
    if (percentage <= 0) return false;
    return percentage >= 100 || positionOf(identity, headers) < percentage;
  };
}

function percentageOf(label: string, { labels }: OverridePolicy): number {
  if (Object.hasOwn(labels, label)) return labels[label] as number;
  return percentageIn(label) ?? 0;
}

function percentageIn(label: string): number | undefined {
  const text = /^percent\(([\d.]+)\)$/.exec(label)?.[1];
  return text === undefined ? undefined : Number(text);
}

/** Labels with names of their own of which each combination counts. Of more of them, none, each alone and all count. */
const maxCombinedNames = 3;

/** The sets of labels that can be active for one request, when the configuration has no entry for a label
 *  `percent(…)` and any entries for other labels. First none, last all. */
export function listOverrideSets(labels: readonly string[]): readonly (readonly string[])[] {
  const percentages = [...new Set(labels.flatMap((label) => percentageIn(label) ?? []))].sort(
    (a, b) => b - a,
  );
  const chain = [
    [],
    ...percentages.map((least) => labels.filter((label) => (percentageIn(label) ?? -1) >= least)),
  ];
  const ownNames = labels.filter((label) => percentageIn(label) === undefined);
  return combine(ownNames).flatMap((named) =>
    chain.map((active) => labels.filter((label) => named.includes(label) || active.includes(label))),
  );
}

function combine(names: readonly string[]): readonly (readonly string[])[] {
  if (names.length > maxCombinedNames) return [[], ...names.map((name) => [name]), names];
  const combinations: string[][] = [[]];
  for (const name of names) combinations.push(...combinations.map((others) => [...others, name]));
  return combinations;
}

const identityHashBytes = 6;

/** A uniform number in [0, 1) that depends on the identity only. A client keeps an active label when its percentage is
 *  raised, on every process. */
function hashIdentity(identity: string): number {
  const hash = createHash('sha256').update(identity).digest();
  return hash.readUIntBE(0, identityHashBytes) / 2 ** (8 * identityHashBytes);
}
