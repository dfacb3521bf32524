import { readdir } from 'node:fs/promises';
import { type IncomingMessage, request as openRequest, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { workerHeaders } from './proxiedRequest.ts';
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

  /** Calls every other worker. Returns the answers by worker, without those that are gone or do not answer in time. */
  async callOthers(name: string, body = ''): Promise<ReadonlyMap<string, string>> {
    const names = await readdir(this.#worker.directory).catch(() => []);
    const others = names.filter((other) => /^\d+$/.test(other) && other !== this.#worker.name);
    const answers = await Promise.all(
      others.map(async (other) => [other, await this.#call(other, name, body)] as const),
    );
    return new Map(answers.flatMap(([other, answer]) => (answer === undefined ? [] : [[other, answer]])));
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

  #call(other: string, name: string, body: string): Promise<string | undefined> {
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
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
        (answer) => resolve(isAnswer ? answer : undefined),
        () => resolve(undefined),
      );
    });
    // The worker is gone, or too slow.
    call.on('error', () => resolve(undefined));
    call.end(body);
    return promise;
  }
}
