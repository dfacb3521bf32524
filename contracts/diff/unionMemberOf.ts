import type { Finding } from '../finding.ts';

const unionMemberMessage = /^Member '(\w+)' was (?:added to|removed from) Union type '\w+'/;

/** The type that a union gets or loses; `undefined` for any other change. A union's members have no coordinates: the
 *  change is told at the union, and names the member in its message only. */
export function unionMemberOf(change: Pick<Finding, 'rule' | 'message'>): string | undefined {
  return change.rule.startsWith('union-member-') ? unionMemberMessage.exec(change.message)?.[1] : undefined;
}
