import type { OperationTypeNode } from 'graphql';
import type { IncrementalFormat } from '../operation/operationRequest.ts';
import {
  contentToText,
  dataPrefix,
  type IncrementalOutcome,
  ResponseData,
  type SubscriptionOutcome,
} from '../response/executionOutcome.ts';
import type { ResponseCaching } from '../response/responseCaching.ts';
import type { SupergraphLease, SupergraphView } from '../supergraph/supergraphHolder.ts';

/** The context value that Apollo Server's plugins see. */
export interface GatewayContext {
  /** One level down, since Apollo Server copies the context value for every operation. */
  readonly client: ClientRequest;
}

interface ClientRequestOptions {
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly incremental: IncrementalFormat | undefined;
  /** Whether the client takes events for as long as they come. */
  readonly acceptsSubscriptions: boolean;
  /** Whether it may change nothing, as with GET. */
  readonly isReadOnly: boolean;
  /** Cursor of the last event that the client has got, where the transport itself says so. */
  readonly lastEventId: string | undefined;
  /** That its connection began with, and that may travel to subgraphs. */
  readonly connectionParams?: Readonly<Record<string, unknown>> | undefined;
  /** That its connection comes from. */
  readonly clientAddress: string | undefined;
  readonly requestId: string;
  readonly signal: AbortSignal;
}

/** An answer in one piece, with all that stands around its data. */
interface CompleteOutcome {
  readonly kind: 'complete';
  readonly text: ResponseData;
  readonly caching: ResponseCaching | undefined;
}

type StoredOutcome = CompleteOutcome | IncrementalOutcome | SubscriptionOutcome;

/** One request on its way through Apollo Server, and the answer on its way back around it: Apollo
 *  Server knows no streams of ours, and promises of its own that would keep a long text alive. */
export class ClientRequest {
  readonly headers: ReadonlyMap<string, string>;
  readonly incremental: IncrementalFormat | undefined;
  readonly lastEventId: string | undefined;
  readonly connectionParams: Readonly<Record<string, unknown>> | undefined;
  readonly clientAddress: string | undefined;
  readonly requestId: string;
  readonly signal: AbortSignal;
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
    this.clientAddress = options.clientAddress;
    this.requestId = options.requestId;
    this.signal = options.signal;
  }

  /** Whether this transport has a way to ask for such an operation and to answer it. */
  accepts(kind: OperationTypeNode): boolean {
    if (kind === 'subscription') return this.#acceptsSubscriptions;
    return kind === 'query' || !this.#isReadOnly;
  }

  /** Takes a lease on the current supergraph, in the place of an earlier one: the operations of a batch begin
   *  in one step, so that one lease is for all of them. */
  acquireSupergraph(supergraphs: SupergraphView): void {
    const earlier = this.#lease;
    this.#lease = supergraphs.acquire();
    earlier?.release();
  }

  /** To be called when the answer has ended, however it did. */
  releaseSupergraph(): void {
    this.#lease?.release();
    this.#lease = undefined;
  }

  storeOutcome(answer: StoredOutcome): void {
    this.#outcome = answer;
  }

  /** The answer that was left here, once. */
  takeOutcome(): StoredOutcome | undefined {
    const answer = this.#outcome;
    this.#outcome = undefined;
    return answer;
  }
}

/** Stands as `data` in the result that Apollo Server sees. */
export class ExecutedData {
  readonly #data: ResponseData | undefined;
  readonly #caching: ResponseCaching | undefined;
  readonly #client: ClientRequest | undefined;

  /** `data` is `undefined` for an answer in several payloads, which waits in the client already. With `client` the
   *  text is left there; without, as for the items of a batch, it is returned, and how long it may be kept is lost. */
  constructor(
    data: ResponseData | undefined,
    caching: ResponseCaching | undefined,
    client: ClientRequest | undefined,
  ) {
    this.#data = data;
    this.#caching = caching;
    this.#client = client;
  }

  /** The answer's text with `before` and `after` around the data, or nothing where it waits in the client. */
  write(before: string, after: string): string {
    if (this.#data === undefined) return '';
    const answer = this.#data.takeWrapped(before, after);
    if (this.#client === undefined) return contentToText(answer);
    this.#client.storeOutcome({
      kind: 'complete',
      text: new ResponseData(answer),
      // A plugin may have added errors.
      caching: before === dataPrefix ? this.#caching : undefined,
    });
    return '';
  }
}
