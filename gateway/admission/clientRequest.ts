import type { ApolloServerPlugin } from '@apollo/server';
import type { OperationTypeNode } from 'graphql';
import type { ClientIdentity } from '../execution/requestContext.ts';
import type { ResponseHeaderMap } from '../execution/responseHeaderCollector.ts';
import type { IncrementalFormat, OperationRequest, RequestTransport } from '../operation/operationRequest.ts';
import {
  contentToText,
  dataPrefix,
  type IncrementalOutcome,
  ResponseData,
  type SubscriptionOutcome,
} from '../response/executionOutcome.ts';
import type { ResponseCaching } from '../response/responseCaching.ts';
import type { SupergraphLease } from '../supergraph/leasedSnapshots.ts';
import type { SupergraphView } from '../supergraph/supergraphHolder.ts';
import type { RequestRecord } from '../telemetry/requestRecord.ts';
import type { RequestTrace, Tracing } from '../telemetry/trace.ts';
import type { TraceHeaders } from '../telemetry/traceContext.ts';
import type { RequestSignal } from '../time/requestAbort.ts';
import { anonymousClient } from './identity.ts';

/** The context value that Apollo Server's plugins see. */
export interface GatewayContext {
  /** Nested, because Apollo Server copies the context value for every operation. */
  readonly client: ClientRequest;
  /** Of an operation of a batch, which has a trace of its own. Set by the gateway, where tracing is on. */
  itemTrace?: ReturnType<Tracing['startTrace']>;
}

/** A plugin of Apollo Server, as users write them. */
export type GatewayPlugin = ApolloServerPlugin<GatewayContext>;

interface ClientRequestOptions {
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly incremental: IncrementalFormat | undefined;
  /** Whether the client can receive a stream of events. */
  readonly acceptsSubscriptions: boolean;
  /** Whether mutations are refused, as with GET. */
  readonly isReadOnly: boolean;
  /** Cursor of the last event that the client has received, if the transport transmits it (`Last-Event-ID`). */
  readonly lastEventId: string | undefined;
  /** Parameters of the client's connection that may be sent to subgraphs. */
  readonly connectionParams?: Readonly<Record<string, unknown>> | undefined;
  /** The payload of the client's `connection_init`; `undefined` for a transport without it. */
  readonly initPayload?: Readonly<Record<string, unknown>> | undefined;
  readonly transport: RequestTransport;
  /** The client's end of the connection. */
  readonly clientAddress: string | undefined;
  readonly requestId: string;
  /** Omitted where nothing is recorded. */
  readonly record?: RequestRecord | undefined;
  readonly signal: RequestSignal;
}

/** A complete response, with the envelope around its data. */
interface CompleteOutcome {
  readonly kind: 'complete';
  readonly text: ResponseData;
  readonly caching: ResponseCaching | undefined;
}

/** An operation of the request, as the client sent it and valid. */
interface ValidOperation extends Pick<OperationRequest, 'document' | 'operationName' | 'variables'> {
  /** The cursor in the operation's extensions after which a subscription resumes. */
  readonly cursor: string | undefined;
}

type StoredOutcome = CompleteOutcome | IncrementalOutcome | SubscriptionOutcome;

/** One request on its way through Apollo Server. Its outcome returns here and not through Apollo Server, which has no
 *  equivalent for the gateway's streams, and whose promises would keep a long response in memory. */
export class ClientRequest {
  readonly headers: ReadonlyMap<string, string>;
  readonly incremental: IncrementalFormat | undefined;
  readonly lastEventId: string | undefined;
  readonly connectionParams: Readonly<Record<string, unknown>> | undefined;
  readonly initPayload: Readonly<Record<string, unknown>> | undefined;
  readonly transport: RequestTransport;
  readonly clientAddress: string | undefined;
  readonly requestId: string;
  readonly record: RequestRecord | undefined;
  readonly signal: RequestSignal;
  /** Who sent the request. Set by `Admission`. */
  caller: ClientIdentity = anonymousClient;
  /** See `OperationRequest.responseHeaders`. The operations of a batch share them. */
  readonly responseHeaders: ResponseHeaderMap = new Map();
  /** See `OperationRequest`. Set by `Admission`. */
  traceHeaders: TraceHeaders | undefined;
  trace: RequestTrace | undefined;
  readonly #acceptsSubscriptions: boolean;
  readonly #isReadOnly: boolean;
  #outcome: StoredOutcome | undefined;
  #lease: SupergraphLease | undefined;

