import type { CallLimits } from './callLimits.ts';
import { type CallPriority, rankCount } from './callPriority.ts';
import { SortedList } from './sortedList.ts';

/** A call in the queue, as urgent as the most urgent request that waits for it. */
export interface QueuedCall {
  /** For the observer. */
  readonly priority: CallPriority;
  /** Smaller goes first. */
  readonly rank: number;
  /** Among equal ranks, the earliest deadline goes first. Milliseconds, on the clock of `now`. */
  readonly earliestDeadline: number;
  /** When no request waits for the call any more. */
  readonly latestDeadline: number;
  readonly isDeferred: boolean;
  /** The call may start: it holds a slot until `release`. */
  onTurn(now: number): void;
  /** The call will not start. May be called before `tryStart` of this call, or of another one, has returned. */
  onDrop(reason: DropReason): void;
}

/** Why a call was dropped. `full`: the queue was full, and this call was the least urgent. `deadline`: it would have missed
 *  its deadline. `queue time`: it waited longer than `queueTimeMs`. */
export type DropReason = (typeof dropReasons)[number];

export const dropReasons = ['full', 'deadline', 'queue time'] as const;

/** Observes calls that have to wait. Calls that start at once are not reported. */
export interface CallQueueObserver {
  onWait(subgraph: string): void;
  onWaitEnd(end: WaitEnd): void;
}

export interface WaitEnd {
  readonly subgraph: string;
  readonly priority: CallPriority;
  /** `left`: no caller waits for the call any more, or its deadline has passed. */
  readonly outcome: 'sent' | 'left' | DropReason;
  readonly waitedMs: number;
}

interface CallQueueOptions {
  /** What the calls wait for, for the observer. */
  readonly name: string;
  readonly limits: CallLimits;
  /** How long calls for first responses may wait; no limit when omitted. */
  readonly queueTimeMs?: number | undefined;
  readonly observer?: CallQueueObserver | undefined;
  /** Milliseconds. */
  now(): number;
  /** Of the event loop since its last call, from 0 to 1. While the event loop is saturated, calls may wait longer than
   *  `queueTimeMs`. Omitted where a saturated event loop is what they wait for. */
  readUtilization?(): number;
}

interface QueueEntry {
  readonly call: QueuedCall;
  readonly arrival: number;
  readonly enqueuedAtMs: number;
}

/** Of this many calls that leave the queue, one is of the rank that has waited longest for its turn. Strict priority alone
 *  would leave the lowest ranks without any turn for as long as higher ones fill the capacity. */
const turnsPerFairTurn = 32;

/** With a busier event loop, calls wait because the gateway itself is slow. */
const saturatedUtilization = 0.9;

/** How much each service time changes the average. */
const serviceTimeSmoothing = 0.1;

/** Limits how many calls of one subgraph are under way, and queues the others by urgency. A call that starts at once
 *  costs a few comparisons.
 *
 *  Calls that have waited for `queueTimeMs` are dropped, and then the newest call of a rank goes first: first in, first out
 *  would make every call wait until its deadline, and spend the subgraph's capacity on responses that arrive too late. So
 *  the queue continues for the rank of a dropped call, and for less urgent ones, until no call of that or a more urgent rank
 *  waits: less urgent calls delay no others, so an excess of them must not change the order of these. While the event loop
 *  is saturated, none is dropped: then calls wait for the gateway, and to drop them would relieve no subgraph.
 *  Source: adaptive LIFO and controlled delay, in "Fail at Scale", Maurer, ACM Queue 2015. Deferred calls are exempt,
 *  because no client waits.
 *
 *  `ExecutionQueue` and `AdmissionQueue` are such queues, too: of executions and of requests that are not read yet, instead
 *  of calls. */
export class CallQueue {
  #limits: CallLimits;
  readonly #options: CallQueueOptions;
  #primaryRunning = 0;
  #deferredRunning = 0;
  /** By urgency: the most urgent entry is the first one. */
  readonly #primary = new SortedList(compareUrgency);
  readonly #deferred = new SortedList(compareUrgency);
  /** The entries of `#primary` in the order of their arrival. */
  readonly #primaryByArrival = new SortedList(compareArrival);
  #arrivals = 0;
  #isDispatchScheduled = false;
  /** Ranks from this one on are overloaded. */
  #firstOverloadedRank = rankCount;
  /** When a call that waits now may have waited for too long. */
  #nextCheckAt = Number.POSITIVE_INFINITY;
  /** Since when the utilization is measured. */
  #measuringSince = 0;
  #isSaturated = false;
  #turns = 0;
  readonly #lastTurnOfRank = new Map<number, number>();
  #primaryServiceMs: number | undefined;
  #deferredServiceMs: number | undefined;

  constructor(options: CallQueueOptions) {
    this.#options = options;
    this.#limits = options.limits;
  }

  get limits(): CallLimits {
    return this.#limits;
  }

  /** Calls that the new limits allow start. */
  set limits(limits: CallLimits) {
    this.#limits = limits;
    this.#scheduleDispatch();
  }

  /** How many calls are queued. */
  get length(): number {
    return this.#primary.length + this.#deferred.length;
  }

