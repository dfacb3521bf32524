import type { ExecuteOperation } from '../admission/apolloPipeline.ts';
import { GatewayError } from '../errors.ts';
import { copyJson } from '../json/copyJson.ts';
import { parseExactJson } from '../json/exactJson.ts';
import type { OperationRequest } from '../operation/operationRequest.ts';
import type { ExecutionOutcome, SingleOutcome } from '../response/executionOutcome.ts';
import { inspectEach } from '../response/inspectEach.ts';
import type { ClientOperation, Extension, ResponseEvent } from './extension.ts';
import { type HookRunner, hooksOf } from './extensionHooks.ts';

interface ResponseHooksOptions {
  readonly extensions: readonly Extension[];
  readonly runner: HookRunner;
  /** The operation of a request; `undefined` for a request that was refused. */
  findOperation(request: OperationRequest): ClientOperation | undefined;
  /** Milliseconds that a promise of a hook may take. */
  readonly timeoutMs: number;
}

/** Returns a decorator that calls `onResponse` and `onPayload`; `undefined` if no extension has them. */
export function decorateWithResponseHooks({
  extensions,
  runner,
  findOperation,
  timeoutMs,
}: ResponseHooksOptions): ((execute: ExecuteOperation) => ExecuteOperation) | undefined {
  const responseHooks = hooksOf(extensions, 'onResponse') ?? [];
  const payloadHooks = hooksOf(extensions, 'onPayload') ?? [];
  if (responseHooks.length + payloadHooks.length === 0) return undefined;

  async function callResponseHooks({
    errors,
    extensions,
    ...event
  }: ResponseEvent): Promise<Readonly<Record<string, unknown>>> {
    const added: Record<string, unknown> = {};
    const { requestId, signal } = event.request;
    for (const hook of responseHooks) {
      const add = async (): Promise<void> => {
        // Several requests may share a response, which a hook must not change.
        const copies = copyJson({ errors, extensions }) as Pick<ResponseEvent, 'errors' | 'extensions'>;
        Object.assign(added, readExtensions(await hook.call({ ...event, ...copies })));
      };
      await runner.run(hook, add, { requestId, timeoutMs, signal });
    }
    return added;
  }

  function observe<Value>(
    source: AsyncIterable<Value>,
    request: ClientOperation,
    textsOf: (value: Value) => readonly string[],
  ): AsyncIterable<Value> {
    if (payloadHooks.length === 0) return source;
    const { requestId, signal } = request;
    let index = 0;
    return inspectEach(source, async (value) => {
      for (const text of textsOf(value)) {
        const event = { request, text, index: index++ };
        for (const hook of payloadHooks)
          await runner.run(hook, () => hook.call(event), { requestId, timeoutMs, signal });
      }
    });
  }

  async function completeResponse(outcome: SingleOutcome, request: ClientOperation): Promise<SingleOutcome> {
    const { errors = [], extensions, data } = outcome;
    const added = await callResponseHooks({ request, errors, extensions, isExecuted: data !== undefined });
    if (Object.keys(added).length === 0) return outcome;
    // The extensions that a hook adds may be for this client alone.
    return { ...outcome, extensions: { ...extensions, ...added }, caching: undefined };
  }

  return (execute) => async (request, supergraph) => {
    let outcome: ExecutionOutcome;
    try {
      outcome = await execute(request, supergraph);
    } catch (error) {
      const operation = findOperation(request);
      if (operation === undefined || !(error instanceof GatewayError) || request.signal.aborted) throw error;
      const errors = [error.toFormatted()];
      const refused = {
        kind: 'single',
        data: undefined,
        errors,
        extensions: undefined,
        caching: undefined,
      } as const;
      const completed = await completeResponse(refused, operation);
      // Traces of operations in a batch end with what is thrown.
      if (completed === refused) throw error;
      return completed;
    }
    const operation = findOperation(request);
    if (operation === undefined) return outcome;
    switch (outcome.kind) {
      case 'single':
        return completeResponse(outcome, operation);
      case 'incremental':
        return { ...outcome, payloads: observe(outcome.payloads, operation, (texts) => texts) };
      case 'subscription':
        return { ...outcome, events: observe(outcome.events, operation, ({ text }) => [text]) };
    }
  };
}

/** A copy of the keys that `onResponse` has returned. @throws {TypeError} */
function readExtensions(returned: unknown): object {
  if (returned === undefined) return {};
  const copy: unknown = parseExactJson(JSON.stringify(returned) ?? 'null');
  if (typeof copy !== 'object' || copy === null || Array.isArray(copy)) {
    throw new TypeError('onResponse returned something that is not an object.');
  }
  if ('tributary' in copy) throw new TypeError('The key "tributary" belongs to the gateway.');
  return copy;
}
