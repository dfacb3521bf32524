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

  /** The values of all members `verifier` in both parts, which overlap if the body is short. The event may have such a member,
   *  too. */
  get verifiers(): readonly string[] {
    const text = `${this.#beginning.toString('latin1')}\n${this.#end.toString('latin1')}`;
    return Array.from(text.matchAll(/"verifier"\s*:\s*"(\w+)"/g), ([, verifier = '']) => verifier);
  }
}