  constructor(options: ClientRequestOptions) {
    this.headers = options.headers;
    this.incremental = options.incremental;
    this.#acceptsSubscriptions = options.acceptsSubscriptions;
    this.#isReadOnly = options.isReadOnly;
    this.lastEventId = options.lastEventId;
    this.connectionParams = options.connectionParams;
    this.initPayload = options.initPayload;
    this.transport = options.transport;
    this.clientAddress = options.clientAddress;
    this.requestId = options.requestId;
    this.record = options.record;
    this.signal = options.signal;
  }

  /** Whether the transport can carry an operation of this kind and its response. */
  accepts(kind: OperationTypeNode): boolean {
    if (kind === 'subscription') return this.#acceptsSubscriptions;
    return kind === 'query' || !this.#isReadOnly;
  }

  /** The operation in the form that all later stages use. */
  toOperationRequest({ document, operationName, variables, cursor }: ValidOperation): OperationRequest {
    return {
      document,
      operationName,
      variables,
      headers: this.headers,
      caller: this.caller,
      incrementalFormat: this.incremental,
      resumeAfter: this.lastEventId ?? cursor,
      connectionParams: this.connectionParams,
      initPayload: this.initPayload,
      transport: this.transport,
      clientAddress: this.clientAddress,
      responseHeaders: this.responseHeaders,
      requestId: this.requestId,
      record: this.record,
      traceHeaders: this.traceHeaders,
      trace: this.trace,
      signal: this.signal,
    };
  }

  /** Takes a lease on the current supergraph and releases an earlier one. The operations of a batch start in one synchronous
   *  step, so that one lease holds for all of them. */
  acquireSupergraph(supergraphs: SupergraphView): void {
    const earlier = this.#lease;
    this.#lease = supergraphs.acquire();
    earlier?.release();
  }

  /** Must be called when the response has ended, also after an error. */
  releaseSupergraph(): void {
    this.#lease?.release();
    this.#lease = undefined;
  }

  storeOutcome(outcome: StoredOutcome): void {
    this.#outcome = outcome;
  }

  /** Removes and returns the stored outcome. */
  takeOutcome(): StoredOutcome | undefined {
    const outcome = this.#outcome;
    this.#outcome = undefined;
    return outcome;
  }
}

/** The `data` of the result that Apollo Server sees: a handle to the serialised data. */
export class ExecutedData {
  readonly #data: ResponseData | undefined;
  readonly #caching: ResponseCaching | undefined;
  readonly #client: ClientRequest | undefined;

  /** `data` is `undefined` for a response in several payloads, which is stored in `client` already. With `client`, `write`
   *  stores the response there. Without it, as for the items of a batch, `write` returns the response, and `caching` is
   *  ignored. */
  constructor(
    data: ResponseData | undefined,
    caching: ResponseCaching | undefined,
    client: ClientRequest | undefined,
  ) {
    this.#data = data;
    this.#caching = caching;
    this.#client = client;
  }

  /** Whether the data is `null`. */
  get isNull(): boolean {
    return this.#data?.isNull === true;
  }

  /** The response, with `before` and `after` around the data; an empty string if it is stored in the client. */
  write(before: string, after: string): string {
    if (this.#data === undefined) return '';
    const content = this.#data.takeWrapped(before, after);
    if (this.#client === undefined) return contentToText(content);
    this.#client.storeOutcome({
      kind: 'complete',
      text: new ResponseData(content),
      // If a plugin has added errors, the response must not be cached.
      caching: before === dataPrefix ? this.#caching : undefined,
    });
    return '';
  }
}
