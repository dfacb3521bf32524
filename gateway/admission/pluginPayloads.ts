import type { GraphQLRequestContext, GraphQLRequestListener } from '@apollo/server';
import { GraphQLError, type GraphQLFormattedError } from 'graphql';
import { parseExactJson } from '../json/exactJson.ts';
import type { IncrementalOutcome } from '../response/executionOutcome.ts';
import { inspectEach } from '../response/inspectEach.ts';
import type { TransportLog } from '../telemetry/logger.ts';
import type { ClientRequest, GatewayContext, GatewayPlugin } from './clientRequest.ts';

type Listener = GraphQLRequestListener<GatewayContext>;
type Payload = Parameters<NonNullable<Listener['willSendSubsequentPayload']>>[1];
type ResponseContext = Parameters<NonNullable<Listener['willSendSubsequentPayload']>>[0];

interface PayloadListener {
  readonly listener: Listener;
  readonly context: ResponseContext;
}

/** A payload after the first one, in either format. */
interface SubsequentPayload {
  readonly incremental?: readonly { readonly errors?: readonly GraphQLFormattedError[] }[];
  readonly completed?: readonly { readonly errors?: readonly GraphQLFormattedError[] }[];
}

/** Lets Apollo Server's plugins see responses in several payloads. Apollo Server gets no payloads of a gateway: this calls
 *  the hooks for those after the first, and presents the response as an incremental one, so that plugins do not end it with
 *  its first payload. */
export class PluginPayloads {
  readonly #log: TransportLog;
  readonly #listeners = new WeakMap<ClientRequest, PayloadListener[]>();
  readonly #incremental = new WeakSet<ClientRequest>();

  constructor(log: TransportLog) {
    this.#log = log;
  }

  /** The plugin with its listeners known here. */
  track(plugin: GatewayPlugin): GatewayPlugin {
    const { requestDidStart } = plugin;
    if (requestDidStart === undefined) return plugin;
    return {
      ...plugin,
      requestDidStart: async (context) => {
        const listener = await requestDidStart(context);
        if (listener) this.#addListener(context, listener);
        return listener;
      },
    };
  }

  #addListener(context: GraphQLRequestContext<GatewayContext>, listener: Listener): void {
    if (!listener.willSendSubsequentPayload && !listener.didEncounterSubsequentErrors) return;
    const { client } = context.contextValue;
    const listeners = this.#listeners.get(client) ?? [];
    // Apollo Server uses one object from the start of a request to its end.
    listeners.push({ listener, context: context as ResponseContext });
    this.#listeners.set(client, listeners);
  }

  /** A plugin that must be before all tracked ones, because Apollo Server calls hooks in the order of plugins. */
  presentIncremental(): GatewayPlugin {
    return {
      requestDidStart: async ({ contextValue: { client } }) => ({
        willSendResponse: async ({ response, request }) => {
          if (!this.#incremental.has(client) || response.body.kind !== 'single') return;
          const { singleResult } = response.body;
          response.body = {
            kind: 'incremental',
            initialResult: { ...singleResult, hasNext: true },
            subsequentResults: noResults(),
          };
          // Apollo Server refuses to send such a response otherwise. It sends none: the transport does.
          const { headers } = request.http ?? {};
          headers?.set('accept', `multipart/mixed; incrementalSpec=v0.2, ${headers.get('accept')}`);
        },
      }),
    };
  }

  /** The outcome with calls of the hooks before each payload after the first. A hook that fails is logged. */
  observe(outcome: IncrementalOutcome, client: ClientRequest): IncrementalOutcome {
    this.#incremental.add(client);
    const listeners = this.#listeners.get(client);
    if (listeners === undefined) return outcome;
    let isFirst = true;
    const payloads = inspectEach(outcome.payloads, async (texts) => {
      for (const text of texts) {
        if (!isFirst) await this.#call(listeners, parseExactJson(text) as SubsequentPayload);
        isFirst = false;
      }
    });
    return { ...outcome, payloads };
  }

  async #call(listeners: readonly PayloadListener[], payload: SubsequentPayload): Promise<void> {
    const failed = [...(payload.incremental ?? []), ...(payload.completed ?? [])];
    try {
      for (const { errors = [] } of failed) {
        if (errors.length === 0) continue;
        const instances = errors.map(toError);
        await Promise.all(
          listeners.map(({ listener, context }) =>
            listener.didEncounterSubsequentErrors?.(context, instances),
          ),
        );
      }
      await Promise.all(
        listeners.map(({ listener, context }) =>
          listener.willSendSubsequentPayload?.(context, payload as Payload),
        ),
      );
    } catch (error) {
      this.#log.error({ err: error }, 'An Apollo Server plugin failed with an unexpected error');
    }
  }
}

function toError({ message, path, extensions }: GraphQLFormattedError): GraphQLError {
  return new GraphQLError(message, { path, extensions });
}

async function* noResults(): AsyncGenerator<never> {}
