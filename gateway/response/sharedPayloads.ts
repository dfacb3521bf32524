import type { RequestSignal } from '../time/requestAbort.ts';
import type { IncrementalOutcome } from './executionOutcome.ts';

type Batch = IteratorResult<readonly string[], undefined>;

/** A batch that was read from the source, and the one after it. Batches that no reader needs any more are garbage. */
interface BatchNode {
  /** `undefined` before the first batch. */
  batch: Promise<Batch> | undefined;
  /** Whether the batch has the last payload; set when the batch was read. */
  isLast: boolean;
  next: BatchNode | undefined;
}

function emptyNode(): BatchNode {
  return { batch: undefined, isLast: false, next: undefined };
}

const done: Batch = { done: true, value: undefined };

/** The payloads of one incremental response for several readers, who read at their own pace. The source ends when every
 *  reader has ended. */
export class SharedPayloads {
  readonly #outcome: IncrementalOutcome;
  readonly #source: AsyncIterator<readonly string[], undefined>;
  #first = emptyNode();
  #readers = 0;

  constructor(outcome: IncrementalOutcome) {
    this.#outcome = outcome;
    this.#source = outcome.payloads[Symbol.asyncIterator]();
  }

  /** Adds a reader. All readers must be added before the first one reads. `signal`: ends the reader's payloads early,
   *  with a last payload, so that the response is well-formed. `onEnd`: called once. */
  addReader(signal: RequestSignal, onEnd: (isComplete: boolean) => void): IncrementalOutcome {
    this.#readers += 1;
    const reader = new PayloadReader(this.#first, {
      signal,
      read: () => this.#read(),
      onEnd: (isComplete) => {
        onEnd(isComplete);
        this.#readers -= 1;
        if (this.#readers === 0 && !isComplete) void this.#source.return?.();
      },
    });
    return { ...this.#outcome, payloads: reader };
  }

  #read(): BatchNode {
    // All readers have been added, and this node would keep all batches in memory.
    this.#first = emptyNode();
    const node = emptyNode();
    node.batch = this.#source.next().then((read) => {
      node.isLast = read.done === true || this.#outcome.isComplete();
      return read;
    });
    return node;
  }
}

interface PayloadReaderOptions {
  readonly signal: RequestSignal;
  /** Reads the next batch of the source. Not called while another batch is being read. */
  read(): BatchNode;
  onEnd(isComplete: boolean): void;
}

class PayloadReader implements AsyncIterableIterator<readonly string[], undefined> {
  readonly #options: PayloadReaderOptions;
  #node: BatchNode;
  readonly #left = Promise.withResolvers<undefined>();
  /** `cut`: ended early, and the last payload is still to be read. */
  #state: 'open' | 'cut' | 'ended' = 'open';
  readonly #cut = (): void => this.#end('cut', false);

  constructor(first: BatchNode, options: PayloadReaderOptions) {
    this.#node = first;
    this.#options = options;
    options.signal.addEventListener('abort', this.#cut, { once: true });
  }

  async next(): Promise<Batch> {
    if (this.#state === 'ended') return done;
    const isFirst = this.#node.batch === undefined;
    this.#node.next ??= this.#options.read();
    const { next } = this.#node;
    try {
      // The first payload is always sent: the ones after it refer to it.
      const batch = isFirst ? await next.batch : await Promise.race([next.batch, this.#left.promise]);
      return this.#take(next, batch);
    } catch (fault) {
      this.#end('ended', false);
      throw fault;
    }
  }

  /** `batch`: `undefined` if the reader has ended before it was read. */
  #take(node: BatchNode, batch: Batch | undefined): Batch {
    if (this.#state === 'ended') return done;
    if (this.#state === 'cut') {
      this.#state = 'ended';
      const first = this.#node.batch === undefined ? batch?.value : undefined;
      return { done: false, value: [...(first ?? []), '{"hasNext":false}'] };
    }
    this.#node = node;
    if (node.isLast) this.#end('ended', true);
    return batch ?? done;
  }

  async return(): Promise<Batch> {
    this.#end('ended', false);
    return done;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #end(state: 'cut' | 'ended', isComplete: boolean): void {
    if (this.#state !== 'open') {
      this.#state = 'ended';
      return;
    }
    this.#state = state;
    this.#options.signal.removeEventListener('abort', this.#cut);
    this.#options.onEnd(isComplete);
    this.#left.resolve(undefined);
  }
}
