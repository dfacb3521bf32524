export interface QueueLimits {
  /** Most that wait in one line, besides the first. */
  readonly maxWaiting: number;
  /** Most bytes in one line, besides those of its first. */
  readonly maxBytes: number;
}

/** Somebody's place in a line. */
export interface QueueSlot {
  /** It has so many more bytes. False where that is too much: it is to leave then. */
  addBytes(bytes: number): boolean;
  /** Resolves to true when all before it have left. Resolves to false, at once, where there are too many: it is to
   *  leave then. */
  waitForTurn(): Promise<boolean>;
  /** It has done what it came for, or gives it up. Idempotent. */
  release(): void;
}

/** Lets what belongs together happen in the order in which it came, however long each takes to be ready, and lets no
 *  more wait than there may be. */
export class KeyedQueue {
  readonly #limits: QueueLimits;
  readonly #queues = new Map<string, SerialQueue>();

  constructor(bounds: QueueLimits) {
    this.#limits = bounds;
  }

  /** The last place in the line with this key. */
  enqueue(key: string): QueueSlot {
    const line = this.#queues.get(key) ?? new SerialQueue(this.#limits);
    this.#queues.set(key, line);
    const { release, ...place } = line.enqueue();
    return {
      ...place,
      release: () => {
        release();
        if (line.isEmpty && this.#queues.get(key) === line) this.#queues.delete(key);
      },
    };
  }
}

interface QueueMember {
  readonly turn: PromiseWithResolvers<true>;
  bytes: number;
  isWaiting: boolean;
}

/** What has no more than these is not refused for its bytes before it is known what it is. */
const uncheckedBytes = 1024;

class SerialQueue {
  readonly #limits: QueueLimits;
  readonly #members = new Set<QueueMember>();
  #bytes = 0;
  #waiting = 0;

  constructor(bounds: QueueLimits) {
    this.#limits = bounds;
  }

  get isEmpty(): boolean {
    return this.#members.size === 0;
  }

  enqueue(): QueueSlot {
    const member: QueueMember = { turn: Promise.withResolvers(), bytes: 0, isWaiting: false };
    this.#members.add(member);
    this.#notifyFirst();
    return {
      addBytes: (bytes) => {
        member.bytes += bytes;
        this.#bytes += bytes;
        return member.bytes <= uncheckedBytes || this.#hasRoomFor(member);
      },
      waitForTurn: async () => {
        member.isWaiting = true;
        this.#waiting += 1;
        return this.#hasRoomFor(member) && (await member.turn.promise);
      },
      release: () => this.#remove(member),
    };
  }

  #hasRoomFor(member: QueueMember): boolean {
    const first = this.#first;
    if (member === first) return true;
    return (
      this.#bytes - (first?.bytes ?? 0) <= this.#limits.maxBytes &&
      this.#waiting - (first?.isWaiting === true ? 1 : 0) <= this.#limits.maxWaiting
    );
  }

  #remove(member: QueueMember): void {
    if (!this.#members.delete(member)) return;
    this.#bytes -= member.bytes;
    if (member.isWaiting) this.#waiting -= 1;
    this.#notifyFirst();
  }

  #notifyFirst(): void {
    this.#first?.turn.resolve(true);
  }

  get #first(): QueueMember | undefined {
    return this.#members.values().next().value;
  }
}
