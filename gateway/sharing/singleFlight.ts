import { TransientMap } from './transientMap.ts';

/** Does the work that the joiners of a flight wait for. */
export interface Leader<Joiner> {
  onJoin(joiner: Joiner): void;
  /** A joiner no longer waits. Not called for joiners that the leader itself removed, nor after `settle`. */
  onLeave(joiner: Joiner): void;
  /** False once it is too late to join: the next caller with the same key leads another flight. Always true when omitted. */
  readonly isOpen?: boolean;
}

/** The flights that are under way, by key. */
interface FlightMap<Joiner, Key> {
  get(key: Key): Flight<Joiner, Key> | undefined;
  set(key: Key, flight: Flight<Joiner, Key>): void;
  delete(key: Key): void;
}

/** Work that is under way once, and the joiners that wait for its outcome. */
export class Flight<Joiner, Key = string> {
  /** A list, because most flights have one joiner. `none` is never written to. */
  #joiners: Joiner[] = none;
  readonly #leader: Leader<Joiner>;
  readonly #key: Key | undefined;
  readonly #flights: FlightMap<Joiner, Key>;

  constructor(leader: Leader<Joiner>, key: Key | undefined, flights: FlightMap<Joiner, Key>) {
    this.#leader = leader;
    this.#key = key;
    this.#flights = flights;
  }

  get isOpen(): boolean {
    return this.#leader.isOpen ?? true;
  }

  get joiners(): readonly Joiner[] {
    return this.#joiners;
  }

  /** Adds a joiner on the leader's own behalf: `onJoin` is not called. */
  add(joiner: Joiner): void {
    if (this.#joiners.length === 0) this.#joiners = [joiner];
    else this.#joiners.push(joiner);
  }

  join(joiner: Joiner): void {
    this.add(joiner);
    this.#leader.onJoin(joiner);
  }

  /** Idempotent. */
  leave(joiner: Joiner): void {
    if (this.#delete(joiner)) this.#leader.onLeave(joiner);
  }

  /** Removes a joiner on the leader's own behalf: `onLeave` is not called. */
  remove(joiner: Joiner): void {
    this.#delete(joiner);
  }

  #delete(joiner: Joiner): boolean {
    const index = this.#joiners.indexOf(joiner);
    if (index === -1) return false;
    this.#joiners.splice(index, 1);
    return true;
  }

  /** Ends the flight: the next caller with the same key leads a new one. Returns the joiners, for the leader to hand
   *  them the outcome. */
  settle(): readonly Joiner[] {
    if (this.#key !== undefined && this.#flights.get(this.#key) === this) this.#flights.delete(this.#key);
    const joiners = this.#joiners;
    this.#joiners = none;
    return joiners;
  }
}

const none: never[] = [];

/** Single flight: of equal work, only one runs at a time. The first caller with a key leads the flight and does the
 *  work, later callers join it. What an outcome is, and how joiners get it, is up to the leader. */
export class SingleFlight<Joiner, Key = string> {
  readonly #flights: FlightMap<Joiner, Key>;

  /** `flights`: an empty map. */
  constructor(flights: FlightMap<Joiner, Key> = new TransientMap()) {
    this.#flights = flights;
  }

  /** Starts a flight. `undefined` if one with this key is under way that callers can join. */
  tryLead(key: Key, leader: Leader<Joiner>): Flight<Joiner, Key> | undefined {
    if (this.find(key) !== undefined) return undefined;
    const flight = new Flight(leader, key, this.#flights);
    this.#flights.set(key, flight);
    return flight;
  }

  /** Starts a flight that no later caller can join. */
  leadAlone(leader: Leader<Joiner>): Flight<Joiner, Key> {
    return new Flight(leader, undefined, this.#flights);
  }

  /** The flight under way with this key that callers can join. */
  find(key: Key): Flight<Joiner, Key> | undefined {
    const flight = this.#flights.get(key);
    return flight?.isOpen === true ? flight : undefined;
  }
}
