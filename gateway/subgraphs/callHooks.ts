import type { IncomingHttpHeaders } from 'node:http';
import type { GatewayError } from '../errors.ts';
import type { BufferedResponse } from './bufferedResponse.ts';
import type { CallResponse } from './policies/call.ts';
import type { SubgraphResponse } from './subgraphClient.ts';

/** One HTTP request to a subgraph that is about to be sent. */
export interface OutgoingCall {
  readonly subgraph: string;
  readonly url: string;
  readonly body: string;
  readonly requestId: string;
  /** Name, value, name, value … with lower case names. May be changed. */
  readonly headers: string[];
}

/** The head of one HTTP response of a subgraph. */
export interface CallHead {
  readonly subgraph: string;
  readonly url: string;
  readonly requestId: string;
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
}

/** Called once for each HTTP request, below sharing and caching. Both reject only with a `GatewayError`, which fails the
 *  attempt. */
export interface CallHooks {
  /** May add headers. */
  readonly beforeSend?: ((call: OutgoingCall) => Promise<void>) | undefined;
  /** Returns the JSON text of a result to use instead, or `undefined`. `readResult` resolves with a copy of the result, or
   *  with `undefined` if the body is not a GraphQL response. */
  readonly afterResponse?:
    | ((
        head: CallHead,
        readResult: () => Promise<SubgraphResponse | undefined>,
      ) => Promise<string | undefined>)
    | undefined;
}

/** A response that passes `afterResponse` when it is read for the first time. */
export class InspectedResponse implements CallResponse {
  readonly #inspect: () => Promise<BufferedResponse>;
  #inspected: Promise<BufferedResponse | GatewayError> | undefined;

  constructor(
    response: BufferedResponse,
    head: CallHead,
    afterResponse: NonNullable<CallHooks['afterResponse']>,
  ) {
    const inspect = async (): Promise<BufferedResponse> => {
      const text = await afterResponse(head, () => readCopy(response));
      return text === undefined ? response : response.replaceBody(text);
    };
    this.#inspect = inspect;
  }

  read(done: (response: SubgraphResponse | GatewayError) => void): () => void {
    let isStopped = false;
    let stopReading: (() => void) | undefined;
    this.#inspected ??= this.#inspect().catch((error: GatewayError) => error);
    void this.#inspected.then((inspected) => {
      if (isStopped) return;
      if (inspected instanceof Error) done(inspected);
      else stopReading = inspected.read(done);
    });
    return () => {
      isStopped = true;
      stopReading?.();
    };
  }
}

function readCopy(response: BufferedResponse): Promise<SubgraphResponse | undefined> {
  return new Promise((resolve) => {
    response.read((result) => resolve(result instanceof Error ? undefined : result));
  });
}
