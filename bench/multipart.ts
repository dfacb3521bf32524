const headEnd = '\r\n\r\n';
const boundary = /boundary="?([^";\r]+)"?/i;

/** Splits a `multipart/mixed` body as it arrives. Like clients, it takes a part as complete when the following
 *  delimiter has arrived. */
export class MultipartReader {
  readonly #delimiter: string;
  #text = '\r\n';

  /** @param head the response's head, with the content type */
  constructor(head: string) {
    const name = boundary.exec(head)?.[1];
    if (name === undefined) throw new Error(`The response is not multipart:\n${head}`);
    this.#delimiter = `\r\n--${name}`;
  }

  /** Returns the bodies of the parts that the chunk completes. Supports ASCII only, which is all that the graph
   *  contains. */
  push(chunk: Buffer): string[] {
    this.#text += chunk.toString('latin1');
    const pieces = this.#text.split(this.#delimiter);
    this.#text = pieces.pop() ?? '';
    return pieces
      .map((piece) => {
        const start = piece.indexOf(headEnd);
        return start < 0 ? '' : piece.slice(start + headEnd.length);
      })
      .filter((body) => body !== '');
  }
}

export interface Payload {
  readonly data?: unknown;
  readonly errors?: unknown;
  readonly path?: readonly (string | number)[];
  readonly incremental?: readonly Payload[];
}

/** Merges the payloads of the 2022 format; `undefined` if one of them has errors. */
export function mergedData(payloads: readonly Payload[]): unknown {
  const [first, ...later] = payloads;
  const increments = later.flatMap((payload) => payload.incremental ?? []);
  if ([first, ...increments].some((payload) => payload?.errors !== undefined)) return undefined;
  for (const { path = [], data } of increments) {
    const target = path.reduce<unknown>(
      (value, step) => (value as Record<string | number, unknown> | undefined)?.[step],
      first?.data,
    );
    Object.assign(target as object, data);
  }
  return first?.data;
}
