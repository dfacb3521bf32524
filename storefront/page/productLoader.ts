import type { ApolloClient } from '@apollo/client';
import type { Subscription } from 'rxjs';
import { deferredProductQuery, type ProductDetails, productQuery, type Stock } from './operations.ts';
import { PayloadLog } from './payloadLog.ts';
import { type PartName, partNames } from './productParts.ts';
import type { LoadingMode } from './routes.ts';

export type PartState = 'pending' | 'arrived' | 'failed';

export interface ProductView {
  /** `undefined` until it arrives; `null` if there is no such product. */
  readonly product: ProductDetails | null | undefined;
  readonly parts: Readonly<Record<PartName, PartState>>;
}

/** Longer than the deadline of a request, so that no field is pending because of its budget. */
const waitForEverything = { 'tributary-budget': '15s' };
/** The gateway of the demo then says which values were in its cache. */
const explain = { 'tributary-explain': 'true' };
const retryDelaysMs = [2000, 4000, 8000, 15_000];
const firstView: ProductView = {
  product: undefined,
  parts: {
    product: 'pending',
    stock: 'pending',
    rating: 'pending',
    reviews: 'pending',
    recommendations: 'pending',
  },
};

/** Loads one product in one mode, and tries again while parts of it fail. A part that has arrived stays, even if a later
 *  attempt fails to load it. */
export class ProductLoader {
  readonly log = new PayloadLog();
  readonly #client: ApolloClient;
  readonly #id: string;
  readonly #mode: LoadingMode;
  readonly #listeners = new Set<() => void>();
  #view = firstView;
  #request: Subscription | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #failedAttempts = 0;
  #isRunning = false;
  /** Of a subscription since the newest request: newer than what any payload of its response has. */
  #liveStock: Stock | undefined;
  readonly #retryOnline = (): void => {
    if (!this.#isComplete) this.retry();
  };

  constructor(client: ApolloClient, id: string, mode: LoadingMode) {
    this.#client = client;
    this.#id = id;
    this.#mode = mode;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly getSnapshot = (): ProductView => this.#view;

  start(): void {
    this.#isRunning = true;
    window.addEventListener('online', this.#retryOnline);
    this.#send();
  }

  stop(): void {
    this.#isRunning = false;
    window.removeEventListener('online', this.#retryOnline);
    clearTimeout(this.#timer);
    this.#request?.unsubscribe();
  }

  /** Sends the query again at once, for the parts that are missing. Does nothing after `stop`: a visitor may have left the
   *  page while the demo was repaired. */
  retry(): void {
    if (!this.#isRunning) return;
    this.#failedAttempts = 0;
    this.#send();
  }

  /** Shows a stock that a subscription delivered. */
  showStock(stock: Stock): void {
    this.#liveStock = stock;
    const { product, parts } = this.#view;
    if (!product) return;
    this.log.recordEvent('stock', 'stock');
    this.#set({ product: { ...product, stock }, parts: { ...parts, stock: 'arrived' } });
    if (this.#isComplete) clearTimeout(this.#timer);
  }

  #send(): void {
    clearTimeout(this.#timer);
    this.#request?.unsubscribe();
    this.#liveStock = undefined;
    const query = this.#client.watchQuery({
      query: this.#mode === 'page' ? deferredProductQuery : productQuery,
      variables: { id: this.#id },
      // The page shows how its parts arrive, so it fetches them on each visit. Cached parts would hide the delay.
      fetchPolicy: 'no-cache',
      // A part that fails must not remove the parts that arrived.
      errorPolicy: 'all',
      notifyOnNetworkStatusChange: false,
      context: {
        payloadLog: this.log,
        headers: { ...explain, ...(this.#mode === 'wait' ? waitForEverything : {}) },
        // Equal queries of a comparison have different budgets.
        queryDeduplication: false,
      },
    });
    const request = query.subscribe({
      next: ({ data }) => this.#receive(data?.product as ProductDetails | null | undefined),
      error: () => {},
    });
    const stopWatching = this.log.subscribe(() => {
      if (!this.log.getSnapshot().isComplete) return;
      stopWatching();
      // Apollo Client emits the last payload after the log has it.
      setTimeout(() => {
        if (this.#request === request) this.#end();
      });
    });
    request.add(stopWatching);
    this.#request = request;
  }

  #receive(product: ProductDetails | null | undefined): void {
    const former = this.#view.product;
    const shown = product ? { ...former, ...withoutMissing(product, former) } : (former ?? product);
    this.#set({ product: shown, parts: this.#parts });
    if (this.#liveStock !== undefined) this.showStock(this.#liveStock);
  }

  /** No payload follows: parts that are still pending have failed. */
  #end(): void {
    const { product } = this.#view;
    // A product that does not exist has no other parts, and no failure.
    if (product === null && this.log.stateOf('product') === 'arrived') return;
    const states = partNames.map((name) => [
      name,
      this.log.stateOf(name) === 'arrived' ? 'arrived' : 'failed',
    ]);
    const parts: Record<PartName, PartState> = Object.fromEntries(states);
    this.#set({ parts });
    if (!this.#isComplete) this.#scheduleRetry();
  }

  get #parts(): Record<PartName, PartState> {
    return Object.fromEntries(partNames.map((name) => [name, this.log.stateOf(name)])) as Record<
      PartName,
      PartState
    >;
  }

  get #isComplete(): boolean {
    return Object.values(this.#view.parts).every((state) => state === 'arrived');
  }

  #scheduleRetry(): void {
    const delayMs = retryDelaysMs[Math.min(this.#failedAttempts, retryDelaysMs.length - 1)] as number;
    this.#failedAttempts += 1;
    this.#timer = setTimeout(() => this.#send(), delayMs);
  }

  #set(change: Partial<ProductView>): void {
    this.#view = { ...this.#view, ...change };
    for (const listener of this.#listeners) listener();
  }
}

/** The fields of a product without those that are missing now and were there before. */
function withoutMissing(product: ProductDetails, former: ProductDetails | null | undefined): ProductDetails {
  const entries = Object.entries(product).filter(
    ([name, value]) => isPresent(value) || !isPresent(former?.[name as keyof ProductDetails]),
  );
  return Object.fromEntries(entries) as unknown as ProductDetails;
}

function isPresent<T>(value: T | null | undefined): value is T {
  return value !== null && value !== undefined;
}
