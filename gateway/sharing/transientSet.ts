import { TransientMap } from './transientMap.ts';

/** A `Set` that lives long, of objects that do not. A plain Set would keep them in memory for much longer: see
 *  `TransientMap`. */
export class TransientSet<Member> {
  readonly #members = new TransientMap<Member, undefined>();

  get size(): number {
    return this.#members.size;
  }

  add(member: Member): void {
    this.#members.set(member, undefined);
  }

  delete(member: Member): void {
    this.#members.delete(member);
  }

  /** The members at the time of the call. */
  toArray(): Member[] {
    return [...this.#members.keys()];
  }
}
