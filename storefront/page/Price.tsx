import type { Money } from './operations.ts';

interface PriceProps {
  readonly money: Money;
  /** The price before a reduction. */
  readonly before?: Money | null;
}

export function Price({ money, before }: PriceProps) {
  if (before === undefined || before === null) return <span className="price">{format(money)}</span>;
  return (
    <span className="price">
      <ins>
        <span className="visually-hidden">Now </span>
        {format(money)}
      </ins>{' '}
      <del>
        <span className="visually-hidden">Before </span>
        {format(before)}
      </del>
    </span>
  );
}

function format({ amount, currency }: Money): string {
  return new Intl.NumberFormat('en-IE', { style: 'currency', currency }).format(Number(amount));
}
