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
