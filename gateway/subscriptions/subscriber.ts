import type { GatewayError } from '../errors.ts';
import type { Broadcast } from '../response/subscriptionEvents.ts';
import type { OverflowPolicy } from './eventQueue.ts';

/** Where payloads come from. All payloads of one event have the same origin object. */
export interface PayloadOrigin {
  /** What happens when the queue of a subscriber is full. */
  readonly overflowPolicy: OverflowPolicy;
  /** Whether the payload reports missing events instead of being one. */
  readonly isNotice: boolean;
}

/** Receives the payloads of a shared subscription. No method is called after `onComplete`, `onError` or leaving. */
export interface Subscriber {
  /** `origins`: one for each payload. */
  onBroadcast(broadcast: Broadcast, origins: readonly PayloadOrigin[]): void;
  /** Whether many payloads wait for the client. */
  readonly isSlow: boolean;
  /** Resolves when there is room for more payloads. */
  waitForRoom(): Promise<void>;
  /** Resolves when the client has read all payloads. */
  waitForDrain(): Promise<void>;
  onComplete(): void;
  onError(error: GatewayError): void;
}
