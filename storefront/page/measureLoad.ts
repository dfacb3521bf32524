import type { PayloadLogSnapshot } from './payloadLog.ts';
import { fieldsOf, partNames } from './productParts.ts';

/** How long a load of the product page took, in milliseconds. */
export interface Measurement {
  /** Until the product was visible; `undefined` while it is not. */
  readonly visibleMs?: number;
  /** Until every part had arrived; `undefined` while one has not. */
  readonly completeMs?: number;
}

export function measureLoad({ payloads }: PayloadLogSnapshot): Measurement {
  const arrivedMs = (field: string): number | undefined =>
    payloads.find(({ outcomes }) =>
      outcomes.some((each) => each.field === field && each.outcome === 'arrived'),
    )?.afterMs;
  const visibleMs = arrivedMs('product');
  const times = partNames.flatMap(fieldsOf).map(arrivedMs);
  const isComplete = times.every((ms) => ms !== undefined);
  return {
    ...(visibleMs === undefined ? {} : { visibleMs }),
    ...(isComplete ? { completeMs: Math.max(...times) } : {}),
  };
}
