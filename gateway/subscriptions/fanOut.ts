import { Broadcast, type SubscriptionPayload } from '../response/subscriptionEvents.ts';
import { waitForTurn } from '../time/eventLoopTurn.ts';
import type { PayloadOrigin, Subscriber } from './subscriber.ts';

/** Payloads are sent to so many subscribers without a pause, which takes a few milliseconds. */
const subscribersPerTurn = 200;

/** Limits of the payloads that one pass sends to each subscriber. Beyond them, a write costs as much for each payload as
 *  several writes do. */
const payloadsPerPass = 16;
const charactersPerPass = 16 * 1024;

/** The subscribers that are present at a moment. */
interface Recipients {
  readonly subscribers: readonly Subscriber[];
  /** How many times subscribers had left before. While this is unchanged, none of these has. */
  readonly departures: number;
}

/** Sends payloads to all subscribers of a subscription. A pass over many subscribers takes several turns of the event
 *  loop. Payloads that are added meanwhile are sent in one pass after it, so that a client gets them in one write. */
export class FanOut {
  readonly #subscribers: ReadonlySet<Subscriber>;
  readonly #onIdle: () => void;
  #payloads: SubscriptionPayload[] = [];
  #origins: PayloadOrigin[] = [];
  #characters = 0;
  /** The passes that are under way, until no payload waits. */
  #passes: Promise<void> | undefined;
  #room: PromiseWithResolvers<void> | undefined;
  /** How many times subscribers have left. */
  #departures = 0;

  /** `onIdle`: called at the end of a pass that took several turns, if no payload waits. */
  constructor(subscribers: ReadonlySet<Subscriber>, onIdle: () => void) {
    this.#subscribers = subscribers;
    this.#onIdle = onIdle;
  }

  get isIdle(): boolean {
    return this.#passes === undefined;
  }

  /** To be called when subscribers were removed. */
  notifyLeft(): void {
    this.#departures += 1;
  }

  async waitUntilIdle(): Promise<void> {
    await this.#passes;
  }

  /** Sends a payload to the subscribers that are present when its pass begins. Returns `undefined` when there is room for
   *  more payloads, and otherwise a promise of room. */
  add(payload: SubscriptionPayload, origin: PayloadOrigin): Promise<void> | undefined {
    this.#payloads.push(payload);
    this.#origins.push(origin);
    this.#characters += payload.text.length;
    if (this.#passes === undefined) {
      const pass = this.#sendWaiting();
      if (pass !== undefined) this.#passes = this.#continue(pass);
      return undefined;
    }
    if (this.#payloads.length < payloadsPerPass && this.#characters < charactersPerPass) return undefined;
    this.#room ??= Promise.withResolvers();
    return this.#room.promise;
  }

  listRecipients(): Recipients {
    return { subscribers: [...this.#subscribers], departures: this.#departures };
  }

  /** Sends one payload to those of the recipients that have not left. Only while idle. Returns `undefined` when it was
   *  sent, and otherwise a promise of that. */
  sendTo(
    recipients: Recipients,
    payload: SubscriptionPayload,
    origin: PayloadOrigin,
  ): Promise<void> | undefined {
    return this.#send(recipients, new Broadcast([payload]), [origin]);
  }

  async #continue(firstPass: Promise<void>): Promise<void> {
    await firstPass;
    while (this.#payloads.length > 0) await this.#sendWaiting();
    this.#passes = undefined;
    this.#onIdle();
  }

  #sendWaiting(): Promise<void> | undefined {
    const broadcast = new Broadcast(this.#payloads);
    const origins = this.#origins;
    this.#payloads = [];
    this.#origins = [];
    this.#characters = 0;
    this.#room?.resolve();
    this.#room = undefined;
    return this.#send(this.listRecipients(), broadcast, origins);
  }

  #send(
    recipients: Recipients,
    broadcast: Broadcast,
    origins: readonly PayloadOrigin[],
  ): Promise<void> | undefined {
    if (recipients.subscribers.length > subscribersPerTurn)
      return this.#sendInTurns(recipients, broadcast, origins);
    this.#sendSlice(recipients, 0, broadcast, origins);
    return undefined;
  }

  async #sendInTurns(
    recipients: Recipients,
    broadcast: Broadcast,
    origins: readonly PayloadOrigin[],
  ): Promise<void> {
    for (let start = 0; start < recipients.subscribers.length; start += subscribersPerTurn) {
      if (start > 0) await waitForTurn();
      if (this.#subscribers.size === 0) return;
      this.#sendSlice(recipients, start, broadcast, origins);
    }
  }

  #sendSlice(
    recipients: Recipients,
    start: number,
    broadcast: Broadcast,
    origins: readonly PayloadOrigin[],
  ): void {
    const { subscribers, departures } = recipients;
    const end = Math.min(start + subscribersPerTurn, subscribers.length);
    for (let i = start; i < end; i++) {
      const subscriber = subscribers[i] as Subscriber;
      if (departures === this.#departures || this.#subscribers.has(subscriber))
        subscriber.onBroadcast(broadcast, origins);
    }
  }
}
