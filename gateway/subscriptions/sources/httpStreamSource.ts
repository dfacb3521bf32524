import { BufferedResponse } from '../../subgraphs/bufferedResponse.ts';
import { InvalidResponseError, unreachableError } from '../../subgraphs/callErrors.ts';
import {
  type BodyReading,
  isIdentity,
  type ResponseHead,
  type StreamingCall,
  StreamingClient,
} from '../../subgraphs/streamingClient.ts';
import { type CancelTimer, systemTimers, type Timers } from '../../time/timers.ts';
import { createFailedSubscription } from './createFailedSubscription.ts';
import { currentEndpointOr } from './currentEndpoint.ts';
import { SubscriptionLifecycle } from './subscriptionLifecycle.ts';
import type {
  FlowControl,
  SourceEndpoint,
  SourceOptions,
  SourceReceiver,
  SourceRequest,
  SourceSubscription,
  SubscriptionSource,
} from './subscriptionSource.ts';

/** Receives the content of a stream as it is read. */
interface StreamListener {
  /** `result`: parsed JSON, not yet known to be a GraphQL result. `size` in bytes. */
  onResult(result: unknown, size: number): void;
  /** `errors`: parsed JSON, if the subgraph ended the stream with errors. */
  onEnd(errors?: unknown): void;
  /** The stream cannot be read. */
  onProblem(problem: Error): void;
}

/** Reads the body of one response. */
interface StreamReader {
  push(chunk: Buffer): void;
  stop(): void;
  /** Whether the subgraph owes heartbeats. */
  readonly expectsHeartbeats: boolean;
}

/** A protocol in which the response to a POST is the stream of events. */
export interface StreamFormat {
  readonly accept: string;
  /** `undefined` if a response with this `content-type` is not a stream of this format. */
  createReader(
    contentType: string,
    maxEventBytes: number,
    listener: StreamListener,
  ): StreamReader | undefined;
}

/** Creates a source that sends one POST for each subscription and each reconnection. */
export function createHttpStreamSource(format: StreamFormat, options: SourceOptions): SubscriptionSource {
  return new HttpStreamSource(format, options);
}

class HttpStreamSource implements SubscriptionSource {
  readonly #format: StreamFormat;
  readonly #options: SourceOptions;
  readonly #timers: Timers;
  readonly #client = new StreamingClient();
  readonly #streams = new Set<HttpStream>();
  #closed: Promise<void> | undefined;

  constructor(format: StreamFormat, options: SourceOptions) {
    this.#format = format;
    this.#options = options;
    this.#timers = options.timers ?? systemTimers;
  }

  subscribe(request: SourceRequest, receiver: SourceReceiver): SourceSubscription {
    let stream: HttpStream;
    try {
      if (this.#closed !== undefined) throw new Error('the source was closed');
      stream = new HttpStream({
        format: this.#format,
        subgraph: request.subgraph,
        endpoint: this.#options.endpoint(request.subgraph),
        currentEndpoint: () => this.#options.endpoint(request.subgraph),
        client: this.#client,
        timers: this.#timers,
        random: this.#options.random ?? Math.random,
        request,
        receiver,
        onAccepted: () => this.#options.onAccepted?.(request.subgraph),
        onEnd: () => this.#streams.delete(stream),
      });
    } catch (cause) {
      return createFailedSubscription(request.subgraph, cause, receiver);
    }
    this.#streams.add(stream);
    return { cancel: () => stream.cancel(), flowControl: stream };
  }

  close(): Promise<void> {
    for (const stream of [...this.#streams]) stream.cancel();
    this.#closed ??= this.#client.close();
    return this.#closed;
  }
}

interface HttpStreamOptions {
  readonly format: StreamFormat;
  readonly subgraph: string;
  readonly endpoint: SourceEndpoint;
  /** The endpoint at the time of a reconnection. Throws if the subgraph no longer exists. */
  currentEndpoint(): SourceEndpoint;
  readonly client: StreamingClient;
  readonly timers: Timers;
  readonly random: () => number;
  readonly request: SourceRequest;
  readonly receiver: SourceReceiver;
  onAccepted(): void;
  onEnd(): void;
}

/** One subscription. Each attempt reads one response. */
class HttpStream implements FlowControl {
  readonly #options: HttpStreamOptions;
  readonly #lifecycle: SubscriptionLifecycle;
  #call: StreamingCall | undefined;
  #reader: StreamReader | undefined;
  #head: ResponseHead | undefined;
  #isPaused = false;
  #cancelConnectTimer: CancelTimer | undefined;
  #cancelReading: (() => void) | undefined;

  constructor(options: HttpStreamOptions) {
    const { endpoint, currentEndpoint } = options;
    this.#options = options;
    this.#lifecycle = new SubscriptionLifecycle({
      ...options,
      startAttempt: () => this.#connect(currentEndpointOr(endpoint, currentEndpoint)),
      endAttempt: () => this.#disconnect(),
      expectsHeartbeats: () => this.#reader?.expectsHeartbeats === true,
    });
    this.#connect(endpoint);
  }

  cancel(): void {
    this.#lifecycle.cancel();
  }

  pause(): void {
    this.#isPaused = true;
    this.#call?.pause();
    this.#lifecycle.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#call?.resume();
    this.#lifecycle.resume();
  }

  #connect(endpoint: SourceEndpoint): void {
    const { client, format, request, timers } = this.#options;
    const call = client.open(
      endpoint,
      { subgraph: request.subgraph, headers: headersOf(request, format.accept), body: bodyOf(request) },
      {
        onHead: (head) => this.#onHead(head),
        onChunk: (chunk) => {
          this.#lifecycle.recordActivity();
          this.#reader?.push(chunk);
        },
        onBody: (body) => this.#onWholeBody(body),
        onEnd: () =>
          this.#lifecycle.retryOrFail(
            unreachableError(request.subgraph, new Error('the connection ended before the stream did')),
          ),
        onFailure: (error) => this.#lifecycle.retryOrFail(error),
      },
    );
    this.#call = call;
    if (this.#isPaused) call.pause();
    this.#cancelConnectTimer = timers.after(endpoint.connectTimeoutMs, () => this.#lifecycle.timeOut());
  }

