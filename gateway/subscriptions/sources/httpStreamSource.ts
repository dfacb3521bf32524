import { BufferedResponse } from '../../subgraphs/bufferedResponse.ts';
import {
  attemptTimeoutError,
  InvalidResponseError,
  invalidResponseError,
  unreachableError,
} from '../../subgraphs/callErrors.ts';
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
import { HeartbeatMonitor, maxMissedHeartbeats } from './heartbeatMonitor.ts';
import { readEvent } from './readEvent.ts';
import { reportedFailure, reportedRefusal } from './reportedErrors.ts';
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

/** What a stream of one format holds, as it is read. */
interface StreamListener {
  /** `result`: parsed JSON, perhaps no GraphQL result. `size` in bytes. */
  onResult(result: unknown, size: number): void;
  /** Ended by errors. `errors`: parsed JSON. */
  onErrors(errors: unknown): void;
  onComplete(): void;
  onProblem(problem: Error): void;
}

/** Reads the body of one answer. */
interface StreamReader {
  push(chunk: Buffer): void;
  stop(): void;
  /** Whether the subgraph owes signs of life. */
  readonly expectsHeartbeats: boolean;
}

/** A protocol in which the answer to a POST is the stream of events. */
export interface StreamFormat {
  readonly accept: string;
  /** `undefined` if an answer of this `content-type` is no stream of this format. */
  createReader(
    contentType: string,
    maxEventBytes: number,
    listener: StreamListener,
  ): StreamReader | undefined;
}

/** Subscribes by POSTs, one for each subscription and each attempt to get it back. */
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
  readonly endpoint: SourceEndpoint;
  /** Where it is by now. Throws where the subgraph is gone. */
  currentEndpoint(): SourceEndpoint;
  readonly client: StreamingClient;
  readonly timers: Timers;
  readonly random: () => number;
  readonly request: SourceRequest;
  readonly receiver: SourceReceiver;
  onAccepted(): void;
  onEnd(): void;
}

/** One subscription, over as many answers as it takes. */
class HttpStream implements FlowControl {
  readonly #options: HttpStreamOptions;
  readonly #lifecycle: SubscriptionLifecycle;
  readonly #heartbeatMonitor: HeartbeatMonitor;
  #call: StreamingCall | undefined;
  #reader: StreamReader | undefined;
  #head: ResponseHead | undefined;
  #isPaused = false;
  #cancelConnectTimer: CancelTimer | undefined;
  #cancelReading: (() => void) | undefined;

