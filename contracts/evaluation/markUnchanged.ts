import type { Finding } from '../finding.ts';

/** What is not as agreed on, and was not before: it has to be known, and is not what the change does. */
export function markUnchanged(finding: Finding): Finding {
  return { ...finding, severity: 'dangerous', message: `${finding.message} It was so before.` };
}
