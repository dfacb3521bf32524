import type { ConsumerOperation } from '../contractStore.ts';
import type { AffectedOperation, Finding } from '../finding.ts';

export function affected({ consumer, name, place }: ConsumerOperation, reason: string): AffectedOperation {
  return { consumer, operation: name, place, reason };
}

/** Where a finding is that is about one operation and no part of the schema: a waiver names it as `consumer/Operation`. */
export function atOperation({
  consumer,
  name,
  place,
}: ConsumerOperation): Pick<Finding, 'coordinate' | 'place'> {
  return { coordinate: `${consumer}/${name}`, place };
}
