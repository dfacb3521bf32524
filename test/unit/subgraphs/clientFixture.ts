import { GatewayError } from '../../../gateway/errors.ts';
import {
  createHttpSubgraphClient,
  type HttpSubgraphClientOptions,
  type ObservableSubgraphClient,
} from '../../../gateway/subgraphs/httpSubgraphClient.ts';
import type {
  CancelSubgraphCall,
  SubgraphClient,
  SubgraphRequest,
  SubgraphResponse,
} from '../../../gateway/subgraphs/subgraphClient.ts';
import type { SubgraphEndpoint } from '../../../gateway/subgraphs/subgraphPools.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';
import type { Script } from '../../harness/scriptedSubgraph.ts';

export const attemptTimeoutMs = 5_000;
export const deadlineMs = 15_000;

export const ok = { data: { ok: true } };
/** What receivers get of `ok`. */
export const okResponse = {
  data: { ok: true },
  errors: undefined,
  extensions: undefined,
  cacheControl: undefined,
  age: undefined,
  isEscapeFree: true,
};

/** A response with any status. */
export const withStatus =
  (status: number, body: string | Buffer = 'busy', headers: Record<string, string> = {}): Script =>
  ({ respond }) =>
    respond({ status, headers: { 'content-type': 'application/json', ...headers }, body });

export interface SentRequest {
  readonly outcome: Promise<SubgraphResponse | GatewayError>;
  readonly cancel: CancelSubgraphCall;
  /** How often the receiver was called so far. */
  readonly callCount: () => number;
}

export interface ClientFixture extends AsyncDisposable {
  readonly client: ObservableSubgraphClient;
  readonly clock: FakeTimers;
  request(more?: Partial<SubgraphRequest>): SubgraphRequest;
  send(more?: Partial<SubgraphRequest>): SentRequest;
}

/** A client of one subgraph, `reviews`, on a clock that the test moves. */
export function createClientFixture(
  url: string,
  options: Partial<HttpSubgraphClientOptions> & { endpoint?: never; at?: Partial<SubgraphEndpoint> } = {},
): ClientFixture {
  const clock = new FakeTimers();
  const { at, ...clientOptions } = options;
  const endpoint: SubgraphEndpoint = {
    subgraph: 'reviews',
    url,
    attemptTimeoutMs,
    maxResponseBytes: 100_000,
    connections: 10,
    http2: false,
    ...at,
  };
  const client = createHttpSubgraphClient({
    sharesInFlightCalls: true,
    timers: clock,
    ...clientOptions,
    endpointOf: () => endpoint,
  });
  const request = (more: Partial<SubgraphRequest> = {}): SubgraphRequest => ({
    subgraph: 'reviews',
    body: '{"query":"{ok}"}',
    kind: 'query',
    headers: { key: '', pairs: [] },
    sharingKey: '',
    isDeferred: false,
    priority: 'primary',
    requestId: 'request-1',
    deadline: clock.now() + deadlineMs,
    ...more,
  });
  return {
    client,
    clock,
    request,
    send: (more) => sendRequest(client, request(more)),
    [Symbol.asyncDispose]: () => client.close(),
  };
}

export function sendRequest(client: Pick<SubgraphClient, 'send'>, request: SubgraphRequest): SentRequest {
  const { promise, resolve } = Promise.withResolvers<SubgraphResponse | GatewayError>();
  let calls = 0;
  const receive = (outcome: SubgraphResponse | GatewayError): void => {
    calls += 1;
    resolve(outcome);
  };
  const cancel = client.send(request, { onResponse: receive, onError: receive });
  return { outcome: promise, cancel, callCount: () => calls };
}

/** The parts of an error that clients or operators see. */
export async function describeFailure(answer: SentRequest): Promise<unknown> {
  const outcome = await answer.outcome;
  if (!(outcome instanceof GatewayError)) throw new Error(`an answer came: ${JSON.stringify(outcome)}`);
  const { code, subgraph, extensions } = outcome;
  // Node creates its errors in another realm than the tests, so that `instanceof` fails.
  const { message } = (outcome.cause ?? {}) as { readonly message?: string };
  return { code, subgraph, extensions, cause: message };
}
