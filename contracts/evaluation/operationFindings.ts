import type { ConsumerOperation } from '../contractStore.ts';
import type { AffectedOperation, Finding } from '../finding.ts';

export function affectedOperation(
  { consumer, name, location }: ConsumerOperation,
  reason: string,
): AffectedOperation {
  return { consumer, operation: name, location, reason };
}

/** Where a finding is that is about one operation and no part of the schema: a waiver names it as `consumer/Operation`. */
export function operationReference({
  consumer,
  name,
  location,
}: ConsumerOperation): Pick<Finding, 'coordinate' | 'location'> {
  return { coordinate: `${consumer}/${name}`, location };
}

/** What is not as agreed on, and was not before: it has to be known, and is not what the change does. */
export function markUnchanged(finding: Finding): Finding {
  return { ...finding, severity: 'dangerous', message: `${finding.message} It was so before.` };
}
