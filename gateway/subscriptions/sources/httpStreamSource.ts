import {
  AnswerProblem,
  attemptTimedOut,
  invalidResponse,
  unreachable,
} from '../../subgraph-client/callFailure.ts';
import {
  isIdentity,
  type Reading,
  type StreamingCall,
  StreamingClient,
  type StreamingHead,
} from '../../subgraph-client/streamingCall.ts';
import { SubgraphAnswer } from '../../subgraph-client/subgraphAnswer.ts';
import { type CancelTimer, systemTimers, type Timers } from '../../time/timers.ts';
import { Attempts } from './attempts.ts';
import { presentOr } from './presentEndpoint.ts';
import { readEvent } from './readEvent.ts';
import { refusedSubscription } from './refusedSubscription.ts';
import { reportedFailure, reportedRefusal } from './reportedErrors.ts';
import { SilenceWatch, toleratedSilence } from './silenceWatch.ts';
import type {
  SourceEndpoint,
  SourceFlow,
  SourceOptions,
  SourceReceiver,
  SourceRequest,
  SourceSubscription,
  SubscriptionSource,
} from './subscriptionSource.ts';

/** What a stream of one format holds, as it is read. */
export interface StreamListener {
  /** `result`: parsed JSON, perhaps no GraphQL result. `size` in bytes. */
  onResult(result: unknown, size: number): void;
  /** Ended by errors. `errors`: parsed JSON. */
  onErrors(errors: unknown): void;
  onComplete(): void;
  onProblem(problem: Error): void;
}

/** Reads the body of one answer. */
export interface StreamReader {
  push(chunk: Buffer): void;
  stop(): void;
  /** Whether the subgraph owes signs of life. */
  readonly expectsLife: boolean;
}

/** A protocol in which the answer to a POST is the stream of events. */
export interface StreamFormat {
  readonly accept: string;
  /** `undefined` if an answer of this `content-type` is no stream of this format. */
  read(contentType: string, maxEventBytes: number, listener: StreamListener): StreamReader | undefined;
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
        presentEndpoint: () => this.#options.endpoint(request.subgraph),
        client: this.#client,
        timers: this.#timers,
        random: this.#options.random ?? Math.random,
        request,
        receiver,
        onAccepted: () => this.#options.onAccepted?.(request.subgraph),
        onOver: () => this.#streams.delete(stream),
      });
    } catch (cause) {
      return refusedSubscription(request.subgraph, cause, receiver);
    }
    this.#streams.add(stream);
    return { cancel: () => stream.cancel(), flow: stream };
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
  presentEndpoint(): SourceEndpoint;
  readonly client: StreamingClient;
  readonly timers: Timers;
  readonly random: () => number;
  readonly request: SourceRequest;
  readonly receiver: SourceReceiver;
  onAccepted(): void;
  onOver(): void;
}

/** One subscription, over as many answers as it takes. */
class HttpStream implements SourceFlow {
  readonly #options: HttpStreamOptions;
  readonly #attempts: Attempts;
  readonly #watch: SilenceWatch;
  #call: StreamingCall | undefined;
  #reader: StreamReader | undefined;
  #head: StreamingHead | undefined;
  #isPaused = false;
  #cancelConnectTimer: CancelTimer | undefined;
  #cancelReading: (() => void) | undefined;

