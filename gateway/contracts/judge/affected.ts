import type { ConsumerOperation } from '../contractStore.ts';
import type { AffectedOperation } from '../finding.ts';

export function affected({ consumer, name, place }: ConsumerOperation, reason: string): AffectedOperation {
  return { consumer, operation: name, place, reason };
}
