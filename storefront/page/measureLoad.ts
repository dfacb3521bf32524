import type { PayloadLogSnapshot } from './payloadLog.ts';
import { fieldsOf, partNames } from './productParts.ts';

/** How long a load of the product page took, in milliseconds. */
export interface Measurement {
  /** Until the product was visible; `undefined` while it is not. */
  readonly visibleMs?: number;
  /** Until every part had arrived; `undefined` while one has not. */
  readonly completeMs?: number;
}

export function measureLoad({ payloads, isComplete }: PayloadLogSnapshot): Measurement {
  const outcomes = payloads.flatMap(({ afterMs, outcomes: own }) =>
    own.map((each) => ({ ...each, afterMs })),
  );
  const arrivedMs = (field: string): number | undefined =>
    outcomes.find((each) => each.field === field && each.outcome === 'arrived')?.afterMs;
  const visibleMs = arrivedMs('product');
  // A product that does not exist has no other fields.
  const isAlone = isComplete && outcomes.every(({ field }) => field === 'product');
  const times = isAlone ? [visibleMs] : partNames.flatMap(fieldsOf).map(arrivedMs);
  const hasEverything = times.every((ms) => ms !== undefined);
  return {
    ...(visibleMs === undefined ? {} : { visibleMs }),
    ...(hasEverything ? { completeMs: Math.max(...times) } : {}),
  };
}
