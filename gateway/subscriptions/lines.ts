export interface LineBounds {
  /** Most that wait in one line, besides the first. */
  readonly waiting: number;
  /** Most bytes in one line, besides those of its first. */
  readonly bytes: number;
}

/** Somebody's place in a line. */
export interface Place {
  /** It has so many more bytes. False where that is too much: it is to leave then. */
  hold(bytes: number): boolean;
  /** Resolves to true when all before it have left. Resolves to false, at once, where there are too many: it is to
   *  leave then. */
  turn(): Promise<boolean>;
  /** It has done what it came for, or gives it up. Idempotent. */
  leave(): void;
}

/** Lets what belongs together happen in the order in which it came, however long each takes to be ready, and lets no
 *  more wait than there may be. */
export class Lines {
  readonly #bounds: LineBounds;
  readonly #lines = new Map<string, Line>();

  constructor(bounds: LineBounds) {
    this.#bounds = bounds;
  }

  /** The last place in the line with this key. */
  enter(key: string): Place {
    const line = this.#lines.get(key) ?? new Line(this.#bounds);
    this.#lines.set(key, line);
    const { leave, ...place } = line.enter();
    return {
      ...place,
      leave: () => {
        leave();
        if (line.isEmpty && this.#lines.get(key) === line) this.#lines.delete(key);
      },
    };
  }
}

interface Member {
  readonly isFirst: PromiseWithResolvers<true>;
  bytes: number;
  isWaiting: boolean;
}

/** What has no more than these is not refused for its bytes before it is known what it is. */
const smallBytes = 1024;

class Line {
  readonly #bounds: LineBounds;
  readonly #members = new Set<Member>();
  #bytes = 0;
  #waiting = 0;

  constructor(bounds: LineBounds) {
    this.#bounds = bounds;
  }

  get isEmpty(): boolean {
    return this.#members.size === 0;
  }

  enter(): Place {
    const member: Member = { isFirst: Promise.withResolvers(), bytes: 0, isWaiting: false };
    this.#members.add(member);
    this.#callFirst();
    return {
      hold: (bytes) => {
        member.bytes += bytes;
        this.#bytes += bytes;
        return member.bytes <= smallBytes || this.#hasRoomFor(member);
      },
      turn: async () => {
        member.isWaiting = true;
        this.#waiting += 1;
        return this.#hasRoomFor(member) && (await member.isFirst.promise);
      },
      leave: () => this.#leave(member),
    };
  }

  #hasRoomFor(member: Member): boolean {
    const first = this.#first;
    if (member === first) return true;
    return (
      this.#bytes - (first?.bytes ?? 0) <= this.#bounds.bytes &&
      this.#waiting - (first?.isWaiting === true ? 1 : 0) <= this.#bounds.waiting
    );
  }

  #leave(member: Member): void {
    if (!this.#members.delete(member)) return;
    this.#bytes -= member.bytes;
    if (member.isWaiting) this.#waiting -= 1;
    this.#callFirst();
  }

  #callFirst(): void {
    this.#first?.isFirst.resolve(true);
  }

  get #first(): Member | undefined {
    return this.#members.values().next().value;
  }
}
