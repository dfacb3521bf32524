import { useApolloClient, useMutation } from '@apollo/client/react';
import { useEffect, useState } from 'react';
import { formatCount } from './format.ts';
import { followStock, type LiveState } from './liveStock.ts';
import { reserveStockMutation, type Stock } from './operations.ts';
import type { PartState, ProductLoader } from './productLoader.ts';
import { StockLevel } from './StockLevel.tsx';

interface StockPanelProps {
  readonly upc: string;
  readonly stock: Stock | null | undefined;
  readonly state: PartState;
  readonly loader: ProductLoader;
}

const liveWords: Readonly<Record<LiveState, string>> = {
  connecting: 'Connecting to live updates…',
  live: 'Live',
  interrupted: 'Live updates are interrupted; reconnecting…',
};

/** The stock of the product, kept up to date by a subscription, with a button that changes it. */
export function StockPanel({ upc, stock, state, loader }: StockPanelProps) {
  const liveState = useLiveStock(upc, loader);
  const [reserve, { loading }] = useMutation(reserveStockMutation, {
    errorPolicy: 'all',
    fetchPolicy: 'no-cache',
  });
  const [outcome, setOutcome] = useState('');

  const reserveOne = async (): Promise<void> => {
    if (loading) return;
    setOutcome('Reserving…');
    const result = await reserve({ variables: { upc } }).catch(() => undefined);
    const answer = result?.data?.reserveStock;
    if (answer === undefined || answer === null) {
      setOutcome('The reservation failed: the stock cannot be changed at the moment.');
    } else if (answer.__typename === 'OutOfStock') {
      setOutcome(`Not reserved: ${formatCount(answer.available)} left.`);
    } else {
      const changed = answer.items.at(-1)?.product.stock;
      if (changed) loader.showStock(changed);
      setOutcome('One is reserved for you.');
    }
  };

  return (
    <div className="stock-panel">
      <p className="stock-line">
        {state === 'arrived' ? (
          <>
            <StockLevel stock={stock} />
            <span className="live" data-state={liveState} role="status">
              {liveWords[liveState]}
            </span>
          </>
        ) : (
          <MissingStock state={state} />
        )}
      </p>
      <p className="reserve">
        <button type="button" className="primary" aria-disabled={loading} onClick={() => void reserveOne()}>
          Reserve one
        </button>
        <span role="status">{outcome}</span>
      </p>
    </div>
  );
}

function MissingStock({ state }: { readonly state: 'pending' | 'failed' }) {
  return (
    <span className="stock" data-level="unknown" role={state === 'failed' ? 'alert' : 'status'}>
      {state === 'pending' ? 'Still counting the stock…' : 'Stock not known at the moment; checking.'}
    </span>
  );
}

function useLiveStock(upc: string, loader: ProductLoader): LiveState {
  const client = useApolloClient();
  const [state, setState] = useState<LiveState>('connecting');
  useEffect(() => {
    let former: LiveState = 'connecting';
    return followStock({
      client,
      upc,
      onStock: (stock) => loader.showStock(stock),
      onState: (next) => {
        if (former === 'interrupted' && next === 'live') loader.retry();
        former = next;
        setState(next);
      },
    });
  }, [client, upc, loader]);
  return state;
}
