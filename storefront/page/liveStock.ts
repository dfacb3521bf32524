import type { ApolloClient } from '@apollo/client';
import type { Subscription } from 'rxjs';
import { type Stock, stockChangedSubscription } from './operations.ts';

export type LiveState = 'connecting' | 'live' | 'interrupted';

interface LiveStockOptions {
  readonly client: ApolloClient;
  readonly upc: string;
  readonly onStock: (stock: Stock) => void;
  /** Called with `live` again after an interruption: changes in between were missed. */
  readonly onState: (state: LiveState) => void;
}

/** A subscription that ends sooner counts as one that could not begin. The protocol does not confirm a beginning. */
const settledAfterMs = 1000;
const maxReconnectDelayMs = 4000;

/** Subscribes to the stock of a product, and again whenever the subscription ends. Returns a function that stops it. */
export function followStock({ client, upc, onStock, onState }: LiveStockOptions): () => void {
  let subscription: Subscription | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let failures = 0;

  const settle = (): void => {
    clearTimeout(timer);
    timer = undefined;
    failures = 0;
    onState('live');
  };
  const subscribeLater = (): void => {
    onState('interrupted');
    clearTimeout(timer);
    timer = setTimeout(subscribe, Math.min(maxReconnectDelayMs, 1000 * 2 ** failures));
    failures += 1;
  };
  const subscribe = (): void => {
    subscription?.unsubscribe();
    clearTimeout(timer);
    timer = setTimeout(settle, settledAfterMs);
    let hasEnded = false;
    const end = (): void => {
      if (hasEnded) return;
      hasEnded = true;
      subscribeLater();
    };
    subscription = client.subscribe({ query: stockChangedSubscription, variables: { upc } }).subscribe({
      next: ({ data, error }) => {
        if (error !== undefined) return end();
        const stock = data?.stockChanged.item.product.stock;
        if (timer !== undefined) settle();
        if (stock) onStock(stock);
      },
      error: end,
      complete: end,
    });
  };
  const subscribeAtOnce = (): void => {
    failures = 0;
    subscribe();
  };

  // A browser that goes offline may keep the connection open for a while. A server on the same machine still responds.
  const interrupt = (): void => {
    subscription?.unsubscribe();
    subscribeLater();
  };

  window.addEventListener('online', subscribeAtOnce);
  window.addEventListener('offline', interrupt);
  subscribe();
  return () => {
    window.removeEventListener('online', subscribeAtOnce);
    window.removeEventListener('offline', interrupt);
    clearTimeout(timer);
    subscription?.unsubscribe();
  };
}
