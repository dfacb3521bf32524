import { GatewayError } from '../errors.ts';
import type { EnrichmentPriority } from '../operation/enrichmentRule.ts';

const prioritiesByHeaderValue: ReadonlyMap<string, EnrichmentPriority> = new Map([
  ['critical', 'CRITICAL'],
  ['normal', 'NORMAL'],
  ['background', 'BACKGROUND'],
]);

/** What a client says with `tributary-priority`; `undefined` where it says nothing. Errors: `GatewayError` with
 *  `BAD_REQUEST` and the words that there are. `headers` has lower case names. */
export function requestPriorityOf(headers: ReadonlyMap<string, string>): EnrichmentPriority | undefined {
  const text = headers.get('tributary-priority');
  if (text === undefined) return undefined;
  const priority = prioritiesByHeaderValue.get(text.trim().toLowerCase());
  if (priority !== undefined) return priority;
  throw new GatewayError(
    'BAD_REQUEST',
    `The header "tributary-priority" is not right. Expected one of ${[...prioritiesByHeaderValue.keys()].join(', ')}.`,
  );
}
