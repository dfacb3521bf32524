import type { GraphQLFormattedError } from 'graphql';
import type { ExecutionOutcome } from '../response/executionOutcome.ts';
import { outcomeOf, type RequestOutcome, type RequestRecord } from '../telemetry/requestRecord.ts';
import { statusOf } from './errorResponse.ts';

/** Records what the execution of an operation has returned. To be called before its data is taken. */
export function recordOutcome(record: RequestRecord, outcome: ExecutionOutcome): void {
  if (outcome.kind === 'subscription') record.subscribe();
  else if (outcome.kind === 'incremental') record.followPayloads(outcome);
  else record.outcome = outcomeOfResult(outcome.data, outcome.errors);
}

/** `data`: `undefined` if nothing was executed. */
export function outcomeOfResult(
  data: { readonly isNull: boolean } | undefined,
  errors: readonly GraphQLFormattedError[] | undefined,
): RequestOutcome {
  const [error] = errors ?? [];
  if (data === undefined) return outcomeOf(error?.extensions?.code, (error && statusOf(error)) ?? 400);
  if (error === undefined) return 'ok';
  return data.isNull ? 'error' : 'partial';
}
