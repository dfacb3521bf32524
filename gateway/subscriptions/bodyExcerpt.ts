/** Bytes of the beginning and of the end of a body: enough for the members of a callback message besides its event. */
const maxPartBytes = 1024;

/** The beginning and the end of a body that is too large to be stored. */
export class BodyExcerpt {
  #beginning = Buffer.alloc(0);
  #end = Buffer.alloc(0);

  add(chunk: Buffer): void {
    const room = maxPartBytes - this.#beginning.length;
    if (room > 0) this.#beginning = Buffer.concat([this.#beginning, chunk.subarray(0, room)]);
    this.#end = Buffer.concat([this.#end, chunk.subarray(-maxPartBytes)]).subarray(-maxPartBytes);
  }

  /** Both parts, which overlap if the body is short. */
  get text(): string {
    return `${this.#beginning.toString('latin1')}\n${this.#end.toString('latin1')}`;
  }
}