  /** How many calls are under way. */
  get running(): number {
    return this.#primaryRunning + this.#deferredRunning;
  }

  /** True if the call may start now: it holds a slot until `release`. Otherwise it is queued, or was dropped. */
  tryStart(call: QueuedCall): boolean {
    if (this.tryTakeSpareSlot(call.isDeferred)) return true;
    this.#enqueue(call);
    return false;
  }

  /** Takes a slot if one is free and no call waits for it. */
  tryTakeSpareSlot(isDeferred: boolean): boolean {
    if (this.length > 0 || !this.#hasCapacity(isDeferred)) return false;
    this.#addRunning(isDeferred, 1);
    return true;
  }

  /** Releases the slot of a call that started. */
  release(isDeferred: boolean): void {
    this.#addRunning(isDeferred, -1);
    this.#scheduleDispatch();
  }

  /** How long a call was under way. */
  onServiceTime(isDeferred: boolean, serviceMs: number): void {
    const before = (isDeferred ? this.#deferredServiceMs : this.#primaryServiceMs) ?? serviceMs;
    const average = before + (serviceMs - before) * serviceTimeSmoothing;
    if (isDeferred) this.#deferredServiceMs = average;
    else this.#primaryServiceMs = average;
  }

  /** Removes a queued call that no caller waits for any more. */
  remove(call: QueuedCall): void {
    const entry = this.#entryOf(call);
    this.#removeEntry(entry);
    this.#reportWaitEnd(entry, 'left');
  }

  /** Moves a queued call whose urgency `change` changes. */
  reprioritize(call: QueuedCall, change: () => void): void {
    const entry = this.#entryOf(call);
    this.#removeEntry(entry);
    change();
    this.#insert(entry);
    this.#scheduleDispatch();
  }

  #enqueue(call: QueuedCall): void {
    const now = this.#options.now();
    const entry = { call, arrival: ++this.#arrivals, enqueuedAtMs: now };
    const ahead = this.#insert(entry);
    this.#options.observer?.onWait(this.#options.name);
    if (now + this.#expectedTimeMs(call.isDeferred, ahead) > call.latestDeadline)
      this.#drop(entry, 'deadline');
    this.#dropOverdue(now);
    if (this.length > this.#limits.queued) this.#dropLeastUrgent();
    this.#scheduleDispatch();
  }

  /** Returns how many calls of the same kind go first. */
  #insert(entry: QueueEntry): number {
    const { isDeferred } = entry.call;
    if (isDeferred) return this.#deferred.add(entry);
    const { queueTimeMs, now } = this.#options;
    if (queueTimeMs !== undefined) {
      if (this.#primary.length === 0) this.#measureUtilization(now());
      this.#nextCheckAt = Math.min(this.#nextCheckAt, entry.enqueuedAtMs + queueTimeMs);
    }
    this.#primaryByArrival.add(entry);
    return this.#primary.add(entry);
  }

  /** Until the end of a call that `ahead` others precede; 0 while it is unknown. */
  #expectedTimeMs(isDeferred: boolean, ahead: number): number {
    const serviceMs = isDeferred ? this.#deferredServiceMs : this.#primaryServiceMs;
    if (serviceMs === undefined) return 0;
    const { total, primary, deferred } = this.#limits;
    return (ahead / Math.min(total, isDeferred ? deferred : primary)) * serviceMs + serviceMs;
  }

  #dropLeastUrgent(): void {
    const primary = this.#primary.last;
    const deferred = this.#deferred.last;
    const isPrimary =
      deferred === undefined || (primary !== undefined && compareUrgency(deferred, primary) < 0);
    this.#drop((isPrimary ? primary : deferred) as QueueEntry, 'full');
  }

  /** Drops primary calls that have waited too long. */
  #dropOverdue(now: number): void {
    const { queueTimeMs } = this.#options;
    if (queueTimeMs === undefined || now <= this.#nextCheckAt) return;
    if (now - this.#measuringSince >= queueTimeMs) this.#measureUtilization(now);
    if (this.#isSaturated) {
      this.#nextCheckAt = now + queueTimeMs;
      return;
    }
    let oldest = this.#primaryByArrival.first;
    let firstDroppedRank = rankCount;
    while (oldest !== undefined && now - oldest.enqueuedAtMs > queueTimeMs) {
      this.#drop(oldest, 'queue time');
      firstDroppedRank = Math.min(firstDroppedRank, oldest.call.rank);
      oldest = this.#primaryByArrival.first;
    }
    this.#firstOverloadedRank = Math.min(this.#firstOverloadedRank, firstDroppedRank);
    this.#endOverload();
    this.#nextCheckAt = oldest === undefined ? Number.POSITIVE_INFINITY : oldest.enqueuedAtMs + queueTimeMs;
  }

  #measureUtilization(now: number): void {
    this.#measuringSince = now;
    const utilization = this.#options.readUtilization?.() ?? 0;
    this.#isSaturated = utilization > saturatedUtilization;
  }

  /** Whether calls of this rank have been dropped because they waited too long, and others like them still wait. */
  isOverloaded(rank: number): boolean {
    return rank >= this.#firstOverloadedRank;
  }

  /** Ranks are no longer overloaded if no call that is as urgent waits. */
  #endOverload(): void {
    const firstRank = this.#primary.first?.call.rank ?? rankCount;
    this.#firstOverloadedRank = Math.max(this.#firstOverloadedRank, firstRank);
  }

  #drop(entry: QueueEntry, reason: DropReason): void {
    this.#removeEntry(entry);
    this.#reportWaitEnd(entry, reason);
    entry.call.onDrop(reason);
  }