  constructor(options: HttpStreamOptions) {
    const { endpoint, currentEndpoint, receiver, timers, random, onEnd } = options;
    this.#options = options;
    this.#lifecycle = new SubscriptionLifecycle({
      receiver,
      timers,
      random,
      limits: endpoint.reconnect,
      startAttempt: () => this.#connect(currentEndpointOr(endpoint, currentEndpoint)),
      endAttempt: () => this.#disconnect(),
      onEnd,
    });
    this.#heartbeatMonitor = new HeartbeatMonitor({
      timers,
      intervalMs: endpoint.heartbeatMs,
      onMissedHeartbeats: (intervals) => this.#onMissedHeartbeats(intervals),
    });
    this.#connect(endpoint);
  }

  cancel(): void {
    this.#lifecycle.cancel();
  }

  pause(): void {
    this.#isPaused = true;
    this.#call?.pause();
    this.#heartbeatMonitor.stop();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#call?.resume();
    if (this.#reader !== undefined) this.#heartbeatMonitor.start();
  }

  #connect(endpoint: SourceEndpoint): void {
    const { client, format, request, timers } = this.#options;
    const call = client.open(
      endpoint,
      { subgraph: request.subgraph, headers: headersOf(request, format.accept), body: bodyOf(request) },
      {
        onHead: (head) => this.#onHead(head),
        onChunk: (chunk) => {
          this.#heartbeatMonitor.recordActivity();
          this.#reader?.push(chunk);
        },
        onBody: (body) => this.#onWholeBody(body),
        onEnd: () =>
          this.#lifecycle.retryOrFail(
            unreachableError(request.subgraph, new Error('the stream ended before its end')),
          ),
        onFailure: (error) => this.#lifecycle.retryOrFail(error),
      },
    );
    this.#call = call;
    if (this.#isPaused) call.pause();
    this.#cancelConnectTimer = timers.after(endpoint.connectTimeoutMs, () =>
      this.#lifecycle.retryOrFail(attemptTimeoutError(request.subgraph)),
    );
  }

  #onHead(head: ResponseHead): BodyReading {
    const { endpoint, format, onAccepted } = this.#options;
    this.#head = head;
    const isSuccess = head.status >= 200 && head.status < 300;
    const isReadable = isSuccess && isIdentity(head.headers['content-encoding']?.trim().toLowerCase() ?? '');
    const contentType = head.headers['content-type'] ?? '';
    const reader = isReadable
      ? format.createReader(contentType, endpoint.maxEventBytes, {
          onResult: (result, size) => this.#onResult(result, size),
          onErrors: (errors) => this.#onErrors(errors),
          onComplete: () => this.#lifecycle.complete(),
          onProblem: (problem) => this.#failInvalid(problem),
        })
      : undefined;
    // The timer goes on until a refusal is there as a whole.
    if (reader === undefined) return { kind: 'whole', maxBytes: endpoint.maxEventBytes };
    this.#reader = reader;
    this.#stopConnectTimer();
    if (!this.#isPaused) this.#heartbeatMonitor.start();
    onAccepted();
    this.#lifecycle.markSubscribed();
    return { kind: 'chunks' };
  }

  /** An answer that is no stream. */
  #onWholeBody(body: Buffer): void {
    const { subgraph } = this.#options.request;
    const { status, headers } = this.#head ?? { status: 0, headers: {} };
    const answer = new BufferedResponse({
      subgraph,
      status,
      contentType: headers['content-type'],
      cacheControl: undefined,
      age: undefined,
      body,
    });
    this.#cancelReading = answer.read((response) => {
      if (response instanceof Error) this.#lifecycle.retryOrFail(response);
      else if (response.errors !== undefined)
        this.#lifecycle.retryOrFail(reportedRefusal(subgraph, status, response.errors));
      else this.#failInvalid(new InvalidResponseError('the answer is a single result and no stream'));
    });
  }

  #onResult(result: unknown, size: number): void {
    const event = readEvent(result, size);
    if (event instanceof Error) {
      this.#failInvalid(event);
      return;
    }
    this.#lifecycle.next(event);
  }

  #onErrors(errors: unknown): void {
    const result = readEvent({ errors }, 0);
    if (result instanceof Error) this.#failInvalid(result);
    else this.#lifecycle.fail(reportedFailure(this.#options.request.subgraph, result.errors ?? []));
  }

  #onMissedHeartbeats(intervals: number): void {
    if (intervals < maxMissedHeartbeats || this.#reader?.expectsHeartbeats !== true) return;
    this.#lifecycle.retryOrFail(
      unreachableError(this.#options.request.subgraph, new Error('the stream has gone silent')),
    );
  }

  #failInvalid(problem: Error): void {
    this.#lifecycle.fail(invalidResponseError(this.#options.request.subgraph, problem));
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
    this.#heartbeatMonitor.stop();
    call?.abort();
  }

  #stopConnectTimer(): void {
    this.#cancelConnectTimer?.();
    this.#cancelConnectTimer = undefined;
  }
}

function headersOf(request: SourceRequest, accept: string): string[] {
  const headers = [
    'content-type',
    'application/json',
    'accept',
    accept,
    // Compression holds events back, unless every server and proxy on the way flushes after each.
    'accept-encoding',
    'identity',
    'x-request-id',
    request.requestId,
    ...request.headers.pairs,
  ];
  if (request.traceparent !== undefined) headers.push('traceparent', request.traceparent);
  return headers;
}

function bodyOf({ query, variables }: SourceRequest): string {
  return JSON.stringify({ query, variables });
}
