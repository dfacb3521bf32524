import { formatCount } from './format.ts';
import type { Stock } from './operations.ts';

/** The stock in words; the colour of the dot only repeats them. */
export function StockLevel({ stock }: { readonly stock: Stock | null | undefined }) {
  const { level, text } = describe(stock);
  return (
    <span className="stock" data-level={level}>
      {text}
    </span>
  );
}

function describe(stock: Stock | null | undefined): { level: string; text: string } {
  switch (stock?.status) {
    case 'AVAILABLE':
      return { level: 'good', text: `${formatCount(stock.total)} in stock` };
    case 'LOW':
      return { level: 'low', text: `Only ${formatCount(stock.total)} left` };
    case 'SOLD_OUT':
      return { level: 'gone', text: 'Sold out' };
    case undefined:
      return { level: 'unknown', text: 'Stock not known yet' };
  }
}
