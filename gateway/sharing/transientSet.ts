/** Below this number of deletions, a copy would cost more than it saves. */
const fewestDeletionsPerCopy = 64;

/** Whether a Set or a Map of this size is to be copied after this many deletions. The cost of a copy is in proportion to the
 *  size, so it is spread over as many deletions. */
export function isCopyDue(deletions: number, size: number): boolean {
  return deletions >= fewestDeletionsPerCopy && deletions >= size;
}

/** A `Set` that lives long, of objects that do not: calls under way, open requests.
 *
 *  A plain Set would keep them in memory for much longer. When V8 makes room in a Set or a Map, the old table refers to the
 *  new one, and to the members of that moment. After a full garbage collection, one of the tables is in the old generation.
 *  The chain of tables that begins there, with all their members, stays in memory until the next full collection, and each
 *  collection of the young generation copies what was added to it. A copy begins a new chain. */
export class TransientSet<Member> {
  #members = new Set<Member>();
  #deletions = 0;

  get size(): number {
    return this.#members.size;
  }

  add(member: Member): void {
    this.#members.add(member);
  }

  delete(member: Member): void {
    if (!this.#members.delete(member)) return;
    this.#deletions += 1;
    if (!isCopyDue(this.#deletions, this.#members.size)) return;
    this.#deletions = 0;
    this.#members = new Set(this.#members);
  }

  /** The members at the time of the call. */
  toArray(): Member[] {
    return [...this.#members];
  }
}
