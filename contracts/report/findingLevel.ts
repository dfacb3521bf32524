import type { Finding } from '../finding.ts';

/** How loud a format that knows three degrees tells it: `error` for what makes the check fail. */
export type FindingLevel = 'error' | 'warning' | 'note';

export function levelOf({ severity, waivedBy }: Finding, strict: boolean): FindingLevel {
  if (waivedBy !== undefined || severity === 'safe') return 'note';
  return severity === 'dangerous' && !strict ? 'warning' : 'error';
}
