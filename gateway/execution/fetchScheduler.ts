import { performance } from 'node:perf_hooks';
import { FetchSpan } from '../telemetry/fetchSpan.ts';
import { atEndOfTurn } from '../time/atEndOfTurn.ts';
import { type FetchCall, haveEqualOperations } from './fetchCall.ts';
import type { CancelFetch, FetchSender } from './fetchSender.ts';
import { mergeEqualShapes } from './mergeEqualShapes.ts';
import type { RequestContext } from './requestContext.ts';
import type { ScheduledStep } from './scheduledStep.ts';
import { type OnSettled, Settlement } from './settlement.ts';

/** Fetches that are sent and settled together: entity fetches of one subgraph and delivery group, or one root fetch. */
class FetchBatch extends Settlement {
  readonly calls: FetchCall[];
  span: FetchSpan | undefined;
  /** `undefined` until the fetches are sent. */
  cancel: CancelFetch | undefined;
  sentAt = Number.NaN;
  isDone = false;
  readonly #isTrial: boolean;
  /** The steps whose fetches this has waited for. */
  readonly #expected: ScheduledStep[] = [];
  #waitingSince = Number.NaN;

  /** `isTrial`: the fetches do not wait beyond the turn, so that their duration alone is measured. */
  constructor(call: FetchCall, isTrial = false) {
    super();
    this.calls = [call];
    this.#isTrial = isTrial;
  }

  get first(): FetchCall {
    return this.calls[0] as FetchCall;
  }

  /** Whether an entity fetch that waits for these can be sent together with those of `other`. `ready`: the steps whose
   *  fetches were ready before. */
  leadsTo({ first }: FetchBatch, ready: readonly ScheduledStep[]): boolean {
    return this.calls.some(({ step }) =>
      step.dependents.some((next) => !ready.includes(next) && next.canJoin(first)),
    );
  }

  /** Whether a step waits for one of these. */
  get hasDependents(): boolean {
    return this.calls.some(({ step }) => step.dependents.length > 0);
  }

