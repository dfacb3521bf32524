import { durationMsOf, formatDuration } from '../config/duration.ts';
import { GatewayError } from '../errors.ts';
import type { ClientPreferences } from '../execution/requestContext.ts';
import type { RequestPriority } from '../subgraphs/policies/callPriority.ts';

/** In milliseconds, both inclusive. */
interface BudgetBounds {
  readonly min: number;
  readonly max: number;
}

const priorities: ReadonlySet<string> = new Set<RequestPriority>(['critical', 'normal', 'background']);

/** Reads the `tributary-*` headers of a request. `headers` has lower case names.
 *  @throws {GatewayError} `BAD_REQUEST` for a header that cannot be read, or a budget out of bounds. */
export function readClientPreferences(
  headers: ReadonlyMap<string, string>,
  budgetBounds: BudgetBounds,
): ClientPreferences {
  return {
    priority: readPriority(headers.get('tributary-priority')),
    budgetMs: readBudget(headers.get('tributary-budget'), budgetBounds),
    isAutoDefer: readAutoDefer(headers.get('tributary-defer')),
  };
}

/** The priority that a client claims by the header `tributary-priority`; `undefined` if it claims none.
 *  @throws {GatewayError} `BAD_REQUEST` */
export function readPriority(text: string | undefined): RequestPriority | undefined {
  if (text === undefined) return undefined;
  const priority = text.trim().toLowerCase();
  if (priorities.has(priority)) return priority as RequestPriority;
  throw invalidHeaderError('tributary-priority', `one of ${[...priorities].join(', ')}`);
}

function readBudget(text: string | undefined, { min, max }: BudgetBounds): number | undefined {
  if (text === undefined) return undefined;
  // A number without a unit is in milliseconds, as in the configuration.
  const ms = durationMsOf(text);
  if (ms !== undefined && ms >= min && ms <= max) return ms;
  throw invalidHeaderError(
    'tributary-budget',
    `a duration from ${formatDuration(min)} to ${formatDuration(max)}, such as 80ms or 1s`,
  );
}

function readAutoDefer(text: string | undefined): boolean {
  if (text === undefined) return false;
  if (text.trim().toLowerCase() === 'auto') return true;
  throw invalidHeaderError('tributary-defer', 'auto, or no such header');
}

/** The error for a header of a client that cannot be read. */
export function invalidHeaderError(name: string, expected: string): GatewayError {
  return new GatewayError('BAD_REQUEST', `The header "${name}" has an invalid value. Expected ${expected}.`);
}
