import { GatewayError } from '../errors.ts';

/** Whether a client takes enrichments as incremental payloads that it has not asked for: `tributary-defer: auto`.
 *  Errors: `GatewayError` with `BAD_REQUEST` for any other value. `headers` has lower case names. */
export function wantsAutoDefer(headers: ReadonlyMap<string, string>): boolean {
  const text = headers.get('tributary-defer');
  if (text === undefined) return false;
  if (text.trim().toLowerCase() === 'auto') return true;
  throw new GatewayError(
    'BAD_REQUEST',
    'The header "tributary-defer" is not right. Expected auto, or no such header.',
  );
}
