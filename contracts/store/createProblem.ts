import type { FileLocation, Finding } from '../finding.ts';

interface Problem {
  /** Rule id, kebab-case. */
  readonly rule: string;
  readonly message: string;
  readonly advice: string;
  readonly location?: FileLocation | undefined;
  readonly subgraph?: string | undefined;
}

/** A mistake in the store or in the arguments, as a finding. */
export function createProblem({ rule, message, advice, location, subgraph }: Problem): Finding {
  return {
    rule,
    severity: 'misuse',
    message,
    advice,
    ...(subgraph === undefined ? {} : { subgraph }),
    ...(location === undefined ? {} : { location }),
  };
}
