import type { ExecuteOperation } from '../admission/apolloPipeline.ts';
import { subgraphPolicyOf } from '../config/subgraphPolicyOf.ts';
import { messageOf } from '../errors.ts';
import type { RequestContext } from '../execution/requestContext.ts';
import type { Feature, FeatureContext } from '../feature.ts';
import type { OperationRequest } from '../operation/operationRequest.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';
import type { CallHooks } from '../subgraphs/callHooks.ts';
import type { Supergraph } from '../supergraph/supergraph.ts';
import { SupergraphRefusedError } from '../supergraph/supergraphRefusedError.ts';
import { PendingPromises } from '../time/pendingPromises.ts';
import { shutdownStepMs } from '../time/shutdownStepMs.ts';
import { withTimeout } from '../time/withTimeout.ts';
import type { UnreadyReason } from '../transport/http/healthRoutes.ts';
import type { Routes } from '../transport/http/routes.ts';
import type { Extension, PolicyRequest } from './extension.ts';
import { createCallHooks } from './extensionCalls.ts';
import { type BoundHook, HookRunner, hooksOf } from './extensionHooks.ts';
import { ExtensionOperations } from './extensionOperations.ts';
import { ExtensionResponses } from './extensionResponses.ts';
import { addExtensionRoutes } from './extensionRoutes.ts';

/** Long enough for checks at a remote registry. Without a limit, the gateway would wait for its first supergraph in silence. */
const admissionTimeoutMs = 60_000;

/** The extensions of a gateway. Members for hooks that no extension has are `undefined`, so that they cost nothing. */
export class ExtensionFeature implements Feature {
  /** Returns the context that later stages use instead of the given one. @throws {GatewayError} */
  readonly extendContext:
    | ((context: RequestContext, request: OperationRequest) => Promise<RequestContext>)
    | undefined;
  /** Called before a prepared operation is executed. @throws {GatewayError} */
  readonly onPlan: ((request: OperationRequest, operation: PreparedOperation) => Promise<void>) | undefined;
  readonly decorateExecution: ((execute: ExecuteOperation) => ExecuteOperation) | undefined;
  readonly callHooks: CallHooks | undefined;
  /** Returns the policies that the request satisfies. */
  readonly decidePolicies?: (request: PolicyRequest) => Promise<readonly string[]>;
  readonly #extensions: readonly Extension[];
  readonly #context: Pick<FeatureContext, 'config' | 'log' | 'timers'>;
  readonly #runner: HookRunner;
  readonly #runningRoutes = new PendingPromises();
  readonly #readinessHooks: readonly BoundHook<'readiness'>[];

  constructor(extensions: readonly Extension[], context: Pick<FeatureContext, 'config' | 'log' | 'timers'>) {
    const runner = new HookRunner(context);
    const timeoutMs = context.config.subgraphs.all.timeouts.deadline;
    this.#extensions = extensions;
    this.#context = context;
    this.#runner = runner;
    this.#readinessHooks = hooksOf(extensions, 'readiness') ?? [];
    const operations = new ExtensionOperations(extensions, runner);
    const responses = new ExtensionResponses({
      extensions,
      runner,
      findOperation: (request) => operations.find(request),
      timeoutMs,
    });
    this.decorateExecution = responses.hasHooks ? (execute) => responses.decorate(execute) : undefined;
    this.onPlan = operations.needsPlan
      ? (request, operation) => operations.onPlan(request, operation)
      : undefined;
    const needsOperations =
      operations.needsPlan ||
      this.decorateExecution !== undefined ||
      hooksOf(extensions, 'requestContext') !== undefined;
    this.extendContext = needsOperations
      ? (requestContext, request) => operations.extendContext(requestContext, request)
      : undefined;
    this.callHooks = createCallHooks({
      extensions,
      runner,
      attemptTimeoutOf: (subgraph) => subgraphPolicyOf(context.config, subgraph).timeouts.attempt,
    });
    const policyHooks = hooksOf(extensions, 'decidePolicies');
    if (policyHooks === undefined) return;
    const decidePolicies = async (request: PolicyRequest): Promise<readonly string[]> => {
      const { requestId } = request;
      const granted = policyHooks.map(async (hook) => {
        const own = { ...request, policies: [...request.policies] };
        const returned = await runner.run(hook, () => hook.call(own), { requestId, timeoutMs });
        return runner.runSync(hook, () => checkPolicies(returned), { requestId });
      });
      return (await Promise.all(granted)).flat();
    };
    this.decidePolicies = decidePolicies;
  }

