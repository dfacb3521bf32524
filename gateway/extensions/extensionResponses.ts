import type { ExecuteOperation } from '../admission/apolloPipeline.ts';
import { GatewayError } from '../errors.ts';
import { copyJson } from '../json/copyJson.ts';
import { parseExactJson } from '../json/exactJson.ts';
import type { OperationRequest } from '../operation/operationRequest.ts';
import type { ExecutionOutcome, SingleOutcome } from '../response/executionOutcome.ts';
import { inspectEach } from '../response/inspectEach.ts';
import type { ClientOperation, Extension, ResponseEvent } from './extension.ts';
import { type BoundHook, type HookRunner, hooksOf } from './extensionHooks.ts';

interface ExtensionResponsesOptions {
  readonly extensions: readonly Extension[];
  readonly runner: HookRunner;
  /** The operation of a request; `undefined` for a request that was refused. */
  findOperation(request: OperationRequest): ClientOperation | undefined;
  /** Milliseconds that a promise of a hook may take. */
  readonly timeoutMs: number;
}

/** Responses, as the hooks `onResponse` and `onPayload` of extensions see and extend them. */
export class ExtensionResponses {
  readonly #options: ExtensionResponsesOptions;
  readonly #responseHooks: readonly BoundHook<'onResponse'>[];
  readonly #payloadHooks: readonly BoundHook<'onPayload'>[];

  constructor(options: ExtensionResponsesOptions) {
    this.#options = options;
    this.#responseHooks = hooksOf(options.extensions, 'onResponse') ?? [];
    this.#payloadHooks = hooksOf(options.extensions, 'onPayload') ?? [];
  }

  /** Whether an extension has one of the hooks. */
  get hasHooks(): boolean {
    return this.#responseHooks.length + this.#payloadHooks.length > 0;
  }

  /** Returns a function that executes an operation and calls the hooks with its response. */
  decorate(execute: ExecuteOperation): ExecuteOperation {
    const { findOperation } = this.#options;
    return async (request, supergraph) => {
      let outcome: ExecutionOutcome;
      try {
        outcome = await execute(request, supergraph);
      } catch (error) {
        const operation = findOperation(request);
        if (operation === undefined || !(error instanceof GatewayError) || request.signal.aborted)
          throw error;
        return this.#completeRefusal(error, operation);
      }
      const operation = findOperation(request);
      if (operation === undefined) return outcome;
      switch (outcome.kind) {
        case 'single':
          return this.#complete(outcome, operation);
        case 'incremental':
          return { ...outcome, payloads: this.#inspect(outcome.payloads, operation, (texts) => texts) };
        case 'subscription':
          return { ...outcome, events: this.#inspect(outcome.events, operation, ({ text }) => [text]) };
      }
    };
  }

  /** @throws the error of the operation, unless a hook extends the response. */
  async #completeRefusal(error: GatewayError, request: ClientOperation): Promise<SingleOutcome> {
    const refused: SingleOutcome = {
      kind: 'single',
      data: undefined,
      errors: [error.toFormatted()],
      extensions: undefined,
      caching: undefined,
    };
    const completed = await this.#complete(refused, request);
    // Traces of operations in a batch end with what is thrown.
    if (completed === refused) throw error;
    return completed;
  }

  /** Returns the response with the extensions that the hooks add. */
  async #complete(outcome: SingleOutcome, request: ClientOperation): Promise<SingleOutcome> {
    const { errors = [], extensions, data } = outcome;
    const event = { request, errors, extensions, isExecuted: data !== undefined };
    const added = await this.#callResponseHooks(event);
    if (Object.keys(added).length === 0) return outcome;
    // The extensions that a hook adds may be for this client alone.
    return { ...outcome, extensions: { ...extensions, ...added }, caching: undefined };
  }

  async #callResponseHooks({
    errors,
    extensions,
    ...event
  }: ResponseEvent): Promise<Readonly<Record<string, unknown>>> {
    const { runner, timeoutMs } = this.#options;
    const added: Record<string, unknown> = {};
    const { requestId, signal } = event.request;
    for (const hook of this.#responseHooks) {
      const add = async (): Promise<void> => {
        // Several requests may share a response, which a hook must not change.
        const copies = copyJson({ errors, extensions }) as Pick<ResponseEvent, 'errors' | 'extensions'>;
        Object.assign(added, readExtensions(await hook.call({ ...event, ...copies })));
      };
      await runner.run(hook, add, { requestId, timeoutMs, signal });
    }
    return added;
  }

  /** Calls `onPayload` with the texts of each payload or event. */
  #inspect<Value>(
    source: AsyncIterable<Value>,
    request: ClientOperation,
    textsOf: (value: Value) => readonly string[],
  ): AsyncIterable<Value> {
    if (this.#payloadHooks.length === 0) return source;
    const { runner, timeoutMs } = this.#options;
    const { requestId, signal } = request;
    let index = 0;
    return inspectEach(source, async (value) => {
      for (const text of textsOf(value)) {
        const event = { request, text, index: index++ };
        for (const hook of this.#payloadHooks)
          await runner.run(hook, () => hook.call(event), { requestId, timeoutMs, signal });
      }
    });
  }
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
