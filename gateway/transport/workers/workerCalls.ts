import { readdir } from 'node:fs/promises';
import { type IncomingMessage, request as openRequest, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import type { WorkerAnswers } from '../../telemetry/workerMetrics.ts';
import { workerHeaders } from './proxiedRequest.ts';
import { workerGoneCodes } from './proxyRequest.ts';
import { socketPathOf, type WorkerIdentity } from './workerIdentity.ts';

type CallHandler = (body: string) => string | Promise<string>;

/** Milliseconds. A worker whose event loop is blocked does not answer. */
const callTimeoutMs = 2_000;

/** Calls from one worker to all others, on their private Unix sockets. Calls and answers are texts. */
export class WorkerCalls {
  readonly #worker: WorkerIdentity;
  readonly #handlers = new Map<string, CallHandler>();

  constructor(worker: WorkerIdentity) {
    this.#worker = worker;
  }

  get worker(): WorkerIdentity {
    return this.#worker;
  }

  /** Answers the calls with this name. */
  handle(name: string, handler: CallHandler): void {
    this.#handlers.set(name, handler);
  }

  /** Calls every other worker, or those of them in `only`. Those that are gone do not count. */
  async callOthers(name: string, body = '', only?: ReadonlySet<string>): Promise<WorkerAnswers> {
    const names = await readdir(this.#worker.directory).catch(() => []);
    const others = names.filter(
      (other) =>
        /^\d+$/.test(other) && other !== this.#worker.name && (only === undefined || only.has(other)),
    );
    const results = await Promise.all(
      others.map(async (other) => ({ other, result: await this.#call(other, name, body) })),
    );
    const answers = results.flatMap(({ other, result }) =>
      typeof result === 'string' ? [[other, result] as const] : [],
    );
    return {
      answers: new Map(answers),
      silent: results.filter(({ result }) => result === silent).length,
    };
  }

  /** Answers a request of another worker. Returns false if it is no call. */
  receive(request: IncomingMessage, response: ServerResponse): boolean {
    const name = request.headers[workerHeaders.call];
    if (name === undefined) return false;
    const handler = this.#handlers.get(String(name));
    const answering = text(request).then((body) => (handler === undefined ? '' : handler(body)));
    answering.then(
      (answer) => response.end(answer),
      () => response.writeHead(500).end(),
    );
    return true;
  }

  /** `undefined`: the worker is gone. */
  #call(other: string, name: string, body: string): Promise<string | typeof silent | undefined> {
    const { promise, resolve } = Promise.withResolvers<string | typeof silent | undefined>();
    const call = openRequest({
      socketPath: socketPathOf(this.#worker, other),
      agent: false,
      method: 'POST',
      headers: { [workerHeaders.call]: name },
      signal: AbortSignal.timeout(callTimeoutMs),
    });
    call.on('response', (response) => {
      const isAnswer = response.statusCode === 200;
      text(response).then(
        (answer) => resolve(isAnswer ? answer : silent),
        () => resolve(silent),
      );
    });
    call.on('error', ({ code }: NodeJS.ErrnoException) =>
      resolve(workerGoneCodes.has(code) ? undefined : silent),
    );
    call.end(body);
    return promise;
  }
}

/** The worker did not answer in time, or failed to. */
const silent = Symbol('silent');
