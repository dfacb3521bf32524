/** Five subgraphs in one process, whose faults are controlled from outside. Prints one line of JSON with their
 *  addresses. Admin server: `GET /counts` returns the calls per subgraph since the start; `POST /fault` takes a
 *  `FaultRequest`. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json, text } from 'node:stream/consumers';
import { buildSubgraphSchema } from '@apollo/subgraph';
import { parse } from 'graphql';
import { createRandom } from '../../subgraphs/shared/random.ts';
import { CannedAnswers } from '../subgraphs/cannedAnswers.ts';
import { type SubgraphName, subgraphNames, subgraphSdl } from './graph.ts';

export interface SubgraphFault {
  /** Calls are never answered. */
  readonly hangs?: boolean;
  /** The share of calls that are answered with 503. */
  readonly failureShare?: number;
  /** The share of calls that take `slowMs` longer. */
  readonly slowShare?: number;
  readonly slowMs?: number;
  /** Calls that are processed at a time, each for `serviceMs`; the others are queued. */
  readonly concurrency?: number;
  readonly serviceMs?: number;
}

export interface FaultRequest {
  readonly subgraph: SubgraphName;
  readonly fault: SubgraphFault;
}

export interface SubgraphAddresses {
  readonly admin: string;
  readonly urls: Readonly<Record<SubgraphName, string>>;
}

const random = createRandom(1);
const schemas: Readonly<Record<SubgraphName, Parameters<typeof buildSubgraphSchema>[0]>> = Object.fromEntries(
  subgraphNames.map((name) => [
    name,
    {
      typeDefs: parse(subgraphSdl(name)),
      resolvers: {
        ...(name === 'catalog'
          ? { Query: { product: (_: unknown, { id }: { id: string }) => ({ id }) } }
          : {}),
        Product: {
          __resolveReference: ({ id }: { id: string }) => ({ id }),
          [name]: ({ id }: { id: string }) => `${name} ${id}`,
        },
      },
    },
  ]),
) as never;

class FaultySubgraph {
  calls = 0;
  #fault: SubgraphFault = {};
  #running = 0;
  readonly #queue: (() => void)[] = [];
  readonly #answers: CannedAnswers;
  readonly server: Server;

  constructor(name: SubgraphName) {
    this.#answers = new CannedAnswers(buildSubgraphSchema(schemas[name]));
    this.server = createServer((request, response) => void this.#serve(request, response));
    this.server.keepAliveTimeout = 3_600_000;
  }

  set fault(fault: SubgraphFault) {
    this.#fault = fault;
    while (this.#hasRoom) this.#startNext();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request);
    this.calls += 1;
    const { hangs = false, failureShare = 0, slowShare = 0, slowMs = 0, serviceMs = 0 } = this.#fault;
    if (hangs) return;
    if (random.chance(failureShare)) {
      response.writeHead(503, { 'content-type': 'text/plain' }).end('Service Unavailable');
      return;
    }
    const bytes = await this.#answers.answer(body);
    await this.#takeTurn();
    const wait = serviceMs + (random.chance(slowShare) ? slowMs : 0);
    const respond = (): void => {
      response
        .writeHead(200, { 'content-type': 'application/json', 'content-length': bytes.length })
        .end(bytes);
      this.#running -= 1;
      if (this.#hasRoom) this.#startNext();
    };
    if (wait > 0) setTimeout(respond, wait);
    else respond();
  }

  get #hasRoom(): boolean {
    return this.#queue.length > 0 && this.#running < (this.#fault.concurrency ?? Number.POSITIVE_INFINITY);
  }

  /** First in, first out, like the accept queue of a server. A call whose client has gone is processed all the same. */
  #takeTurn(): Promise<void> {
    return new Promise((resolve) => {
      this.#queue.push(resolve);
      if (this.#hasRoom) this.#startNext();
    });
  }

  #startNext(): void {
    this.#running += 1;
    this.#queue.shift()?.();
  }
}

const subgraphs = new Map(subgraphNames.map((name) => [name, new FaultySubgraph(name)]));

const admin = createServer(async (request, response) => {
  if (request.method === 'POST') {
    const { subgraph, fault } = (await json(request)) as FaultRequest;
    (subgraphs.get(subgraph) as FaultySubgraph).fault = fault;
    response.writeHead(204).end();
    return;
  }
  response.end(
    JSON.stringify(Object.fromEntries(Array.from(subgraphs, ([name, { calls }]) => [name, calls]))),
  );
});

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const urls: Partial<Record<SubgraphName, string>> = {};
for (const [name, { server }] of subgraphs) urls[name] = `${await listen(server)}/graphql`;
console.log(JSON.stringify({ admin: await listen(admin), urls }));
