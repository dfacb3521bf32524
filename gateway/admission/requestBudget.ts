import { formatDuration, parseDuration } from '../config/duration.ts';
import { GatewayError } from '../errors.ts';

/** In milliseconds, both included. */
interface BudgetBounds {
  readonly min: number;
  readonly max: number;
}

/** What a client says with `tributary-budget` (`80ms`, `1s`), in milliseconds; `undefined` where it says nothing.
 *  Errors: `GatewayError` with `BAD_REQUEST` and the bounds. `headers` has lower case names. */
export function requestBudgetOf(
  headers: ReadonlyMap<string, string>,
  { min, max }: BudgetBounds,
): number | undefined {
  const text = headers.get('tributary-budget');
  if (text === undefined) return undefined;
  const ms = parseDuration(text);
  if (ms !== undefined && ms >= min && ms <= max) return ms;
  throw new GatewayError(
    'BAD_REQUEST',
    `The header "tributary-budget" is not right. Expected a duration from ${formatDuration(min)} to ${formatDuration(max)}.`,
  );
}
