const headEnd = '\r\n\r\n';
const boundary = /boundary="?([^";\r]+)"?/i;

/** Takes a `multipart/mixed` body apart while it arrives. As clients do, it counts a part as arrived when the
 *  delimiter after it has. */
export class MultipartReader {
  readonly #delimiter: string;
  #text = '\r\n';

  /** @param head the response's head, with the content type */
  constructor(head: string) {
    const name = boundary.exec(head)?.[1];
    if (name === undefined) throw new Error(`The answer is not multipart:\n${head}`);
    this.#delimiter = `\r\n--${name}`;
  }

  /** Bodies of the parts that the chunk completes. Only ASCII is understood, which is all that the graph holds. */
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
