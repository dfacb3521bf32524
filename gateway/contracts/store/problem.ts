import type { Finding, Place } from '../finding.ts';

export interface Problem {
  /** Rule id, kebab-case. */
  readonly rule: string;
  readonly message: string;
  readonly advice: string;
  readonly place?: Place | undefined;
  readonly subgraph?: string | undefined;
}

/** A mistake in the store or in the arguments, as a finding. */
export function problem({ rule, message, advice, place, subgraph }: Problem): Finding {
  return {
    rule,
    severity: 'misuse',
    message,
    advice,
    ...(subgraph === undefined ? {} : { subgraph }),
    ...(place === undefined ? {} : { place }),
  };
}
