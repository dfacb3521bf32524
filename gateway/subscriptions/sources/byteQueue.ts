const empty = Buffer.alloc(0);

/** Chunks of bytes, accessed as one contiguous sequence. Nothing is copied when a chunk is consumed before the next one
 *  arrives; otherwise each byte is copied a constant number of times on average. Buffers that `take` returned are never
 *  overwritten. */
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
    // The chunk belongs to the caller: only memory that this queue allocated can be appended to.
    if (this.#end + chunk.length > this.#bytes.length) this.#grow(chunk.length);
    chunk.copy(this.#bytes, this.#end);
    this.#end += chunk.length;
  }

  /** The index counts from the first byte in the queue; -1 if not found. */
  indexOf(needle: number | Buffer, from = 0): number {
    return this.#bytes.subarray(this.#start, this.#end).indexOf(needle, from);
  }

  at(index: number): number | undefined {
    return index >= 0 && index < this.length ? this.#bytes[this.#start + index] : undefined;
  }

  /** Removes and returns the first `count` bytes. */
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
