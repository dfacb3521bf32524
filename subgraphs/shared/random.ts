/** A source of repeatable pseudo-random numbers. Equal seeds give equal sequences on every machine. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** Whole number from `low` to `high`, both included. */
  integer(low: number, high: number): number;
  pick<T>(items: readonly T[]): T;
  /** `count` different items in random order; all items if there are fewer. */
  sample<T>(items: readonly T[], count: number): T[];
  chance(probability: number): boolean;
}

/** Xorshift on 32 bits: sufficient for generated data and faults, unsuitable for secrets. */
export function createRandom(seed: number): Random {
  // Neighbouring seeds would start with similar numbers; the multiplication spreads them. Zero is a fixed point.
  let state = Math.imul(seed ^ 0x5bd1e995, 0x27d4eb2f) || 1;

  function next(): number {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  }
  for (let warmUp = 0; warmUp < 8; warmUp++) next();

  function integer(low: number, high: number): number {
    return low + Math.floor(next() * (high - low + 1));
  }

  function sample<T>(items: readonly T[], count: number): T[] {
    const pool = [...items];
    const taken: T[] = [];
    while (taken.length < count && pool.length > 0) {
      taken.push(...pool.splice(integer(0, pool.length - 1), 1));
    }
    return taken;
  }

  return {
    next,
    integer,
    sample,
    pick<T>(items: readonly T[]): T {
      if (items.length === 0) throw new RangeError('Nothing to pick from: the list is empty');
      return items[integer(0, items.length - 1)] as T;
    },
    chance: (probability) => next() < probability,
  };
}