  /** Dispatches in a microtask: the code that just ended a call still runs. */
  #scheduleDispatch(): void {
    if (this.#isDispatchScheduled || this.#firstEntry() === undefined) return;
    this.#isDispatchScheduled = true;
    queueMicrotask(this.#dispatch);
  }

  readonly #dispatch = (): void => {
    this.#isDispatchScheduled = false;
    const now = this.#options.now();
    this.#dropOverdue(now);
    for (let first = this.#firstEntry(); first !== undefined; first = this.#firstEntry()) {
      const next = this.#nextInsteadOf(first);
      this.#removeEntry(next);
      this.#lastTurnOfRank.set(next.call.rank, ++this.#turns);
      this.#addRunning(next.call.isDeferred, 1);
      this.#reportWaitEnd(next, 'sent');
      next.call.onTurn(now);
    }
  };

  /** The entry whose turn it is when `first` is the most urgent one. */
  #nextInsteadOf(first: QueueEntry): QueueEntry {
    const isFairTurn = (this.#turns + 1) % turnsPerFairTurn === 0;
    const entry = isFairTurn ? this.#firstOf(this.#neglectedRank()) : first;
    const { rank, isDeferred } = entry.call;
    return !isDeferred && this.isOverloaded(rank) ? this.#newestOf(rank) : entry;
  }

  /** Of the ranks that could start now, the one whose last turn is the longest ago. */
  #neglectedRank(): number {
    let neglected = rankCount;
    let earliestTurn = Number.POSITIVE_INFINITY;
    for (const list of [this.#primary, this.#deferred]) {
      for (const { call } of list.items) {
        if (!this.#hasCapacity(call.isDeferred)) break;
        if (call.rank === neglected) continue;
        const lastTurn = this.#lastTurnOfRank.get(call.rank) ?? 0;
        if (lastTurn >= earliestTurn) continue;
        earliestTurn = lastTurn;
        neglected = call.rank;
      }
    }
    return neglected;
  }

  /** Of the calls of a rank that could start now. */
  #firstOf(rank: number): QueueEntry {
    const isNext = ({ call }: QueueEntry): boolean =>
      call.rank === rank && this.#hasCapacity(call.isDeferred);
    return (this.#deferred.items.find(isNext) ?? this.#primary.items.find(isNext)) as QueueEntry;
  }

  #newestOf(rank: number): QueueEntry {
    return this.#primaryByArrival.items.findLast(({ call }) => call.rank === rank) as QueueEntry;
  }

  /** Of the calls that could start now. */
  #firstEntry(): QueueEntry | undefined {
    const primary = this.#hasCapacity(false) ? this.#primary.first : undefined;
    const deferred = this.#hasCapacity(true) ? this.#deferred.first : undefined;
    if (primary === undefined || deferred === undefined) return primary ?? deferred;
    return compareUrgency(primary, deferred) < 0 ? primary : deferred;
  }

  #entryOf(call: QueuedCall): QueueEntry {
    const list = call.isDeferred ? this.#deferred : this.#primary;
    return list.items.find((entry) => entry.call === call) as QueueEntry;
  }

  #removeEntry(entry: QueueEntry): void {
    if (entry.call.isDeferred) this.#deferred.remove(entry);
    else {
      this.#primary.remove(entry);
      this.#primaryByArrival.remove(entry);
    }
    this.#endOverload();
  }

  #hasCapacity(isDeferred: boolean): boolean {
    const { total, primary, deferred } = this.#limits;
    if (this.#primaryRunning + this.#deferredRunning >= total) return false;
    return isDeferred ? this.#deferredRunning < deferred : this.#primaryRunning < primary;
  }

  #addRunning(isDeferred: boolean, change: 1 | -1): void {
    if (isDeferred) this.#deferredRunning += change;
    else this.#primaryRunning += change;
  }

  #reportWaitEnd({ call, enqueuedAtMs }: QueueEntry, outcome: WaitEnd['outcome']): void {
    const { observer, name, now } = this.#options;
    observer?.onWaitEnd({ subgraph: name, priority: call.priority, outcome, waitedMs: now() - enqueuedAtMs });
  }
}

function compareUrgency(a: QueueEntry, b: QueueEntry): number {
  if (a.call.rank !== b.call.rank) return a.call.rank - b.call.rank;
  if (a.call.earliestDeadline !== b.call.earliestDeadline)
    return a.call.earliestDeadline < b.call.earliestDeadline ? -1 : 1;
  return compareArrival(a, b);
}

function compareArrival(a: QueueEntry, b: QueueEntry): number {
  return a.arrival - b.arrival;
}
