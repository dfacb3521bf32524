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

/** Members of one queue that take their turn in one turn of the event loop: a subgraph may send very many messages. */
const membersPerLoopTurn = 20;

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
    const queue = this.#queues.get(key) ?? new SerialQueue(this.#limits, () => this.#queues.delete(key));
    this.#queues.set(key, queue);
    return queue.enqueue();
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
  readonly #onUnused: () => void;
  readonly #members = new Set<QueueMember>();
  /** Those that wait, in order. The first one has its turn. */
  readonly #waiting = new Set<QueueMember>();
  #bytes = 0;
  /** The member that has its turn. */
  #current: QueueMember | undefined;
  /** Turns that began in this turn of the event loop. */
  #turns = 0;

  /** `onUnused`: called when the queue is empty and limits no member of this turn of the event loop. */
  constructor(limits: QueueLimits, onUnused: () => void) {
    this.#limits = limits;
    this.#onUnused = onUnused;
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
    this.#checkUse();
  }

  #notifyFirst(): void {
    const first = this.#firstWaiting;
    if (first === undefined || first === this.#current || this.#turns === membersPerLoopTurn) return;
    this.#current = first;
    this.#turns += 1;
    if (this.#turns === 1) setImmediate(() => this.#beginLoopTurn());
    first.turn.resolve(true);
  }

  #beginLoopTurn(): void {
    this.#turns = 0;
    this.#notifyFirst();
    this.#checkUse();
  }

  #checkUse(): void {
    if (this.#members.size === 0 && this.#turns === 0) this.#onUnused();
  }

  get #firstWaiting(): QueueMember | undefined {
    return this.#waiting.values().next().value;
  }
}