  constructor(options: HttpStreamOptions) {
    const { endpoint, presentEndpoint, receiver, timers, random, onOver } = options;
    this.#options = options;
    this.#attempts = new Attempts({
      receiver,
      timers,
      random,
      limits: endpoint.reconnect,
      again: () => this.#connect(presentOr(endpoint, presentEndpoint)),
      endAttempt: () => this.#disconnect(),
      onOver,
    });
    this.#watch = new SilenceWatch({
      timers,
      intervalMs: endpoint.heartbeatMs,
      onSilence: (intervals) => this.#onSilence(intervals),
    });
    this.#connect(endpoint);
  }

  cancel(): void {
    this.#attempts.cancel();
  }

  pause(): void {
    this.#isPaused = true;
    this.#call?.pause();
    this.#watch.stop();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#call?.resume();
    if (this.#reader !== undefined) this.#watch.start();
  }

  #connect(endpoint: SourceEndpoint): void {
    const { client, format, request, timers } = this.#options;
    const call = client.open(
      endpoint,
      { subgraph: request.subgraph, headers: headersOf(request, format.accept), body: bodyOf(request) },
      {
        onHead: (head) => this.#onHead(head),
        onChunk: (chunk) => {
          this.#watch.heard();
          this.#reader?.push(chunk);
        },
        onWhole: (body) => this.#onWhole(body),
        onEnd: () =>
          this.#attempts.lose(unreachable(request.subgraph, new Error('the stream ended before its end'))),
        onFailure: (error) => this.#attempts.lose(error),
      },
    );
    this.#call = call;
    if (this.#isPaused) call.pause();
    this.#cancelConnectTimer = timers.after(endpoint.connectTimeoutMs, () =>
      this.#attempts.lose(attemptTimedOut(request.subgraph)),
    );
  }

  #onHead(head: StreamingHead): Reading {
    const { endpoint, format, onAccepted } = this.#options;
    this.#head = head;
    const isSuccess = head.status >= 200 && head.status < 300;
    const isReadable = isSuccess && isIdentity(head.headers['content-encoding']?.trim().toLowerCase() ?? '');
    const contentType = head.headers['content-type'] ?? '';
    const reader = isReadable
      ? format.read(contentType, endpoint.maxEventBytes, {
          onResult: (result, size) => this.#onResult(result, size),
          onErrors: (errors) => this.#onErrors(errors),
          onComplete: () => this.#attempts.complete(),
          onProblem: (problem) => this.#refuse(problem),
        })
      : undefined;
    // The timer goes on until a refusal is there as a whole.
    if (reader === undefined) return { kind: 'whole', maxBytes: endpoint.maxEventBytes };
    this.#reader = reader;
    this.#endConnectTimer();
    if (!this.#isPaused) this.#watch.start();
    onAccepted();
    this.#attempts.subscribed();
    return { kind: 'chunks' };
  }

  /** An answer that is no stream. */
  #onWhole(body: Buffer): void {
    const { subgraph } = this.#options.request;
    const { status, headers } = this.#head ?? { status: 0, headers: {} };
    const answer = new SubgraphAnswer({
      subgraph,
      status,
      contentType: headers['content-type'],
      cacheControl: undefined,
      age: undefined,
      body,
    });
    this.#cancelReading = answer.read((response) => {
      if (response instanceof Error) this.#attempts.lose(response);
      else if (response.errors !== undefined)
        this.#attempts.lose(reportedRefusal(subgraph, status, response.errors));
      else this.#refuse(new AnswerProblem('the answer is a single result and no stream'));
    });
  }

  #onResult(result: unknown, size: number): void {
    const event = readEvent(result, size);
    if (event instanceof Error) {
      this.#refuse(event);
      return;
    }
    this.#attempts.event(event);
  }

  #onErrors(errors: unknown): void {
    const result = readEvent({ errors }, 0);
    if (result instanceof Error) this.#refuse(result);
    else this.#attempts.fail(reportedFailure(this.#options.request.subgraph, result.errors ?? []));
  }

  #onSilence(intervals: number): void {
    if (intervals < toleratedSilence || this.#reader?.expectsLife !== true) return;
    this.#attempts.lose(unreachable(this.#options.request.subgraph, new Error('the stream has gone silent')));
  }

  #refuse(problem: Error): void {
    this.#attempts.fail(invalidResponse(this.#options.request.subgraph, problem));
  }

  #disconnect(): void {
    const call = this.#call;
    this.#call = undefined;
    this.#reader?.stop();
    this.#reader = undefined;
    this.#head = undefined;
    this.#cancelReading?.();
    this.#cancelReading = undefined;
    this.#endConnectTimer();
    this.#watch.stop();
    call?.abort();
  }

  #endConnectTimer(): void {
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
