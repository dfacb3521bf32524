const empty = Buffer.alloc(0);

/** Bytes that came in chunks, looked at as if they were one: nothing is copied where a chunk is used up before the next
 *  comes, and each byte a few times at most where it is not. What was taken is never written over. */
export class ByteQueue {
  #bytes: Buffer = empty;
  #start = 0;
  #end = 0;

  get length(): number {
    return this.#end - this.#start;
  }

  append(chunk: Buffer): void {
    if (this.length === 0) {
      this.#bytes = chunk;
      this.#start = 0;
      this.#end = chunk.length;
      return;
    }
    // The chunk itself is another's memory: there is room only behind what was copied.
    if (this.#end + chunk.length > this.#bytes.length) this.#grow(chunk.length);
    chunk.copy(this.#bytes, this.#end);
    this.#end += chunk.length;
  }

  /** Counted from the first byte that is there; -1 if not found. */
  indexOf(needle: number | Buffer, from = 0): number {
    return this.#bytes.subarray(this.#start, this.#end).indexOf(needle, from);
  }

  at(index: number): number | undefined {
    return index >= 0 && index < this.length ? this.#bytes[this.#start + index] : undefined;
  }

  /** The first so many bytes, which are gone from here. */
  take(count: number): Buffer {
    const taken = this.#bytes.subarray(this.#start, this.#start + count);
    this.drop(count);
    return taken;
  }

  drop(count: number): void {
    this.#start += count;
    if (this.#start < this.#end) return;
    this.#bytes = empty;
    this.#start = 0;
    this.#end = 0;
  }

  #grow(more: number): void {
    const grown = Buffer.allocUnsafe(2 * (this.length + more));
    this.#bytes.copy(grown, 0, this.#start, this.#end);
    this.#end -= this.#start;
    this.#start = 0;
    this.#bytes = grown;
  }
}