  /** Whether these wait for a fetch that waits for those of `sources`: it is worth it, and a payload hardly comes later.
   *  `ready`: see `leadsTo`. */
  expectsFrom(sources: readonly FetchBatch[], ready: readonly ScheduledStep[]): boolean {
    const { calls, first } = this;
    if (!first.shape.isEntityFetch || this.#isTrial || this.hasDependents) return false;
    if (calls.some(({ budget }) => budget !== undefined)) return false;
    const known = this.#expected.length;
    for (const source of sources) {
      for (const { step } of source.calls) {
        for (const next of step.dependents)
          if (!ready.includes(next) && next.canJoin(first) && next.isExpectedBy(calls))
            this.#expected.push(next);
      }
    }
    if (this.#expected.length === known) return false;
    if (known === 0) this.#waitingSince = performance.now();
    return true;
  }

  onSend(now: number): void {
    this.sentAt = now;
    if (this.#expected.length === 0) return;
    this.span?.onWait(now - this.#waitingSince);
    for (const step of this.#expected)
      if (!this.calls.some((call) => call.step === step)) step.resetArrivals();
  }

  onEnd(now: number): void {
    if (this.#expected.length > 0) return;
    for (const { step } of this.calls) step.onDuration(now - this.sentAt);
  }
}

/** Batches the fetches of one operation that are ready at the same moment: entity fetches of one subgraph are sent as one
 *  HTTP request, equal root fetches once. The moment ends as DataLoader's does: when all promises that are settled now have
 *  been handled. Only while a fetch under way leads to another entity fetch of the same subgraph, it lasts until that fetch
 *  has ended, at most to the end of the turn of the event loop: responses that the gateway has received are often next to
 *  each other. A fetch that no other fetch waits for waits longer, up to `maxWaitMs`, if earlier executions have shown that
 *  the other one comes and takes about as long. Results are passed to callbacks, so that no promise keeps a response in
 *  memory. */
export class FetchScheduler {
  readonly #sender: FetchSender;
  readonly #requestContext: RequestContext;
  readonly #maxWaitMs: number;
  /** Will be sent at the end of the moment. */
  readonly #collected: FetchBatch[] = [];
  /** A list, because an operation has few of them. */
  #rootFetches: FetchBatch[] = [];
  /** The steps whose entity fetches have been ready. */
  readonly #readySteps: ScheduledStep[] = [];
  /** Under way. */
  readonly #sent: FetchBatch[] = [];
  #isSendingScheduled = false;
  #isWaitingForTurnEnd = false;
  #waitTimer: NodeJS.Timeout | undefined;
  #waitUntil = Number.NaN;
  #isCancelled = false;
  /** When the first fetch was sent, and when the last one ended. */
  #startedAt = Number.NaN;
  #endedAt = Number.NaN;

  /** `maxWaitMs`: see `batching.maxWait`. */
  constructor(sender: FetchSender, requestContext: RequestContext, maxWaitMs = 0) {
    this.#sender = sender;
    this.#requestContext = requestContext;
    this.#maxWaitMs = maxWaitMs;
  }

  /** From the first fetch that was sent to the last one that has ended, in milliseconds; 0 without fetches. */
  get fetchingMs(): number {
    return Number.isNaN(this.#endedAt) ? 0 : this.#endedAt - this.#startedAt;
  }

  /** `onSettled` is called when the call, or an equal one, is settled: never before this has returned, and not after `cancel`. */
  load(call: FetchCall, onSettled: OnSettled): void {
    if (call.shape.isEntityFetch) this.#loadEntities(call, onSettled);
    else this.#loadRoot(call, onSettled);
  }

  /** Sends at once what `load` loads: for the start of the operation, when nothing else can become ready. */
  sendTogether(load: () => void): void {
    this.#isSendingScheduled = true;
    try {
      load();
    } finally {
      this.#sendCollected();
    }
  }

  #loadEntities(call: FetchCall, onSettled: OnSettled): void {
    const isTrial = call.step.onFetch();
    if (!this.#readySteps.includes(call.step)) this.#readySteps.push(call.step);
    const known = this.#collected.find(
      ({ first: { shape, group } }) =>
        shape.isEntityFetch && shape.subgraph === call.shape.subgraph && group === call.group,
    );
    if (known === undefined) {
      this.#collect(new FetchBatch(call, isTrial), onSettled);
      return;
    }
    known.calls.push(call);
    known.wait(onSettled);
    // The batch may be waiting for this call.
    this.#scheduleSending();
  }

  #loadRoot(call: FetchCall, onSettled: OnSettled): void {
    const known = this.#rootFetches.find((batch) => areEqualRootFetches(batch.first, call));
    if (known !== undefined) {
      // It may be settled already.
      queueMicrotask(() => known.wait(onSettled));
      return;
    }
    const batch = new FetchBatch(call);
    this.#rootFetches.push(batch);
    this.#collect(batch, onSettled);
  }

  #collect(batch: FetchBatch, onSettled: OnSettled): void {
    batch.wait(onSettled);
    this.#collected.push(batch);
    this.#scheduleSending();
  }

  #scheduleSending(): void {
    if (this.#isSendingScheduled) return;
    this.#isSendingScheduled = true;
    afterPromises(() => {
      const sources = this.#sources();
      this.#sendCollected((batch) => batch.expectsFrom(sources, this.#readySteps) || this.#mayGrow(batch));
      if (this.#collected.length > 0) this.#sendAtEndOfTurn();
    });
  }

  /** Whether a fetch under way leads to one that can be sent together with these. */
  #mayGrow(batch: FetchBatch): boolean {
    return (
      batch.first.shape.isEntityFetch && this.#sent.some((sent) => sent.leadsTo(batch, this.#readySteps))
    );
  }

  /** The fetches under way or about to be sent for which others may wait longer than to the end of the turn. */
  #sources(): readonly FetchBatch[] {
    return this.#maxWaitMs === 0
      ? []
      : [...this.#sent, ...this.#collected].filter(({ hasDependents }) => hasDependents);
  }

  #sendAtEndOfTurn(): void {
    if (this.#isWaitingForTurnEnd) return;
    this.#isWaitingForTurnEnd = true;
    atEndOfTurn(() => {
      this.#isWaitingForTurnEnd = false;
      const sources = this.#sources();
      this.#sendCollected((batch) => batch.expectsFrom(sources, this.#readySteps));
      if (this.#collected.length > 0) this.#startWaitTimer();
    });
  }

  #startWaitTimer(): void {
    if (this.#isCancelled) return;
    const now = performance.now();
    const deadlines = this.#collected.map(({ first }) =>
      this.#requestContext.deadlineFor(first.shape.subgraph),
    );
    // A fetch that never ends must leave the others enough time.
    const waitMs = Math.max(0, Math.min(this.#maxWaitMs, (Math.min(...deadlines) - now) / 4));
    // A fetch that waits already may have more time.
    if (this.#waitTimer !== undefined && now + waitMs >= this.#waitUntil) return;
    clearTimeout(this.#waitTimer);
    this.#waitUntil = now + waitMs;
    this.#waitTimer = setTimeout(() => {
      this.#waitTimer = undefined;
      this.#sendCollected();
    }, waitMs);
  }

  #sendCollected(isWaiting: (batch: FetchBatch) => boolean = () => false): void {
    // A result that is available at once may load more fetches. These join batches that are not sent yet, or wait for the
    // end of the next moment.
    this.#isSendingScheduled = false;
    for (const batch of this.#collected.filter((collected) => !isWaiting(collected))) {
      removeFrom(this.#collected, batch);
      this.#send(batch);
    }
    if (this.#collected.length > 0) return;
    clearTimeout(this.#waitTimer);
    this.#waitTimer = undefined;
  }

  /** Cancels the calls in flight that no other request shares. They are not settled any more. */
  cancel(): void {
    // Calls that are batched at the end of this turn must not be sent.
    this.#isCancelled = true;
    clearTimeout(this.#waitTimer);
    if (this.#sent.length === 0) return;
    const endedAt = performance.now();
    this.#endedAt = endedAt;
    for (const batch of this.#sent.splice(0)) {
      batch.isDone = true;
      this.#requestContext.record?.endFetch(endedAt);
      batch.cancel?.();
      batch.span?.end('cancelled', endedAt);
    }
  }

  /** Releases the memory of calls that were sent. */
  release(): void {
    this.#rootFetches = [];
  }

  #send(batch: FetchBatch): void {
    if (this.#isCancelled) return;
    const { calls, first } = batch;
    const requestContext = this.#requestContext;
    const startedAt = performance.now();
    if (Number.isNaN(this.#startedAt)) this.#startedAt = startedAt;
    batch.span = this.#startSpan(calls, startedAt);
    batch.onSend(startedAt);
    requestContext.record?.startFetch(startedAt);
    const onDone = (): void => this.#end(batch);
    try {
      batch.cancel = first.shape.isEntityFetch
        ? this.#sender.sendEntities({ calls: mergeEqualShapes(calls), requestContext, onDone })
        : this.#sender.sendRoot({ call: first, onDone });
    } catch (fault) {
      // What a settled fetch has caused is no fault of the fetch.
      if (batch.isDone) throw fault;
      this.#end(batch, fault);
      return;
    }
    // A cached result is there before the call can be cancelled.
    if (!batch.isDone) this.#sent.push(batch);
  }

  #end(batch: FetchBatch, fault?: unknown): void {
    if (batch.isDone) return;
    batch.isDone = true;
    removeFrom(this.#sent, batch);
    const endedAt = performance.now();
    this.#endedAt = endedAt;
    this.#requestContext.record?.endFetch(endedAt);
    if (fault === undefined) batch.onEnd(endedAt);
    batch.span?.end(undefined, endedAt);
    // Fetches that wait for this one are sent with what it leads to in this moment.
    if (this.#collected.length > 0) this.#scheduleSending();
    batch.settle(fault);
  }

  /** Starts the span of calls that are sent together. The event of a subscription is no fetch. */
  #startSpan(calls: readonly FetchCall[], startedAt: number): FetchSpan | undefined {
    const { trace } = this.#requestContext;
    if (trace === undefined) return undefined;
    const { shape, group } = calls[0] as FetchCall;
    if (shape.kind === 'subscription') return undefined;
    const representations = calls.reduce((sum, call) => sum + call.representations.length, 0);
    const span = FetchSpan.start(trace.current, shape.subgraph, representations, group, startedAt);
    for (const call of calls) call.span = span;
    return span;
  }
}

/** Calls `run` when all promises that are settled now have been handled. */
function afterPromises(run: () => void): void {
  void resolved.then(() => process.nextTick(run));
}

const resolved = Promise.resolve();

/** Whether two root fetches are sent once. A mutation is never deduplicated. */
function areEqualRootFetches(call: FetchCall, other: FetchCall): boolean {
  return (
    call.group === other.group &&
    call.shape.kind !== 'mutation' &&
    !call.isBelowRoot &&
    !other.isBelowRoot &&
    haveEqualOperations(call, other)
  );
}

/** Mostly the only item. `splice` would create an array. */
function removeFrom<Item>(list: Item[], item: Item): void {
  const index = list.indexOf(item);
  if (index === list.length - 1) list.pop();
  else if (index !== -1) list.splice(index, 1);
}
