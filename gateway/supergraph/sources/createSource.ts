import { maskSecrets } from '../../config/addressSecrets.ts';
import type { GatewayConfig } from '../../config/schema.ts';
import type { LoadSupergraph, LoadSupergraphContext } from '../../config/sections/supergraph.ts';
import { messageOf } from '../../errors.ts';
import { systemTimers, type Timers } from '../../time/timers.ts';
import type { AccessOfAddress } from './fetchSubgraphSdl.ts';
import { type FetchedSupergraph, fetchSupergraphSdl, type SupergraphAddress } from './fetchSupergraphSdl.ts';
import { createFileSource } from './fileSource.ts';
import { createIntrospectionSource } from './introspectionSource.ts';
import { createPollingSource } from './pollingSource.ts';
import type { SupergraphSource } from './supergraphSource.ts';

/** Creates the supergraph source of the configuration. `accessOf`: how the SDLs of subgraphs are fetched. */
export function createSource(
  { supergraph }: Pick<GatewayConfig, 'supergraph'>,
  accessOf?: AccessOfAddress,
): SupergraphSource {
  if ('file' in supergraph) return createFileSource(supergraph);
  if ('subgraphs' in supergraph) {
    return createIntrospectionSource({
      subgraphs: supergraph.subgraphs,
      pollIntervalMs: supergraph.pollInterval,
      accessOf,
    });
  }
  const read = 'url' in supergraph ? createUrlReader(supergraph) : createFunctionReader(supergraph.load);
  return createPollingSource({ read, pollIntervalMs: supergraph.pollInterval });
}

/** The file of the configured supergraph, or its address without secrets; `undefined` for other sources. */
export function sourceLocationOf({ supergraph }: Pick<GatewayConfig, 'supergraph'>): string | undefined {
  if ('file' in supergraph) return supergraph.file;
  return 'url' in supergraph ? maskSecrets(supergraph.url) : undefined;
}

/** Returns a function that fetches the SDL if it has changed since the last fetch. */
export function createUrlReader(
  address: SupergraphAddress,
): (context: Pick<LoadSupergraphContext, 'signal'>) => Promise<string | undefined> {
  let validators: FetchedSupergraph['validators'] = {};
  return async ({ signal }) => {
    const fetched = await fetchSupergraphSdl(address, signal, { validators });
    if (fetched === undefined) return undefined;
    validators = fetched.validators;
    return fetched.sdl;
  };
}

/** A call of `supergraph.load` that takes longer has failed. Long enough for a manager that tries several servers. */
const loadTimeoutMs = 60_000;

/** Returns a function that calls `load` and checks what it returns. */
export function createFunctionReader(
  load: LoadSupergraph,
  timers: Timers = systemTimers,
): (context: LoadSupergraphContext) => Promise<string | undefined> {
  return async (context) => {
    let sdl: unknown;
    let hasSupergraph = context.previous !== undefined;
    const update = (value: string): void => {
      context.update(checkSdl(value));
      hasSupergraph = true;
    };
    const limit = new AbortController();
    const cancelTimer = timers.after(loadTimeoutMs, () =>
      limit.abort(new Error('no result within a minute')),
    );
    const signal = AbortSignal.any([context.signal, limit.signal]);
    try {
      sdl = await untilAborted(async () => load({ ...context, signal, update }), signal);
    } catch (error) {
      throw new Error(`supergraph.load failed: ${messageOf(error)}`, { cause: error });
    } finally {
      cancelTimer();
    }
    if (sdl !== undefined) return checkSdl(sdl);
    if (hasSupergraph) return undefined;
    // The function may lack a `return`.
    throw new TypeError('supergraph.load returned undefined before the first supergraph; expected: its SDL');
  };
}

/** Rejects when the signal is aborted, because the function may ignore it. */
async function untilAborted<Result>(run: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([run(), aborted.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function checkSdl(sdl: unknown): string {
  if (typeof sdl === 'string' && sdl.trim() !== '') return sdl;
  const found = sdl === '' ? 'empty text' : typeof sdl;
  throw new TypeError(`supergraph.load provided ${found}; expected: the SDL of a supergraph`);
}
