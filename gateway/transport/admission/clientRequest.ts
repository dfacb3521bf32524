import type { OperationTypeNode } from 'graphql';
import type { ResponseCaching } from '../../cache/rules/responseCaching.ts';
import type { IncrementalFormat } from '../../operation/request.ts';
import {
  beforeData,
  type IncrementalOutcome,
  ResponseText,
  type SubscriptionOutcome,
  textOf,
} from '../../response/outcome.ts';
import type { SupergraphLease } from '../../supergraph/supergraphHolder.ts';
import type { SupergraphView } from '../supergraphView.ts';

/** The context value that Apollo Server's plugins see. */
export interface GatewayContext {
  /** One level down, since Apollo Server copies the context value for every operation. */
  readonly client: ClientRequest;
}

export interface ClientRequestOptions {
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly incremental: IncrementalFormat | undefined;
  /** Whether the client takes events for as long as they come. */
  readonly takesSubscriptions: boolean;
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
export interface CompleteAnswer {
  readonly kind: 'complete';
  readonly text: ResponseText;
  readonly caching: ResponseCaching | undefined;
}

export type LeftAnswer = CompleteAnswer | IncrementalOutcome | SubscriptionOutcome;

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
  readonly #takesSubscriptions: boolean;
  readonly #isReadOnly: boolean;
  #answer: LeftAnswer | undefined;
  #lease: SupergraphLease | undefined;

  constructor(options: ClientRequestOptions) {
    this.headers = options.headers;
    this.incremental = options.incremental;
    this.#takesSubscriptions = options.takesSubscriptions;
    this.#isReadOnly = options.isReadOnly;
    this.lastEventId = options.lastEventId;
    this.connectionParams = options.connectionParams;
    this.clientAddress = options.clientAddress;
    this.requestId = options.requestId;
    this.signal = options.signal;
  }

  /** Whether this transport has a way to ask for such an operation and to answer it. */
  takes(kind: OperationTypeNode): boolean {
    if (kind === 'subscription') return this.#takesSubscriptions;
    return kind === 'query' || !this.#isReadOnly;
  }

  /** Takes a lease on the current supergraph, in the place of an earlier one: the operations of a batch begin
   *  in one step, so that one lease is for all of them. */
  holdSupergraph(supergraphs: SupergraphView): void {
    const earlier = this.#lease;
    this.#lease = supergraphs.acquire();
    earlier?.release();
  }

  /** To be called when the answer has ended, however it did. */
  releaseSupergraph(): void {
    this.#lease?.release();
    this.#lease = undefined;
  }

  leaveAnswer(answer: LeftAnswer): void {
    this.#answer = answer;
  }

  /** The answer that was left here, once. */
  takeAnswer(): LeftAnswer | undefined {
    const answer = this.#answer;
    this.#answer = undefined;
    return answer;
  }
}

/** Stands as `data` in the result that Apollo Server sees. */
export class ExecutedData {
  readonly #data: ResponseText | undefined;
  readonly #caching: ResponseCaching | undefined;
  readonly #client: ClientRequest | undefined;

  /** `data` is `undefined` for an answer in several payloads, which waits in the client already. With `client` the
   *  text is left there; without, as for the items of a batch, it is returned, and how long it may be kept is lost. */
  constructor(
    data: ResponseText | undefined,
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
    const answer = this.#data.takeWithin(before, after);
    if (this.#client === undefined) return textOf(answer);
    this.#client.leaveAnswer({
      kind: 'complete',
      text: new ResponseText(answer),
      // A plugin may have added errors.
      caching: before === beforeData ? this.#caching : undefined,
    });
    return '';
  }
}
