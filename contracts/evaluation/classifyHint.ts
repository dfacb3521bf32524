import type { Finding } from '../finding.ts';

/** A hint of the composer that is not about a difference between subgraphs is for tidying up. */
export function classifyHint(hint: Finding): Finding {
  const [code = ''] = hint.message.split(':');
  return cleanupHints.has(code) ? { ...hint, severity: 'safe' } : hint;
}

const cleanupHints: ReadonlySet<string> = new Set([
  'OVERRIDDEN_FIELD_CAN_BE_REMOVED',
  'OVERRIDE_DIRECTIVE_CAN_BE_REMOVED',
  'OVERRIDE_MIGRATION_IN_PROGRESS',
  'UNUSED_ENUM_TYPE',
]);
