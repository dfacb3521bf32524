import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface RawRequest {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

/** A response as received. */
export interface RawResponse {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** An HTTP/1.1 connection that returns each HTTP chunk of a response separately. */
export class RawConnection implements AsyncDisposable {
  readonly socket: Socket;
  #received = Buffer.alloc(0);
  #hasEnded = false;
  #wake: (() => void) | undefined;
  #headers: ReadonlyMap<string, string> = new Map();

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (bytes: Buffer) => {
      this.#received = Buffer.concat([this.#received, bytes]);
      this.#wake?.();
    });
    const end = (): void => {
      this.#hasEnded = true;
      this.#wake?.();
    };
    socket.on('close', end);
    socket.on('error', end);
  }

  static async open(url: string): Promise<RawConnection> {
    const { hostname, port } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port) });
    await once(socket, 'connect');
    return new RawConnection(socket);
  }

  /** Writes a request. Adds `content-length` unless `headers` has one. */
  send({ method = 'POST', path = '/graphql', headers = {}, body }: RawRequest): void {
    const bytes = typeof body === 'string' ? Buffer.from(body) : Buffer.from(body ?? []);
    const names = new Set(Object.keys(headers).map((name) => name.toLowerCase()));
    const lines = [`${method} ${path} HTTP/1.1`];
    if (!names.has('host')) lines.push('host: gateway.localhost');
    if (body !== undefined && !names.has('content-length') && !names.has('transfer-encoding')) {
      lines.push(`content-length: ${bytes.length}`);
    }
    for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
    this.socket.write(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), bytes]));
  }

  /** Reads the status and headers of the next response. */
  async readHead(): Promise<Omit<RawResponse, 'body'>> {
    const head = await this.#takeUntil('\r\n\r\n');
    const [statusLine = '', ...lines] = head.split('\r\n');
    const headers = new Map<string, string>();
    for (const line of lines) {
      const colon = line.indexOf(':');
      headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
    }
    this.#headers = headers;
    return { status: Number(statusLine.split(' ')[1]), headers };
  }

  /** Reads the next HTTP chunk, which the server wrote in one turn of its event loop; `undefined` after the last. */
  async readChunk(): Promise<string | undefined> {
    const size = Number.parseInt(await this.#takeUntil('\r\n'), 16);
    const chunk = await this.#take(size + 2);
    return size === 0 ? undefined : chunk.subarray(0, size).toString();
  }

  /** Reads the body after `readHead`. */
  async readBody(): Promise<string> {
    if (this.#headers.get('transfer-encoding') !== 'chunked') {
      return (await this.#take(Number(this.#headers.get('content-length') ?? 0))).toString();
    }
    let body = '';
    for (let chunk = await this.readChunk(); chunk !== undefined; chunk = await this.readChunk())
      body += chunk;
    return body;
  }

  async readResponse(): Promise<RawResponse> {
    const head = await this.readHead();
    return { ...head, body: await this.readBody() };
  }

  async waitForClose(): Promise<void> {
    while (!this.#hasEnded) await this.#waitForData();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy();
    await this.waitForClose();
  }

  async #takeUntil(mark: string): Promise<string> {
    let at = this.#received.indexOf(mark);
    while (at === -1) {
      await this.#waitForData();
      at = this.#received.indexOf(mark);
    }
    const taken = this.#received.subarray(0, at).toString();
    this.#received = this.#received.subarray(at + mark.length);
    return taken;
  }

  async #take(length: number): Promise<Buffer> {
    while (this.#received.length < length) await this.#waitForData();
    const taken = this.#received.subarray(0, length);
    this.#received = this.#received.subarray(length);
    return taken;
  }

  async #waitForData(): Promise<void> {
    if (this.#hasEnded) throw new Error(`The connection ended; unread: ${this.#received.toString()}`);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    await promise;
  }
}

/** Sends one request on a new connection. */
export async function exchange(url: string, request: RawRequest): Promise<RawResponse> {
  await using connection = await RawConnection.open(url);
  connection.send(request);
  return await connection.readResponse();
}

/** Sends a JSON body over POST on a new connection. */
export function exchangeJson(
  url: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<RawResponse> {
  const contentType = { 'content-type': 'application/json' };
  return exchange(url, { headers: { ...contentType, ...headers }, body: JSON.stringify(body) });
}

/** The status, media type and parsed body of a JSON response. */
export function parseJsonResponse({ status, headers, body }: RawResponse): unknown {
  return { status, type: headers.get('content-type'), body: body === '' ? undefined : JSON.parse(body) };
}

interface MultipartResponse {
  readonly status: number;
  readonly contentType: string | undefined;
  readonly payloads: readonly unknown[];
}

/** Sends an operation and reads the complete response as `multipart/mixed`. Checks the framing. */
export async function collectPayloads(url: string, request: RawRequest): Promise<MultipartResponse> {
  await using connection = await RawConnection.open(url);
  connection.send(request);
  const { status, headers } = await connection.readHead();
  const reader = new MultipartReader();
  const payloads: unknown[] = [];
  for (let chunk = await connection.readChunk(); chunk !== undefined; chunk = await connection.readChunk()) {
    payloads.push(...reader.read(chunk));
  }
  reader.assertClosed();
  return { status, contentType: headers.get('content-type'), payloads };
}

/** Parses the writes of a `multipart/mixed` body with the boundary `-`; returns the payloads that a client can read after
 *  each write.
 *  @throws for a body that a strict client would reject. */
export class MultipartReader {
  #hasBegun = false;
  #isClosed = false;

  read(chunk: string): unknown[] {
    if (this.#isClosed) throw new Error(`Bytes after the closing delimiter: ${JSON.stringify(chunk)}`);
    let rest = chunk;
    if (!this.#hasBegun) {
      if (!rest.startsWith('\r\n---\r\n')) throw new Error(`No opening delimiter: ${JSON.stringify(chunk)}`);
      rest = rest.slice('\r\n---\r\n'.length);
      this.#hasBegun = true;
    }
    const payloads: unknown[] = [];
    while (rest !== '' && !this.#isClosed) {
      const [, head, payload, end] =
        /^((?:[a-z-]+: [^\r\n]+\r\n)+)\r\n([^\r\n]+)\r\n---(\r\n|--\r\n)/.exec(rest) ?? [];
      if (payload === undefined || head === undefined) {
        throw new Error(`No whole part with its delimiter: ${JSON.stringify(rest)}`);
      }
      if (head !== 'content-type: application/json; charset=utf-8\r\n') {
        throw new Error(`Unexpected part header: ${JSON.stringify(head)}`);
      }
      payloads.push(JSON.parse(payload));
      rest = rest.slice(head.length + 2 + payload.length + '\r\n---'.length + (end as string).length);
      this.#isClosed = end === '--\r\n';
    }
    if (rest !== '') throw new Error(`Bytes after the closing delimiter: ${JSON.stringify(rest)}`);
    return payloads;
  }

  assertClosed(): void {
    if (!this.#isClosed) throw new Error('The body has no closing delimiter.');
  }
}

type Json = Record<string, unknown>;
type Path = readonly (string | number)[];

export interface MergedResponse {
  readonly data?: unknown;
  readonly errors?: readonly unknown[];
  readonly extensions?: Readonly<Record<string, unknown>>;
}

/** Merges the payloads of either incremental format into the response of the operation without `@defer`. A failed fragment
 *  has no fields, and its errors in `errors`. In the 2022 format, a null may replace an object that was sent if an error
 *  explains it, because each entry is a whole fragment, in which the null propagates. `mayFillNulls`: a payload may replace
 *  null, for clients with `tributary-defer: auto`.
 *  @throws for a payload that a client could misread. */
export function mergePayloads(payloads: readonly unknown[], mayFillNulls = false): MergedResponse {
  const merge = new PayloadMerge(mayFillNulls);
  for (const payload of payloads) merge.add(payload as Json);
  return merge.finish();
}

class PayloadMerge {
  readonly #mayFillNulls: boolean;
  #data: unknown;
  #hasData = false;
  #count = 0;
  #hasNext = true;
  readonly #errors: unknown[] = [];
  readonly #extensions: Json = {};
  readonly #pending = new Map<string, Path>();
  readonly #usedIds = new Set<string>();

  constructor(mayFillNulls: boolean) {
    this.#mayFillNulls = mayFillNulls;
  }

  add(payload: Json): void {
    if (!this.#hasNext) throw new Error(`A payload after hasNext: false: ${JSON.stringify(payload)}`);
    if (typeof payload.hasNext !== 'boolean') throw new Error(`No hasNext: ${JSON.stringify(payload)}`);
    this.#hasNext = payload.hasNext;
    const isFirst = this.#count++ === 0;
    if ('data' in payload) {
      if (!isFirst) throw new Error(`Root data in a later payload: ${JSON.stringify(payload)}`);
      this.#data = structuredClone(payload.data);
      this.#hasData = true;
    }
    this.#collect(payload);
    const opened = list(payload.pending).map((pending) => this.#addPending(pending));
    for (const increment of list(payload.incremental)) this.#merge(increment);
    // After the data, because a fragment may be announced together with its parent object.
    for (const path of opened) this.#objectAt(path);
    for (const completed of list(payload.completed)) this.#complete(completed);
  }

  finish(): MergedResponse {
    if (this.#hasNext) throw new Error('The last payload promises another.');
    if (this.#pending.size > 0) throw new Error(`Never completed: ${[...this.#pending.keys()].join(', ')}`);
    return {
      ...(this.#hasData ? { data: this.#data } : {}),
      ...(this.#errors.length > 0 ? { errors: this.#errors } : {}),
      ...(Object.keys(this.#extensions).length > 0 ? { extensions: this.#extensions } : {}),
    };
  }

  #addPending({ id, path }: Json): Path {
    if (typeof id !== 'string' || !Array.isArray(path))
      throw new Error(`Bad pending: ${JSON.stringify({ id, path })}`);
    if (this.#usedIds.has(id)) throw new Error(`The id ${id} is used twice.`);
    this.#usedIds.add(id);
    this.#pending.set(id, path);
    return path;
  }

  #merge(increment: Json): void {
    this.#collect(increment);
    if (increment.data === null || increment.data === undefined) return;
    const path = this.#pathOf(increment);
    const isByPath = !('id' in increment);
    mergeInto(this.#objectAt(path), increment.data as Json, path, (present, value, place) =>
      present === null
        ? this.#mayFillNulls
        : isByPath && isContainer(present) && value === null && this.#hasErrorAt(place),
    );
  }

  /** Whether an error has this path or one below it. */
  #hasErrorAt(place: Path): boolean {
    return this.#errors.some((error) => {
      const path = (error as { path?: Path }).path ?? [];
      return place.every((part, index) => path[index] === part);
    });
  }

  #pathOf(increment: Json): Path {
    if (!('id' in increment)) {
      if (!Array.isArray(increment.path)) throw new Error(`No path: ${JSON.stringify(increment)}`);
      return increment.path;
    }
    const start = this.#pending.get(String(increment.id));
    if (start === undefined) throw new Error(`An id that is not pending: ${JSON.stringify(increment)}`);
    return [...start, ...((increment.subPath as Path | undefined) ?? [])];
  }

  #complete(completed: Json): void {
    const { id } = completed;
    if (!this.#pending.delete(String(id)))
      throw new Error(`Completed but not pending: ${JSON.stringify(completed)}`);
    this.#collect(completed);
  }

  #collect(from: Json): void {
    this.#errors.push(...list(from.errors));
    Object.assign(this.#extensions, from.extensions);
  }

  /** The object at a path. Both formats may only refer to paths that were sent before. */
  #objectAt(path: Path): Json {
    let place = this.#data;
    for (const key of path) {
      if (typeof place !== 'object' || place === null || !Object.hasOwn(place, key)) {
        throw new Error(`The path ${path.join('.')} leads to nothing that was sent.`);
      }
      place = (place as Record<string | number, unknown>)[key];
    }
    if (typeof place !== 'object' || place === null) throw new Error(`No object at ${path.join('.')}.`);
    return place as Json;
  }
}

function list(value: unknown): Json[] {
  return Array.isArray(value) ? (value as Json[]) : [];
}

function mergeInto(
  target: Json,
  source: Json,
  path: Path,
  mayReplace: (present: unknown, value: unknown, place: Path) => boolean,
): void {
  for (const [key, value] of Object.entries(source)) {
    // `constructor` may be a response name: ignore inherited properties.
    const present = Object.hasOwn(target, key) ? target[key] : undefined;
    // List indices are numbers in the paths of errors.
    const place = [...path, Array.isArray(target) ? Number(key) : key];
    if (isContainer(present) && isContainer(value)) {
      if (Array.isArray(present) && Array.isArray(value) && present.length !== value.length) {
        throw new Error(`Lists of different length at ${place.join('.')}.`);
      }
      mergeInto(present, value, place, mayReplace);
    } else if (
      present !== undefined &&
      JSON.stringify(present) !== JSON.stringify(value) &&
      !mayReplace(present, value, place)
    ) {
      throw new Error(`Two values at ${place.join('.')}.`);
    } else {
      // Assignment would set the prototype for the name `__proto__`.
      Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true });
    }
  }
}

function isContainer(value: unknown): value is Json {
  return typeof value === 'object' && value !== null;
}
