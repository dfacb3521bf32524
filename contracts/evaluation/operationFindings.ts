import type { ConsumerOperation } from '../contractStore.ts';
import type { AffectedOperation, Finding } from '../finding.ts';

export function affectedOperation(
  { consumer, name, location }: ConsumerOperation,
  reason: string,
): AffectedOperation {
  return { consumer, operation: name, location, reason };
}

/** Coordinate and location of a finding about one operation: waivers name it `consumer/Operation`. */
export function operationReference({
  consumer,
  name,
  location,
}: ConsumerOperation): Pick<Finding, 'coordinate' | 'location'> {
  return { coordinate: `${consumer}/${name}`, location };
}

/** A violation that existed before the change. It is reported, but not attributed to the change. */
export function markUnchanged(finding: Finding): Finding {
  return {
    ...finding,
    severity: 'dangerous',
    message: addSentence(finding.message, 'The problem existed before the change.'),
  };
}

/** Different messages as one. Those of validation are sentences, others are not. */
export function joinMessages(messages: Iterable<string>): string {
  return [...new Set(messages)]
    .map((message, index, all) => (index < all.length - 1 ? message.replace(/\.$/, '') : message))
    .join('; ');
}

export function addSentence(message: string, sentence: string): string {
  // Messages of graphql-js may end with a question.
  return `${/[.?]$/.test(message) ? message : `${message}.`} ${sentence}`;
}