  /** @throws {SupergraphRefusedError} */
  async admitSupergraph(
    next: Supergraph,
    previous: Supergraph | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const supergraph = { ...describeSupergraph(next), previousId: previous?.id, signal };
    for (const hook of hooksOf(this.#extensions, 'admitSupergraph') ?? []) {
      const admitted = (async () => hook.call(supergraph))();
      const bounds = { timeoutMs: admissionTimeoutMs, option: `${admissionTimeoutMs / 1_000} s`, signal };
      await this.#runner.withinBounds(hook, admitted, bounds).catch((cause: unknown) => {
        const reason = messageOf(cause);
        const message = `The extension "${hook.extension}" refuses the supergraph: ${reason}`;
        throw new SupergraphRefusedError(message, { cause });
      });
    }
  }

  addPublicRoutes(listener: Routes, draining: AbortSignal): void {
    this.#addRoutes(listener, draining, 'publicRoutes', this.#context.config.listen.path);
  }

  addAdminRoutes(listener: Routes, draining: AbortSignal): void {
    this.#addRoutes(listener, draining, 'adminRoutes');
  }

  get unreadyReasons(): readonly UnreadyReason[] {
    return this.#readinessHooks.flatMap((hook) => {
      const message = this.#readinessOf(hook);
      return message === undefined
        ? []
        : [{ code: 'EXTENSION_NOT_READY', message: `${hook.extension}: ${message}` }];
    });
  }

  /** Waits for the routes. A mounted gateway has no listener that would. */
  async stop(withinMs: number): Promise<void> {
    await withTimeout(withinMs, this.#runningRoutes.settled(), this.#context.timers);
  }

  async close(withinMs: number): Promise<void> {
    const { config, log, timers } = this.#context;
    const { drainTimeout } = config.listen;
    const deadline = timers.now() + withinMs;
    for (const hook of hooksOf(this.#extensions.toReversed(), 'close') ?? []) {
      const closed = (async () => hook.call())();
      const timeoutMs = shutdownStepMs(deadline - timers.now(), drainTimeout);
      const bounds = { timeoutMs, option: 'listen.drainTimeout' };
      await this.#runner.withinBounds(hook, closed, bounds).catch((err: unknown) => {
        log.error({ err, extension: hook.extension }, 'An extension could not be closed');
      });
    }
  }

  #readinessOf(hook: BoundHook<'readiness'>): string | undefined {
    try {
      const returned = this.#runner.runSync(hook, () => hook.call());
      return this.#runner.runSync(hook, () => checkReason(returned));
    } catch (error) {
      return (error as Error).message;
    }
  }

  #addRoutes(
    listener: Routes,
    draining: AbortSignal,
    member: 'publicRoutes' | 'adminRoutes',
    reservedPath?: string,
  ): void {
    const { config, log } = this.#context;
    const { bodySize } = config.limits;
    const { readTimeout: readTimeoutMs } = config.delivery;
    const running = this.#runningRoutes;
    for (const { name: extension, [member]: routes = [] } of this.#extensions) {
      if (routes.length === 0) continue;
      addExtensionRoutes(listener, {
        extension,
        routes,
        reservedPath,
        bodySize,
        readTimeoutMs,
        draining,
        running,
        log,
      });
    }
  }
}

/** @throws {TypeError} */
function checkPolicies(returned: unknown): readonly string[] {
  if (Array.isArray(returned)) return returned;
  throw new TypeError('decidePolicies returned something that is not a list of names.');
}

/** @throws {TypeError} */
function checkReason(returned: unknown): string | undefined {
  if (returned === undefined || typeof returned === 'string') return returned;
  throw new TypeError('readiness returned something that is neither text nor undefined.');
}

function describeSupergraph({ id, sdl, apiSchema, subgraphs }: Supergraph) {
  return {
    id,
    sdl,
    schema: apiSchema,
    subgraphs: Array.from(subgraphs.values(), ({ name, url }) => ({ name, url })),
  };
}
