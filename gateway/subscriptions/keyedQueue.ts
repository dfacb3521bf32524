export interface QueueLimits {
  /** Maximum waiting members of one queue, besides the first. */
  readonly maxWaiting: number;
  /** Maximum bytes in one queue, besides those of the member that has its turn. */
  readonly maxBytes: number;
}

/** One member of a queue. */
interface QueueSlot {
  /** Counts more bytes for this member. Returns false when the queue holds too many bytes; the caller then releases the
   *  slot. */
  addBytes(bytes: number): boolean;
  /** Resolves to true when all members that have waited before have released their slots. Resolves to false at once when the
   *  queue is full; the caller then releases the slot. */
  waitForTurn(): Promise<boolean>;
  /** Leaves the queue. Idempotent. */
  release(): void;
}

/** One bounded first-in, first-out queue for each key. Members take their turn in the order in which they begin to wait: one
 *  that is still being read, perhaps forever, delays no other. */
export class KeyedQueue {
  readonly #limits: QueueLimits;
  readonly #queues = new Map<string, SerialQueue>();

  constructor(limits: QueueLimits) {
    this.#limits = limits;
  }

  /** Adds a member to the queue of this key. */
  enqueue(key: string): QueueSlot {
    const queue = this.#queues.get(key) ?? new SerialQueue(this.#limits);
    this.#queues.set(key, queue);
    const { release, ...slot } = queue.enqueue();
    return {
      ...slot,
      release: () => {
        release();
        if (queue.isEmpty && this.#queues.get(key) === queue) this.#queues.delete(key);
      },
    };
  }
}

interface QueueMember {
  readonly turn: PromiseWithResolvers<true>;
  bytes: number;
}

/** Members up to this size pass the byte limit while they are read: they may be `check`s, which never wait. */
const uncheckedBytes = 1024;

class SerialQueue {
  readonly #limits: QueueLimits;
  readonly #members = new Set<QueueMember>();
  /** Those that wait, in order. The first one has its turn. */
  readonly #waiting = new Set<QueueMember>();
  #bytes = 0;

  constructor(limits: QueueLimits) {
    this.#limits = limits;
  }

  get isEmpty(): boolean {
    return this.#members.size === 0;
  }

  enqueue(): QueueSlot {
    const member: QueueMember = { turn: Promise.withResolvers(), bytes: 0 };
    this.#members.add(member);
    return {
      addBytes: (bytes) => {
        member.bytes += bytes;
        this.#bytes += bytes;
        return member.bytes <= uncheckedBytes || this.#hasRoomFor(member);
      },
      waitForTurn: async () => {
        this.#waiting.add(member);
        this.#notifyFirst();
        return this.#hasRoomFor(member) && (await member.turn.promise);
      },
      release: () => this.#remove(member),
    };
  }

  #hasRoomFor(member: QueueMember): boolean {
    const first = this.#firstWaiting ?? this.#members.values().next().value;
    if (member === first) return true;
    return (
      this.#bytes - (first?.bytes ?? 0) <= this.#limits.maxBytes &&
      this.#waiting.size - 1 <= this.#limits.maxWaiting
    );
  }

  #remove(member: QueueMember): void {
    if (!this.#members.delete(member)) return;
    this.#waiting.delete(member);
    this.#bytes -= member.bytes;
    this.#notifyFirst();
  }

  #notifyFirst(): void {
    this.#firstWaiting?.turn.resolve(true);
  }

  get #firstWaiting(): QueueMember | undefined {
    return this.#waiting.values().next().value;
  }
}
