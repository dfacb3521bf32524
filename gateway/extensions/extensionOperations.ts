import { getOperationAST } from 'graphql';
import type { RequestContext } from '../execution/requestContext.ts';
import type { ResponseHeaderMap } from '../execution/responseHeaderCollector.ts';
import type { OperationRequest } from '../operation/operationRequest.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';
import { type ForwardedHeaders, isForwardableHeader } from '../subgraphs/forwardedHeaders.ts';
import { type RequestSignal, toAbortSignal } from '../time/requestAbort.ts';
import type { ClientOperation, Extension, PlannedFetch } from './extension.ts';
import { type BoundHook, type HookRunner, hooksOf } from './extensionHooks.ts';
import { checkHeaderValue, HeaderEditor } from './headerEditor.ts';

/** The operations of clients, as the hooks of extensions see them until their first fetch. */
export class ExtensionOperations {
  readonly #runner: HookRunner;
  readonly #contextHooks: readonly BoundHook<'requestContext'>[];
  readonly #headerHooks: readonly BoundHook<'subgraphHeaders'>[] | undefined;
  readonly #planHooks: readonly BoundHook<'onPlan'>[] | undefined;
  readonly #active = new WeakMap<OperationRequest, { view: OperationView; context: RequestContext }>();

  constructor(extensions: readonly Extension[], runner: HookRunner) {
    this.#runner = runner;
    this.#contextHooks = hooksOf(extensions, 'requestContext') ?? [];
    this.#headerHooks = hooksOf(extensions, 'subgraphHeaders');
    this.#planHooks = hooksOf(extensions, 'onPlan');
  }

  /** Whether `onPlan` has to be called. */
  get needsPlan(): boolean {
    return this.#headerHooks !== undefined || this.#planHooks !== undefined;
  }

  /** The operation of a request whose context is complete; `undefined` for one that was refused before. */
  find(request: OperationRequest): ClientOperation | undefined {
    return this.#active.get(request)?.view;
  }

  /** Calls `requestContext`. Returns the context that later stages use.
   *  @throws {GatewayError} */
  async extendContext(context: RequestContext, request: OperationRequest): Promise<RequestContext> {
    const view = new OperationView(request, context.claims);
    const { requestId, signal } = request;
    for (const hook of this.#contextHooks) {
      const timeoutMs = context.deadline - performance.now();
      const bounds = { requestId, timeoutMs, signal };
      const returned: unknown = await this.#runner.run(hook, () => hook.call(view), bounds);
      if (returned !== undefined) this.#runner.runSync(hook, () => addToContext(view, returned), bounds);
    }
    const extended = this.#headerHooks === undefined ? context : this.#withHeaders(context, view);
    this.#active.set(request, { view, context: extended });
    return extended;
  }

  /** Computes the headers for the subgraphs of the plan, so that a hook that fails does so before anything is fetched. Calls
   *  `onPlan`.
   *  @throws {GatewayError} */
  async onPlan(request: OperationRequest, operation: PreparedOperation): Promise<void> {
    const active = this.#active.get(request);
    if (active === undefined) return;
    const { view, context } = active;
    if (this.#headerHooks !== undefined)
      for (const { shape } of operation.program.steps) context.headersFor(shape.subgraph);
    const { requestId, signal } = request;
    for (const hook of this.#planHooks ?? []) {
      const event = { request: view, fetches: fetchesOf(operation) };
      const timeoutMs = context.deadline - performance.now();
      await this.#runner.run(hook, () => hook.call(event), { requestId, timeoutMs, signal });
    }
  }

  #withHeaders(context: RequestContext, view: OperationView): RequestContext {
    const edited = new Map<string, ForwardedHeaders>();
    return {
      ...context,
      hasComputedHeaders: true,
      headersFor: (subgraph) => {
        let headers = edited.get(subgraph);
        if (headers === undefined) {
          const editor = new HeaderEditor(context.headersFor(subgraph));
          const call = { requestId: view.requestId, subgraph };
          const event = { subgraph, headers: editor, request: view };
          for (const hook of this.#headerHooks ?? [])
            this.#runner.runSync(hook, () => hook.call(event), call);
          headers = editor.toHeaders();
          edited.set(subgraph, headers);
        }
        return headers;
      },
    };
  }
}

class OperationView implements ClientOperation {
  readonly requestId;
  readonly headers;
  readonly connectionParams;
  readonly transport;
  readonly clientAddress;
  readonly claims;
  readonly operationName;
  readonly operationType: ClientOperation['operationType'];
  readonly document;
  readonly variables;
  readonly context: Record<string, unknown> = Object.create(null);
  readonly #responseHeaders: ResponseHeaderMap | undefined;
  readonly #requestSignal: RequestSignal;
  #signal: AbortSignal | undefined;

  constructor(request: OperationRequest, claims: RequestContext['claims']) {
    this.requestId = request.requestId;
    this.headers = request.headers;
    this.connectionParams = request.initPayload;
    this.transport = request.transport ?? 'http';
    this.clientAddress = request.clientAddress;
    this.claims = claims;
    const operation = getOperationAST(request.document, request.operationName);
    this.operationName = operation?.name?.value;
    this.operationType = operation?.operation ?? 'query';
    this.document = request.document;
    this.variables = request.variables;
    this.#requestSignal = request.signal;
    this.#responseHeaders = request.responseHeaders;
  }

  get signal(): AbortSignal {
    this.#signal ??= toAbortSignal(this.#requestSignal);
    return this.#signal;
  }

  /** A field, so that hooks may destructure the operation. */
  readonly setResponseHeader = (name: string, value: string): void => {
    const lowerCased = name.toLowerCase();
    if (!isForwardableHeader(lowerCased)) {
      throw new TypeError(`An extension cannot set the header "${name}" of a response.`);
    }
    checkHeaderValue(name, value);
    this.#responseHeaders?.set(lowerCased, value);
  };
}

/** @throws {TypeError} for a value without properties: a hook that adds nothing returns `undefined`. */
function addToContext(view: OperationView, returned: unknown): void {
  if (typeof returned !== 'object' || returned === null || Symbol.iterator in returned) {
    throw new TypeError('requestContext returned something that is not an object with properties.');
  }
  Object.assign(view.context, returned);
}

function fetchesOf({ program }: PreparedOperation): readonly PlannedFetch[] {
  return program.steps.map(({ shape, dependsOn, group }) => ({
    subgraph: shape.subgraph,
    operation: shape.operationText,
    // The plan is that of all requests with the operation.
    dependsOn: [...dependsOn],
    isDeferred: group > 0,
  }));
}
