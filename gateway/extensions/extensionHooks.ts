import { abortReasonOf, GatewayError } from '../errors.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { RequestSignal } from '../time/requestAbort.ts';
import type { Timers } from '../time/timers.ts';
import { type Extension, RequestRefusedError } from './extension.ts';

/** The members of an extension, in the order in which the documentation lists them. */
export const extensionMembers = [
  'name',
  'requestContext',
  'subgraphHeaders',
  'onPlan',
  'onSubgraphRequest',
  'onSubgraphResponse',
  'onResponse',
  'onPayload',
  'decidePolicies',
  'admitSupergraph',
  'publicRoutes',
  'adminRoutes',
  'readiness',
  'close',
] as const satisfies readonly (keyof Extension)[];

type HookName = {
  [Key in keyof Extension]-?: NonNullable<Extension[Key]> extends (...parameters: never[]) => unknown
    ? Key
    : never;
}[keyof Extension];
type Hook<Name extends HookName> = NonNullable<Extension[Name]>;

/** A hook that an extension has. */
export interface BoundHook<Name extends HookName> {
  readonly extension: string;
  readonly name: Name;
  readonly call: (...parameters: Parameters<Hook<Name>>) => ReturnType<Hook<Name>>;
}

/** The hook of each extension that has it; `undefined` if none has. */
export function hooksOf<Name extends HookName>(
  extensions: readonly Extension[],
  name: Name,
): readonly BoundHook<Name>[] | undefined {
  const hooks = extensions.flatMap((extension): BoundHook<Name>[] => {
    const hook = extension[name] as Hook<Name> | undefined;
    return hook === undefined
      ? []
      : [{ extension: extension.name, name, call: hook.bind(extension) as never }];
  });
  return hooks.length === 0 ? undefined : hooks;
}

/** Where a hook is called, for errors and the log. */
interface HookCall {
  readonly requestId?: string | undefined;
  readonly subgraph?: string | undefined;
}

interface BoundedHookCall extends HookCall {
  /** Milliseconds that a promise of the hook may take. */
  readonly timeoutMs: number;
  /** The option that limits it, or the limit; the deadline of requests when omitted. */
  readonly option?: string | undefined;
  readonly signal?: RequestSignal | undefined;
}

type Label = Pick<BoundHook<HookName>, 'extension' | 'name'>;

/** A hook has not ended in its time. */
class HookTimeoutError extends GatewayError {}

interface HookRunnerOptions {
  readonly log: Pick<Logger, 'error'>;
  readonly timers: Timers;
}

/** Calls hooks of extensions and turns what they throw into errors for clients. */
export class HookRunner {
  readonly #options: HookRunnerOptions;

  constructor(options: HookRunnerOptions) {
    this.#options = options;
  }

  /** Calls a synchronous hook.
   *  @throws {GatewayError} */
  runSync<Result>(hook: Label, run: () => Result, call: HookCall = {}): Result {
    try {
      const result = run();
      if (!isPromise(result)) return result;
      result.then(undefined, () => undefined);
    } catch (error) {
      throw this.#toError(hook, error, call);
    }
    throw this.#toError(hook, new TypeError(`${hook.name} is synchronous, but it returned a promise.`), call);
  }

  /** Calls a hook and waits for its promise.
   *  @throws {GatewayError} */
  async run<Result>(
    hook: Label,
    run: () => Result | Promise<Result>,
    call: BoundedHookCall,
  ): Promise<Result> {
    try {
      const result = run();
      return isPromise(result) ? await this.withinBounds(hook, result, call) : result;
    } catch (error) {
      throw this.#toError(hook, error, call);
    }
  }

  /** The error that a client gets for what a hook has thrown. The cause is logged, unless the hook refuses the request. */
  #toError(hook: Label, thrown: unknown, { requestId, subgraph }: HookCall): GatewayError {
    const { log } = this.#options;
    const { extension, name } = hook;
    const options = subgraph === undefined ? {} : { subgraph };
    let err = thrown;
    try {
      if (thrown instanceof GatewayError) {
        if (thrown instanceof HookTimeoutError) {
          log.error(
            { err, extension, hook: name, requestId, subgraph },
            'A hook of an extension did not end in time',
          );
        }
        return thrown;
      }
      if (isRefusal(thrown)) {
        const { message, code, status, extensions } = thrown;
        JSON.stringify(extensions);
        return new GatewayError('BAD_REQUEST', message, {
          ...options,
          extensions,
          refusal: { code, status },
        });
      }
    } catch (cause) {
      err = new TypeError('What the hook has thrown cannot be read, or its extensions are not JSON.', {
        cause,
      });
    }
    log.error({ err, extension, hook: name, requestId, subgraph }, 'A hook of an extension failed');
    return new GatewayError('EXTENSION_FAILED', `The extension "${extension}" failed in its hook ${name}.`, {
      ...options,
      cause: err,
    });
  }

  /** Rejects when the time is over or the signal is aborted. */
  async withinBounds<Result>(
    { extension, name }: Label,
    result: Promise<Result>,
    { timeoutMs, signal, subgraph, option = 'subgraphs.all.timeouts.deadline' }: BoundedHookCall,
  ): Promise<Result> {
    const ended = Promise.withResolvers<never>();
    const onAbort = (): void => ended.reject(abortReasonOf(signal as RequestSignal));
    const message = `The extension "${extension}" did not end its hook ${name} in time (${option}).`;
    // A deadline at a call would be the subgraph's failure.
    const error =
      subgraph === undefined
        ? () => new HookTimeoutError('DEADLINE_EXCEEDED', message)
        : () => new HookTimeoutError('EXTENSION_FAILED', message, { subgraph });
    const cancelTimer = Number.isFinite(timeoutMs)
      ? this.#options.timers.after(Math.max(0, timeoutMs), () => ended.reject(error()))
      : undefined;
    if (signal?.aborted) onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      return await Promise.race([result, ended.promise]);
    } finally {
      cancelTimer?.();
      signal?.removeEventListener('abort', onAbort);
    }
  }
}

function isPromise<Value>(value: Value | Promise<Value>): value is Promise<Value> {
  return typeof value === 'object' && value !== null && typeof (value as Promise<Value>).then === 'function';
}

/** An extension may have its own copy of this package, so that the class is not enough to recognise its errors; a subclass
 *  may have a name of its own. The code and the status of another copy may be such that no error can have. */
function isRefusal(error: unknown): error is RequestRefusedError {
  if (!(error instanceof Error) || !('status' in error) || !('code' in error)) return false;
  const { name, code, status } = error;
  const isNamed = error instanceof RequestRefusedError || name === 'RequestRefusedError';
  const isStatus = Number.isInteger(status) && (status as number) >= 400 && (status as number) <= 599;
  return isNamed && isStatus && typeof code === 'string';
}
