import { createGraphqlWsSource } from '../../../../gateway/subscriptions/sources/graphqlWsSource.ts';
import type { SourceEndpoint } from '../../../../gateway/subscriptions/sources/subscriptionSource.ts';
import {
  createSourceFixture,
  type RecordingReceiver,
  type SourceFixture,
} from '../../../harness/sourceFixture.ts';
import {
  type ScriptedSocket,
  startGraphqlWsUpstream,
  startScriptedWebSocketUpstream,
} from '../../../harness/webSocketUpstream.ts';

export const sourceOf = (url: string, more?: Partial<SourceEndpoint>): SourceFixture =>
  createSourceFixture(createGraphqlWsSource, url, more);

function withSource<Upstream extends AsyncDisposable & { readonly url: string }>(
  upstream: Upstream,
  more?: Partial<SourceEndpoint>,
) {
  const { [Symbol.asyncDispose]: closeSource, ...fixture } = sourceOf(upstream.url, more);
  return {
    ...fixture,
    upstream,
    [Symbol.asyncDispose]: async () => {
      await closeSource();
      await upstream[Symbol.asyncDispose]();
    },
  };
}

/** A source, and a subgraph with the reference server. `refuse`: see `startGraphqlWsUpstream`. */
export async function startReference(
  refuse?: (connection: number) => boolean,
  more?: Partial<SourceEndpoint>,
) {
  return withSource(await startGraphqlWsUpstream(refuse), more);
}

/** A source, and a subgraph whose messages the test scripts. */
export async function startScripted(more?: Partial<SourceEndpoint>) {
  return withSource(await startScriptedWebSocketUpstream(), more);
}

/** An acknowledged socket that received one `subscribe`. */
export async function established(
  at: Awaited<ReturnType<typeof startScripted>>,
): Promise<ScriptedSocket & { receiver: RecordingReceiver; cancel: () => void }> {
  const { receiver, cancel } = at.subscribe();
  const server = await at.upstream.next();
  await server.waitForMessages(1);
  server.acknowledge();
  await server.waitForMessages(2);
  return { ...server, receiver, cancel };
}

/** An event of the subscription with this id. */
export const next = (tick: number | string, id = '1') => ({ type: 'next', id, payload: { data: { tick } } });