  #onHead(head: ResponseHead): BodyReading {
    const { endpoint, format } = this.#options;
    this.#head = head;
    const isSuccess = head.status >= 200 && head.status < 300;
    const coding = head.headers['content-encoding']?.trim().toLowerCase() ?? '';
    const contentType = head.headers['content-type'] ?? '';
    const reader = isSuccess
      ? format.createReader(contentType, endpoint.maxEventBytes, {
          onResult: (result, size) => void this.#lifecycle.next(result, size),
          onEnd: (errors) => void this.#lifecycle.end(errors),
          onProblem: (problem) => this.#lifecycle.failInvalid(problem),
        })
      : undefined;
    // The connect timer keeps running until the whole refusal has arrived.
    if (reader === undefined) return { kind: 'whole', maxBytes: endpoint.maxEventBytes };
    // A stream may not end for hours, so that its body cannot be decompressed as a whole.
    if (!isIdentity(coding)) {
      this.#lifecycle.failInvalid(
        new InvalidResponseError(`the stream is compressed (${coding}), although identity was requested`),
      );
      return { kind: 'chunks' };
    }
    this.#reader = reader;
    this.#stopConnectTimer();
    this.#lifecycle.markSubscribed();
    return { kind: 'chunks' };
  }

  /** Reads a response that is not a stream. */
  #onWholeBody(body: Buffer): void {
    const { subgraph } = this.#options.request;
    const { status, headers } = this.#head ?? { status: 0, headers: {} };
    const contentType = headers['content-type'];
    const head = { status, contentType, cacheControl: undefined, age: undefined, clientHeaders: undefined };
    const response = new BufferedResponse(subgraph, head, body);
    this.#cancelReading = response.read((result) => {
      if (result instanceof Error) this.#lifecycle.retryOrFail(result);
      else if (result.errors !== undefined) this.#lifecycle.refuse(status, result.errors);
      else
        this.#lifecycle.failInvalid(
          new InvalidResponseError('the answer is a single result instead of a stream'),
        );
    });
  }

  #disconnect(): void {
    const call = this.#call;
    this.#call = undefined;
    this.#reader?.stop();
    this.#reader = undefined;
    this.#head = undefined;
    this.#cancelReading?.();
    this.#cancelReading = undefined;
    this.#stopConnectTimer();
    call?.abort();
  }

  #stopConnectTimer(): void {
    this.#cancelConnectTimer?.();
    this.#cancelConnectTimer = undefined;
  }
}

function headersOf(request: SourceRequest, accept: string): string[] {
  return [
    'content-type',
    'application/json',
    'accept',
    accept,
    // Compression delays events, unless every server and proxy on the way flushes after each of them.
    'accept-encoding',
    'identity',
    'x-request-id',
    request.requestId,
    ...request.headers.pairs,
    ...request.traceHeaders,
  ];
}

function bodyOf({ query, variables }: SourceRequest): string {
  return JSON.stringify({ query, variables });
}
