import type { Finding } from '../finding.ts';

/** The level of a finding in formats with three levels. `error`: it fails the check. */
export type FindingLevel = 'error' | 'warning' | 'note';

export function levelOf({ severity, waivedBy }: Finding, strict: boolean): FindingLevel {
  if (waivedBy !== undefined || severity === 'safe') return 'note';
  return severity === 'dangerous' && !strict ? 'warning' : 'error';
}
