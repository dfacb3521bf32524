import { randomUUID } from 'node:crypto';
import { ApolloServer } from '@apollo/server';
import { ApolloServerPluginSubscriptionCallback } from '@apollo/server/plugin/subscriptionCallback';
import { startStandaloneServer } from '@apollo/server/standalone';
import fastify from 'fastify';
import { addCallbackRoute } from '../../gateway/subscriptions/callbackRoute.ts';
import {
  buildCallbackUrl,
  type CallbackOutcome,
  type CallbackReceiver,
  maxCallbackBodyBytes,
} from '../../gateway/subscriptions/sources/callbackReceiver.ts';
import {
  createHttpCallbackSource,
  type HttpCallbackSourceOptions,
} from '../../gateway/subscriptions/sources/httpCallbackSource.ts';
import type {
  SourceEndpoint,
  SubscriptionSource,
} from '../../gateway/subscriptions/sources/subscriptionSource.ts';
import { systemTimers } from '../../gateway/time/timers.ts';
import { Changes } from './changes.ts';
import { postJson } from './postJson.ts';
import type { RecordedRequest } from './scriptedSubgraph.ts';
import { createSourceFixture, type SourceFixture } from './sourceFixture.ts';
import { createTickSchema, Ticks } from './ticks.ts';

export interface CallbackSourceFixture extends SourceFixture {
  /** The outcomes of the messages, in order. */
  readonly outcomes: CallbackOutcome[];
  /** Resolves when the condition holds. It is evaluated after each message, acceptance and timer. */
  waitUntil(condition: () => boolean): Promise<void>;
}

export type CreateCallbackSource = (
  options: HttpCallbackSourceOptions,
) => SubscriptionSource & CallbackReceiver;

export const maxEventBytes = 10_000;

/** A source with an HTTP listener of its own. */
export async function startCallbackSource(
  url: string,
  more: Partial<SourceEndpoint> = {},
  urlOf = buildCallbackUrl,
  create: CreateCallbackSource = createHttpCallbackSource,
): Promise<CallbackSourceFixture> {
  const outcomes: CallbackOutcome[] = [];
  const changes = new Changes();
  const say = (outcome: CallbackOutcome): CallbackOutcome => {
    outcomes.push(outcome);
    changes.notify();
    return outcome;
  };
  const server = fastify({ forceCloseConnections: true });
  let address = '';
  let source: ReturnType<CreateCallbackSource> | undefined;
  const fixture = createSourceFixture(
    (options) => {
      source = create({
        ...options,
        callbackUrl: (id) => urlOf(address, id),
        createId: randomUUID,
        onAccepted: (subgraph) => {
          options.onAccepted?.(subgraph);
          changes.notify();
        },
        timers: {
          now: systemTimers.now,
          after: (ms, run) => {
            const cancel = (options.timers ?? systemTimers).after(ms, run);
            changes.notify();
            return cancel;
          },
        },
      });
      return source;
    },
    url,
    { maxEventBytes, ...more },
  );
  addCallbackRoute(server, {
    callbacks: {
      isKnown: (id) => {
        const isKnown = source?.isKnown(id) ?? false;
        if (!isKnown) say('unknown');
        return isKnown;
      },
      receive: async (id, message, size) => say((await source?.receive(id, message, size)) ?? 'unknown'),
      isVerifier: (id, verifier) => source?.isVerifier(id, verifier) === true,
      failTooLarge: (id) => source?.failTooLarge(id),
    },
    bodySize: maxCallbackBodyBytes(more.maxEventBytes ?? maxEventBytes),
    queueLimits: { maxWaiting: 1000, maxBytes: 1_000_000 },
  });
  address = await server.listen({ host: '127.0.0.1', port: 0 });
  return Object.assign(fixture, {
    outcomes,
    waitUntil: (condition: () => boolean) => changes.until(condition),
    [Symbol.asyncDispose]: async () => {
      await source?.close();
      await server.close();
    },
  });
}

interface ApolloUpstream extends AsyncDisposable {
  readonly sourceFixture: CallbackSourceFixture;
  readonly ticks: Ticks;
  /** The headers of the operation requests, in order. */
  readonly headers: Record<string, unknown>[];
}

/** The plugin sends a check in each interval of real time. No test takes as long as this one, so that it sees only the first
 *  check. */
export const apolloHeartbeatMs = 600_000;

/** A subgraph of Apollo Server with Apollo's own plugin for callbacks, and a source for it. Stop the subgraph first:
 *  it sends callbacks until it has stopped. */
export async function startApolloUpstream(
  more: Partial<SourceEndpoint> = {},
  create: CreateCallbackSource = createHttpCallbackSource,
): Promise<ApolloUpstream> {
  const ticks = new Ticks();
  const headers: Record<string, unknown>[] = [];
  const server = new ApolloServer({
    schema: createTickSchema(ticks),
    plugins: [ApolloServerPluginSubscriptionCallback({ retry: { retries: 0 } })],
  });
  const { url } = await startStandaloneServer(server, {
    listen: { host: '127.0.0.1', port: 0 },
    context: async ({ req }) => {
      headers.push(req.headers);
      return {};
    },
  });
  const sourceFixture = await startCallbackSource(
    url,
    { heartbeatMs: apolloHeartbeatMs, ...more },
    buildCallbackUrl,
    create,
  );
  return {
    sourceFixture,
    ticks,
    headers,
    [Symbol.asyncDispose]: async () => {
      await server.stop();
      await sourceFixture[Symbol.asyncDispose]();
    },
  };
}

/** The callback parameters in a subscription request. */
export interface SubscriptionCallback {
  readonly callbackUrl: string;
  readonly subscriptionId: string;
  readonly verifier: string;
  readonly heartbeatIntervalMs: number;
}

export function readSubscriptionCallback(request: RecordedRequest | undefined): SubscriptionCallback {
  return JSON.parse(request?.body ?? '').extensions.subscription;
}

/** Sends a subgraph's message, and resolves to the status of the response. `more` takes precedence. */
export async function sendCallback(
  { callbackUrl, subscriptionId, verifier }: SubscriptionCallback,
  action: string,
  more: Readonly<Record<string, unknown>> = {},
): Promise<number> {
  const message = { kind: 'subscription', action, id: subscriptionId, verifier, ...more };
  const response = await postJson(callbackUrl, message);
  await response.arrayBuffer();
  return response.status;
}
